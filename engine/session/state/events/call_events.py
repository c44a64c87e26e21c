"""The kinds of event of a call, from a proposal to its result."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from engine.session.shared_meters import is_meter
from engine.session.state.event import Event, EventKind
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


def _proposed(state: State, payload: CallProposedPayload, event: Event) -> State:
    call = Call(
        id=payload["call_id"],
        name=payload["tool"],
        input=payload["input"],
        step=event.step,
        effect=_EFFECTS[payload["effect"]],
        proposed_at=event.at,
        digest=payload["digest"],
        key=payload["key"],
        scope=payload["scope"],
        proposed=payload["digest"],
    )
    return copy_with(state, calls=state.calls.with_item(call.id, call), used=with_count(state, call.name, 1))


class GatePendingPayload(TypedDict):
    """A call waits: for facts that its rules read, or `behind` something else."""

    call_id: Own[str]
    tool: Own[str]
    facts: Annotated[list[FactPart], H.FACTS]
    behind: Own[str | None]


def _gating(state: State, payload: GatePendingPayload, event: Event) -> State:
    call = state.calls[payload["call_id"]]
    reads = sum(1 for fact in payload["facts"] if fact["read"])
    used = copy_with(state.used, fact_reads=state.used.fact_reads + reads)
    phase = Phase.GATING if payload["facts"] else call.phase
    gate = call.gate_seq if call.phase is Phase.GATING and call.gate_seq else event.seq
    return copy_with(
        with_call(state, call, phase=phase, gate_seq=gate, wants=tuple(payload["facts"]), short_of=""), used=used
    )


def _gating_line(entry: dict[str, Any]) -> str:
    if entry["behind"]:
        return f"{entry['tool']} waits: {entry['behind'].replace('_', ' ')}"
    return f"{entry['tool']} waits for facts: {', '.join(sorted({fact['fact'] for fact in entry['facts']}))}"


class FactReadPayload(TypedDict):
    """A fact that rules read came, or can't be read (`problem`); `gate` is the event that asked for it."""

    key: Annotated[str, H.FACT_KEY]
    tool: Own[str]
    input: Input
    output: Output
    problem: Report[str | None]
    gate: Own[int]
    started: Own[str | None]


def _fact(state: State, payload: FactReadPayload, event: Event) -> State:
    reading = FactReading(payload["output"], payload["problem"], event.seq, payload["gate"], event.at)
    if payload["problem"] is None and not is_meter(payload["tool"]):
        entry = {"input": payload["input"], "output": payload["output"], "at": event.at}
        state = copy_with(state, seen=appended(state.seen, payload["tool"], entry))
    return copy_with(state, readings={**state.readings, payload["key"]: reading})


class VerdictGivenPayload(TypedDict):
    """The rules judged a call: what they say, by which rule, and what each saw.

    `demands` tells of the rules that ask which need several people, or people who answer for nothing else, and `names`
    of those that ask people of a group by name.
    """

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
    demands: NotRequired[Own[dict[str, Any]]]
    names: NotRequired[Annotated[dict[str, Any], H.PEOPLE]]
    job: NotRequired[Own[bool]]
    beside: NotRequired[Annotated[list[dict[str, Any]], H.TRACES]]


def _verdict(state: State, payload: VerdictGivenPayload, event: Event) -> State:
    call = state.calls[payload["call_id"]]
    if payload["verdict"] == "require_approval" and not payload["satisfied"]:
        kept = tuple(yes for yes in call.approvals if yes.prior or (yes.edited and yes.digest == call.digest))
        # a job that is asked about goes back to the session, and is enqueued again behind the yes
        return with_call(
            state, call, phase=Phase.HELD, asked=payload, approvals=kept, wants=(), gate_seq=0, leased=0, short_of=""
        )
    # what waited for more of a limit is a proposal like any other once it is judged again
    phase = Phase.PROPOSED if call.phase is Phase.OVER_BUDGET else call.phase
    return with_call(state, call, phase=phase, wants=(), gate_seq=0, short_of="")


def _verdict_line(entry: dict[str, Any]) -> str:
    others = [name for name in entry["asks"] if name != entry["rule"]] if entry["verdict"] == "require_approval" else []
    rule = f" by {', '.join([entry['rule'], *others])}" if entry["rule"] else ""
    said = " (approved)" if entry["satisfied"] else ""
    return f"{entry['tool']}: {entry['verdict']}{rule}{said}"


class CallEditedPayload(TypedDict):
    """Who approves a call changed its input."""

    call_id: Own[str]
    by: Words[str]
    input: Input
    digest: Digest
    key: Annotated[str | None, H.KEY]


def _edited(state: State, payload: CallEditedPayload, event: Event) -> State:
    return with_call(
        state, state.calls[payload["call_id"]], input=payload["input"], digest=payload["digest"], key=payload["key"]
    )


class CallOverBudgetPayload(TypedDict):
    """A call waits for more of a limit."""

    call_id: Own[str]
    tool: Own[str]
    limit: Own[str]


def _over_budget(state: State, payload: CallOverBudgetPayload, event: Event) -> State:
    return with_call(
        state, state.calls[payload["call_id"]], phase=Phase.OVER_BUDGET, short_of=payload["limit"], wants=(), gate_seq=0
    )


class CallCancelledPayload(TypedDict):
    """A call that runs is to stop, and why."""

    call_id: Own[str]
    tool: Own[str]
    reason: Own[str]


def _cancelled(state: State, payload: CallCancelledPayload, event: Event) -> State:
    return with_call(state, state.calls[payload["call_id"]], cancelled=payload["reason"])


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


def _result(state: State, payload: ToolResultPayload, event: Event) -> State:
    call = state.calls[payload["call_id"]]
    if call.job:
        # of what nobody knows yet there is nothing to tell the planner: a person is asked first
        told = payload["final"] and (payload["status"] != "unknown" or payload["settled"])
        told_seq = event.seq if told else state.told_seq
        call, state = copy_with(call, leased=0), copy_with(state, news=state.news or told, told_seq=told_seq)
    result = Result(
        _STATUSES[payload["status"]],
        payload["reason"],
        payload["message"],
        payload["output"],
        payload["rule"],
        event.at,
    )
    if not payload["final"]:
        return with_call(state, call, result=result)
    if payload["status"] == "unknown" and not payload["settled"]:
        return copy_with(with_call(state, call, phase=Phase.PARKED, result=result), write_seq=event.seq)
    never_started = call.started_at is None
    state = with_call(state, call, phase=Phase.ENDED, result=result)
    if call.claim in state.taken:
        state = copy_with(state, taken={key: value for key, value in state.taken.items() if key != call.claim})
    if call.id in state.full:
        state = copy_with(state, full={id_: full for id_, full in state.full.items() if id_ != call.id})
    if payload["status"] != "unknown" and state.used.meters:
        state = copy_with(state, used=_settle_meters(state.used, call, happened=payload["status"] == "ok"))
    if payload["status"] == "ok":
        entry = {"input": call.input, "output": payload["output"], "at": event.at}
        state = copy_with(
            state, succeeded=appended(state.succeeded, call.name, entry), seen=appended(state.seen, call.name, entry)
        )
    if never_started and not payload["reused"]:
        state = copy_with(state, used=with_count(state, call.name, -1))
    if call.effect is WRITE and not never_started:
        state = copy_with(state, write_seq=event.seq)
    if payload["repair"]:
        state = copy_with(state, used=copy_with(state.used, repairs=state.used.repairs + 1))
    return state


def _settle_meters(used: Used, call: Call, *, happened: bool) -> Used:
    """The ledger when a call has ended: what it had reserved is spent, or given back."""
    meters = {
        name: metered.without(call.id, happened=happened) if call.id in metered.reserved else metered
        for name, metered in used.meters.items()
    }
    return copy_with(used, meters=meters)


# what every entry of a trace has
ENVELOPE = frozenset({"session_id", "seq", "step", "kind", "at"})


def _result_line(entry: dict[str, Any]) -> str:
    shown = " ".join(f"{name}={short(value)}" for name, value in entry.items() if name not in reserved_names())
    why = f" {entry['reason']}" if entry["reason"] else ""
    held = " (held)" if not entry["final"] else ""
    said = f": {entry['message']}" if entry["message"] else ""
    return f"{entry['tool']}: {entry['status']}{why}{held}{' ' + shown if shown else ''}{said}"


_RESULT = Definition(
    EventKind.TOOL_RESULT,
    ToolResultPayload,
    _result,
    _result_line,
    from_outside=True,
    unnamed=Holds.SUMMARY,
    projected=True,
)


def reserved_names() -> frozenset[str]:
    """What an entry of a trace or a result has of its own: no field of a summary may be called so."""
    return ENVELOPE | _RESULT.fields.keys()


CALL_EVENTS = (
    Definition(
        EventKind.CALL_PROPOSED,
        CallProposedPayload,
        _proposed,
        lambda e: f"{e['tool']} {short(e['input'], 200)}",
        detail=True,
    ),
    Definition(EventKind.GATE_PENDING, GatePendingPayload, _gating, _gating_line, detail=True),
    Definition(
        EventKind.FACT_READ,
        FactReadPayload,
        _fact,
        lambda e: f"{e['tool']}: {e['problem'] or short(e['output'], 200)}",
        from_outside=True,
        detail=True,
    ),
    Definition(EventKind.VERDICT, VerdictGivenPayload, _verdict, _verdict_line, projected=True),
    Definition(
        EventKind.CALL_EDITED,
        CallEditedPayload,
        _edited,
        lambda e: f"{e['call_id']} edited by {e['by']}: {short(e['input'], 200)}",
        from_outside=True,
        others=True,
    ),
    Definition(
        EventKind.CALL_OVER_BUDGET,
        CallOverBudgetPayload,
        _over_budget,
        lambda e: f"{e['tool']} waits for more of {e['limit']}",
    ),
    Definition(EventKind.CALL_CANCELLED, CallCancelledPayload, _cancelled, lambda e: f"{e['tool']}: {e['reason']}"),
    _RESULT,
)
