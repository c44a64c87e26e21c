"""The state of a session: what its events add up to.

A session is in one `Status`, and each of its calls in one `Phase`. Which event takes them from one to another stands in
the tables of `phase_changes`, from which the drawings in docs/how-it-works.md are made.

PROPOSED waits for its turn, GATING for facts, HELD for a person's yes, OVER_BUDGET for more of a limit. STARTED runs,
RETRYING has failed and waits for its next attempt, ENQUEUED is a job that waits for a worker, which judges it again.
PARKED has started and waits for a person (a handoff, or a write that nobody can vouch for). A call that was started
where its tool can't run, and never began, is PROPOSED again. ENDED has its final result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from engine.language.arithmetic import add, total
from engine.session.state.persistent import AppendOnlyList, SettlingMap
from engine.spec.bundle import ToolEffect
from engine.spec.limits import Limits
from engine.spec.request_kind import RequestKind


class Status(StrEnum):
    """Where a session is."""

    RUNNING = "running"
    AWAITING_HUMAN_REVIEW = "awaiting_human_review"
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    AWAITING_JOB = "awaiting_job"
    AWAITING_PLANNER = "awaiting_planner"
    AWAITING_MESSAGE = "awaiting_message"
    DONE = "done"
    OUT_OF_BUDGET = "out_of_budget"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    FAILED = "failed"


FINAL = frozenset({Status.DONE, Status.OUT_OF_BUDGET, Status.TIMED_OUT, Status.CANCELLED, Status.FAILED})


class Phase(StrEnum):
    """Where a call is."""

    PROPOSED = "proposed"
    GATING = "gating"
    HELD = "held"
    OVER_BUDGET = "over_budget"
    ENQUEUED = "enqueued"
    STARTED = "started"
    RETRYING = "retrying"
    PARKED = "parked"
    ENDED = "ended"


UNSTARTED = (Phase.PROPOSED, Phase.GATING, Phase.HELD, Phase.OVER_BUDGET)


class ResultStatus(StrEnum):
    """How a call ended.  BLOCKED never ran or is kept back, and of what is UNKNOWN nobody can say what became."""

    OK = "ok"
    RETRYABLE_ERROR = "retryable_error"
    BLOCKED = "blocked"
    TERMINAL_ERROR = "terminal_error"
    UNKNOWN = "unknown"


class StepPhase(StrEnum):
    """Where a step is: no step is open, its planner is asked, or its calls are on their way."""

    IDLE = "idle"
    PLANNING = "planning"
    ACTING = "acting"


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's yes to a call as it stood: its digest, the rules it satisfies, and the groups that were asked.

    Who gave a `distinct` one may give no other to the same call.
    """

    rules: frozenset[str]
    groups: frozenset[str]
    digest: str
    by: str
    edited: bool = False
    prior: bool = False
    distinct: bool = False
    # whom facts named when this was asked
    names: frozenset[str] = frozenset()
    # whether it says why, and how long it could be taken back
    noted: bool = False
    settle_delay: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Result:
    """How a call ended, or a held one stands for now."""

    status: ResultStatus
    reason: str
    message: str
    output: Any
    rule: str | None
    at: datetime


@dataclass(frozen=True)
class Call:
    """One proposed call and all that became of it."""

    id: str
    name: str
    input: Mapping[str, Any]
    step: int
    effect: ToolEffect
    proposed_at: datetime
    digest: str
    key: str | None = None
    scope: str | None = None
    phase: Phase = Phase.PROPOSED
    gate_seq: int = 0
    wants: tuple[Mapping[str, Any], ...] = ()
    asked: Mapping[str, Any] | None = None
    approvals: tuple[Approval, ...] = ()
    approved_seq: int = 0
    started_at: datetime | None = None
    attempt: int = 0
    due_at: datetime | None = None
    epoch: int = 0
    cancelled: str | None = None
    result: Result | None = None
    job: bool = False
    leased: int = 0
    probing: Mapping[str, Any] | None = None
    short_of: str = ""
    generation: int = 0
    # of a write: an attempt of it may have acted, and its answer did not come
    in_doubt: bool = False
    # its digest when it was proposed, whatever it was edited to since
    proposed: str = ""

    @property
    def claim(self) -> str | None:
        """The idempotency key with its scope, as the store knows it."""
        return None if self.key is None else f"{self.scope}:{self.key}"

    @property
    def full_key(self) -> str | None:
        """The same as tools get it: with how many results under it have expired, if any has.

        A server that keeps keys for longer would return an old result as the new one.
        """
        return self.claim if self.claim is None or not self.generation else f"{self.claim}#{self.generation}"

    @property
    def handed_over(self) -> bool:
        """Whether it is a worker's business: a job that waits, runs, or is judged by the worker that leased it."""
        return self.job and (self.leased > 0 or self.phase in (Phase.ENQUEUED, Phase.STARTED, Phase.RETRYING))

    @property
    def ended(self) -> bool:
        """Whether its final result is in the log."""
        return self.phase is Phase.ENDED

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.ended and self.result is not None and self.result.status is ResultStatus.OK


@dataclass(frozen=True, slots=True)
class FactReading:
    """A recorded fact: its value or problem, when and where in the log it was read."""

    output: Any
    problem: str | None
    seq: int
    gate: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """Something a person was asked."""

    id: str
    kind: RequestKind
    call_id: str | None
    groups: tuple[str, ...]
    rules: tuple[str, ...]
    digest: str
    schema: Mapping[str, Any] | None
    expires_at: datetime | None
    opened_at: datetime
    limit: str | None = None
    distinct: bool = False
    note_required: bool = False
    settle_delay: timedelta = timedelta(0)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # a yes that was said and counts later, unless it is taken back
    delayed: Mapping[str, Any] | None = None
    answered: Mapping[str, Any] | None = None
    answered_at: datetime | None = None
    closed: str | None = None
    # what people said about it: by whom, the text, and when
    comments: tuple[Mapping[str, Any], ...] = ()

    @property
    def open(self) -> bool:
        """Whether it still waits for its answer, or for the moment at which a yes counts."""
        return self.answered is None and self.closed is None

    @property
    def counts_at(self) -> datetime | None:
        """When the yes counts that was said already."""
        return datetime.fromisoformat(self.delayed["counts_at"]) if self.delayed is not None else None

    @property
    def said_digest(self) -> str | None:
        """The call that the yes is to which was said already."""
        return self.delayed["digest"] if self.delayed is not None else None

    @property
    def due_at(self) -> datetime | None:
        """When time alone changes something: a yes counts, or else the question expires."""
        return self.expires_at if self.delayed is None else self.counts_at


@dataclass(frozen=True, slots=True)
class MeterTotals:
    """What calls have added to a meter: those that ended well in one sum, the others each by its id."""

    spent: Any = 0
    reserved: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> Any:
        """All of it."""
        return add(self.spent, total(self.reserved.values()))

    def with_item(self, call_id: str, amount: Any) -> MeterTotals:
        """With what a call reserves."""
        return MeterTotals(self.spent, {**self.reserved, call_id: amount})

    def without(self, call_id: str, *, happened: bool) -> MeterTotals:
        """A call that had reserved has ended: it is spent, or given back."""
        amount = self.reserved.get(call_id, 0)
        left = {id_: held for id_, held in self.reserved.items() if id_ != call_id}
        return MeterTotals(add(self.spent, amount) if happened else self.spent, left)


@dataclass(frozen=True)
class Used:
    """The ledger: what the session has taken from its budget.  Calls that never start give theirs back."""

    steps: int = 0
    calls: int = 0
    calls_per_tool: Mapping[str, int] = field(default_factory=dict)
    fact_reads: int = 0
    retries: int = 0
    meters: Mapping[str, MeterTotals] = field(default_factory=dict)
    repairs: int = 0
    model_tokens: int = 0
    model_cost_usd: Any = 0
    active: timedelta = timedelta(0)
    step_active: timedelta = timedelta(0)

    def payload(self) -> dict[str, Any]:
        """As JSON, but for the time, which is a duration; what the step under way has used is left out."""
        found = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "step_active"}
        found["calls_per_tool"] = dict(self.calls_per_tool)
        found["meters"] = {name: metered.total for name, metered in self.meters.items()}
        found["wall_clock"] = found.pop("active")
        return found

    def meter(self, name: str) -> Any:
        """What the session's calls have added to a meter, those that run or that nobody can vouch for included."""
        return self.meters[name].total if name in self.meters else 0


@dataclass(frozen=True)
class State:
    """All that `pending` and `decide` go by; without slots, since it is copied at every event (see `changed`).

    `succeeded`, `seen` and `resulted` hold by tool what expressions read of the calls whose step is over, and of
    the runtime's own reads.
    """

    session_id: str
    seq: int
    now: datetime
    agent: str
    planner: str
    bundle: str
    root: str
    attributes: Mapping[str, Any]
    started_by: str | None
    limits: Limits
    stands_for: tuple[str, ...] = ()
    status: Status = Status.RUNNING
    outcome: str = Status.RUNNING.value
    told: str = ""
    waiting_for: tuple[str, ...] = ()
    owner: str | None = None
    epoch: int = 0
    clock_at: datetime | None = None
    releasing: bool = False
    step: int = 0
    step_phase: StepPhase = StepPhase.IDLE
    turn_step: int = 1
    asks: int = 0
    messages: tuple[str, ...] = ()
    unseen: int = 0
    decision: Mapping[str, Any] | None = None
    problems: tuple[str, ...] = ()
    calls: SettlingMap[Call] = field(default_factory=SettlingMap)
    readings: Mapping[str, FactReading] = field(default_factory=dict)
    requests: SettlingMap[Request] = field(default_factory=SettlingMap)
    denied: frozenset[str] = frozenset()
    refusals: tuple[Mapping[str, Any], ...] = ()
    succeeded: Mapping[str, AppendOnlyList[Mapping[str, Any]]] = field(default_factory=dict)
    seen: Mapping[str, AppendOnlyList[Mapping[str, Any]]] = field(default_factory=dict)
    resulted: Mapping[str, AppendOnlyList[Mapping[str, Any]]] = field(default_factory=dict)
    confirmed: tuple[str, ...] = ()
    taken: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    expired: Mapping[str, int] = field(default_factory=dict)
    full: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    write_seq: int = 0
    used: Used = field(default_factory=Used)
    cancel_by: str | None = None
    ending: str | None = None
    ending_reason: str = ""
    ending_at: datetime | None = None
    crossed: frozenset[str] = frozenset()
    news: bool = False
    finishing: bool = False
    reserved: Mapping[str, Any] | None = None
    fallback: tuple[str, ...] = ()
    handle_key: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    # what a client proposed and the driver has not taken in yet, and from where on it has to have read
    proposal: Mapping[str, Any] | None = None
    told_seq: int = 0

    @property
    def draw_key(self) -> str:
        """What is drawn in the session is drawn by it: nobody is told; a session of an earlier version has its id."""
        return self.handle_key or self.session_id

    @property
    def final(self) -> bool:
        """Whether the session is over for good."""
        return self.status in FINAL

    def step_calls(self) -> list[Call]:
        """The calls of the open step, in the planner's order."""
        return [call for call in self.calls.open.values() if call.step == self.step]

    def open_requests(self) -> list[Request]:
        """What still waits for a person, oldest first."""
        return [request for request in self.requests.open.values() if request.open]

    def retrying_calls(self) -> list[Call]:
        """The calls whose last attempt failed and whose next one has its time."""
        return [call for call in self.calls.open.values() if call.phase is Phase.RETRYING and not call.job]

    def running_calls(self) -> list[Call]:
        """The calls whose tools may be at work for the session's driver."""
        return [call for call in self.calls.open.values() if call.phase is Phase.STARTED and not call.job]

    def probed_calls(self) -> list[Call]:
        """The writes of which a read is to find out whether they happened."""
        return [call for call in self.calls.open.values() if call.probing is not None]

    def jobs(self) -> list[Call]:
        """The calls that were handed over to workers and have no result yet."""
        return [call for call in self.calls.open.values() if call.handed_over]
