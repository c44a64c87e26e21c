"""The kinds of event of a call, from a proposal to its result."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from engine.session.shared_meters import is_meter
from engine.session.state.event import Event
from engine.session.state.event import EventKind as K
from engine.session.state.events.definition import ADDED, Definition, short
from engine.session.state.events.parts import FactPart, appended, with_call, with_count
from engine.session.state.holds import Digest, H, Holds, Input, Output, Own, Report, Words
from engine.session.state.persistent import copy_with
from engine.session.state.state import Call, FactReading, Phase, Result, ResultStatus, State, Used
from engine.spec.bundle import WRITE, ToolEffect


class CallProposedPayload(TypedDict):
    """A call of a decision was taken in; `key` is its idempotency key, and `digest` what people approve."""

    call_id: Own[str]
    tool: Own[str]
    input: Input
    effect: Own[str]
    digest: Digest
    key: Annotated[str | None, H.KEY]
    scope: Annotated[str, H.SCOPE]


_EFFECTS = {effect.value: effect for effect in ToolEffect}


def _proposed(s: State, p: CallProposedPayload, event: Event) -> State:
    call = Call(
        id=p["call_id"],
        name=p["tool"],
        input=p["input"],
        step=event.step,
        effect=_EFFECTS[p["effect"]],
        proposed_at=event.at,
        digest=p["digest"],
        key=p["key"],
        scope=p["scope"],
    )
    return copy_with(s, calls=s.calls.with_item(call.id, call), used=with_count(s, call.name, 1))


class GatePendingPayload(TypedDict):
    """A call waits: for facts that its rules read, or `behind` something else."""

    call_id: Own[str]
    tool: Own[str]
    facts: Annotated[list[FactPart], H.FACTS]
    behind: Own[str | None]


def _gating(s: State, p: GatePendingPayload, event: Event) -> State:
    call = s.calls[p["call_id"]]
    reads = sum(1 for fact in p["facts"] if fact["read"])
    used = copy_with(s.used, fact_reads=s.used.fact_reads + reads)
    phase = Phase.GATING if p["facts"] else call.phase
    gate = call.gate_seq if call.phase is Phase.GATING and call.gate_seq else event.seq
    return copy_with(with_call(s, call, phase=phase, gate_seq=gate, wants=tuple(p["facts"]), short_of=""), used=used)


def _gating_line(e: dict[str, Any]) -> str:
    if e["behind"]:
        return f"{e['tool']} waits: {e['behind'].replace('_', ' ')}"
    return f"{e['tool']} waits for facts: {', '.join(sorted({fact['fact'] for fact in e['facts']}))}"


class FactReadPayload(TypedDict):
    """A fact that rules read came, or can't be read (`problem`); `gate` is the event that asked for it."""

    key: Annotated[str, H.FACT_KEY]
    tool: Own[str]
    input: Input
    output: Output
    problem: Report[str | None]
    gate: Own[int]
    started: Own[str | None]


def _fact(s: State, p: FactReadPayload, event: Event) -> State:
    reading = FactReading(p["output"], p["problem"], event.seq, p["gate"], event.at)
    if p["problem"] is None and not is_meter(p["tool"]):
        entry = {"input": p["input"], "output": p["output"], "at": event.at}
        s = copy_with(s, seen=appended(s.seen, p["tool"], entry))
    return copy_with(s, readings={**s.readings, p["key"]: reading})


class VerdictGivenPayload(TypedDict):
    """The rules judged a call: what they say, by which rule, and what each saw."""

    call_id: Own[str]
    tool: Own[str]
    verdict: Own[str]
    rule: Own[str | None]
    reason: Own[str]
    message: Words[str]
    policy_error: Own[bool]
    approvers: Own[list[str]]
    rules: Annotated[list[dict[str, Any]], H.TRACES]
    satisfied: Own[bool]
    asks: Annotated[dict[str, Any], H.VALUES]
    job: NotRequired[Own[bool]]
    beside: NotRequired[Annotated[list[dict[str, Any]], H.TRACES]]


def _verdict(s: State, p: VerdictGivenPayload, event: Event) -> State:
    call = s.calls[p["call_id"]]
    if p["verdict"] == "require_approval" and not p["satisfied"]:
        prior = tuple(approval for approval in call.approvals if approval.prior)
        # a job that is asked about goes back to the session, and is enqueued again behind the yes
        return with_call(
            s, call, phase=Phase.HELD, asked=p, approvals=prior, wants=(), gate_seq=0, leased=0, short_of=""
        )
    # what waited for more of a limit is a proposal like any other once it is judged again
    phase = Phase.PROPOSED if call.phase is Phase.OVER_BUDGET else call.phase
    return with_call(s, call, phase=phase, wants=(), gate_seq=0, short_of="")


def _verdict_line(e: dict[str, Any]) -> str:
    rule = f" by {e['rule']}" if e["rule"] else ""
    said = " (approved)" if e["satisfied"] else ""
    return f"{e['tool']}: {e['verdict']}{rule}{said}"


class CallEditedPayload(TypedDict):
    """Who approves a call changed its input."""

    call_id: Own[str]
    by: Words[str]
    input: Input
    digest: Digest
    key: Annotated[str | None, H.KEY]


def _edited(s: State, p: CallEditedPayload, event: Event) -> State:
    return with_call(s, s.calls[p["call_id"]], input=p["input"], digest=p["digest"], key=p["key"])


class CallOverBudgetPayload(TypedDict):
    """A call waits for more of a limit."""

    call_id: Own[str]
    tool: Own[str]
    limit: Own[str]


def _over_budget(s: State, p: CallOverBudgetPayload, event: Event) -> State:
    return with_call(s, s.calls[p["call_id"]], phase=Phase.OVER_BUDGET, short_of=p["limit"], wants=(), gate_seq=0)


class CallCancelledPayload(TypedDict):
    """A call that runs is to stop, and why."""

    call_id: Own[str]
    tool: Own[str]
    reason: Own[str]


def _cancelled(s: State, p: CallCancelledPayload, event: Event) -> State:
    return with_call(s, s.calls[p["call_id"]], cancelled=p["reason"])


class ToolResultPayload(TypedDict):
    """How a call ended; the fields of its tool's summary stand beside these.  One that is not `final` is held.

    `reused` is what an earlier call brought under the same key, `settled` what a person or a probe said of it.
    """

    call_id: Own[str]
    tool: Own[str]
    status: Own[str]
    reason: Own[str]
    message: Report[str]
    rule: Own[str | None]
    output: Output
    final: Own[bool]
    reused: Own[bool]
    repair: Own[bool]
    settled: Own[bool]
    attempt: Own[int]
    started: Own[str | None]
    difference: NotRequired[Annotated[list[dict[str, Any]], H.DIFFERENCE]]
    fence_mark: NotRequired[Annotated[str, H.OWN, ADDED]]
    job: NotRequired[Own[bool]]


_STATUSES = {status.value: status for status in ResultStatus}


def _result(s: State, p: ToolResultPayload, event: Event) -> State:
    call = s.calls[p["call_id"]]
    if call.job:
        # of what nobody knows yet there is nothing to tell the planner: a person is asked first
        told = p["final"] and (p["status"] != "unknown" or p["settled"])
        told_seq = event.seq if told else s.told_seq
        call, s = copy_with(call, leased=0), copy_with(s, news=s.news or told, told_seq=told_seq)
    result = Result(_STATUSES[p["status"]], p["reason"], p["message"], p["output"], p["rule"], event.at)
    if not p["final"]:
        return with_call(s, call, result=result)
    if p["status"] == "unknown" and not p["settled"]:
        return copy_with(with_call(s, call, phase=Phase.PARKED, result=result), write_seq=event.seq)
    never_started = call.started_at is None
    s = with_call(s, call, phase=Phase.ENDED, result=result)
    if call.claim in s.taken:
        s = copy_with(s, taken={key: value for key, value in s.taken.items() if key != call.claim})
    if call.id in s.full:
        s = copy_with(s, full={id_: full for id_, full in s.full.items() if id_ != call.id})
    if p["status"] != "unknown" and s.used.meters:
        s = copy_with(s, used=_settle_meters(s.used, call, happened=p["status"] == "ok"))
    if p["status"] == "ok":
        entry = {"input": call.input, "output": p["output"], "at": event.at}
        s = copy_with(s, succeeded=appended(s.succeeded, call.name, entry), seen=appended(s.seen, call.name, entry))
    if never_started and not p["reused"]:
        s = copy_with(s, used=with_count(s, call.name, -1))
    if call.effect is WRITE and not never_started:
        s = copy_with(s, write_seq=event.seq)
    if p["repair"]:
        s = copy_with(s, used=copy_with(s.used, repairs=s.used.repairs + 1))
    return s


def _settle_meters(used: Used, call: Call, *, happened: bool) -> Used:
    """The ledger when a call has ended: what it had reserved is spent, or given back."""
    meters = {
        name: metered.without(call.id, happened=happened) if call.id in metered.reserved else metered
        for name, metered in used.meters.items()
    }
    return copy_with(used, meters=meters)


# what every entry of a trace has
ENVELOPE = frozenset({"session_id", "seq", "step", "kind", "at"})


def _result_line(e: dict[str, Any]) -> str:
    shown = " ".join(f"{name}={short(value)}" for name, value in e.items() if name not in reserved_names())
    why = f" {e['reason']}" if e["reason"] else ""
    held = " (held)" if not e["final"] else ""
    said = f": {e['message']}" if e["message"] else ""
    return f"{e['tool']}: {e['status']}{why}{held}{' ' + shown if shown else ''}{said}"


_RESULT = Definition(
    K.TOOL_RESULT, ToolResultPayload, _result, _result_line, from_outside=True, unnamed=Holds.SUMMARY, projected=True
)


def reserved_names() -> frozenset[str]:
    """What an entry of a trace or a result has of its own: no field of a summary may be called so."""
    return ENVELOPE | _RESULT.fields.keys()


CALL_EVENTS = (
    Definition(
        K.CALL_PROPOSED, CallProposedPayload, _proposed, lambda e: f"{e['tool']} {short(e['input'], 200)}", detail=True
    ),
    Definition(K.GATE_PENDING, GatePendingPayload, _gating, _gating_line, detail=True),
    Definition(
        K.FACT_READ,
        FactReadPayload,
        _fact,
        lambda e: f"{e['tool']}: {e['problem'] or short(e['output'], 200)}",
        from_outside=True,
        detail=True,
    ),
    Definition(K.VERDICT, VerdictGivenPayload, _verdict, _verdict_line, projected=True),
    Definition(
        K.CALL_EDITED,
        CallEditedPayload,
        _edited,
        lambda e: f"{e['call_id']} edited by {e['by']}: {short(e['input'], 200)}",
        from_outside=True,
        others=True,
    ),
    Definition(
        K.CALL_OVER_BUDGET, CallOverBudgetPayload, _over_budget, lambda e: f"{e['tool']} waits for more of {e['limit']}"
    ),
    Definition(K.CALL_CANCELLED, CallCancelledPayload, _cancelled, lambda e: f"{e['tool']}: {e['reason']}"),
    _RESULT,
)
