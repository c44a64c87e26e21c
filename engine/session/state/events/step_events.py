"""The kinds of event of a step: its planner is asked, answers or fails, and the step ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, NotRequired, TypedDict

from engine.language.arithmetic import add, subtract
from engine.language.value import canonical
from engine.session.state.event import Event, EventKind
from engine.session.state.events.definition import ADDED, Definition, same, short
from engine.session.state.events.parts import ProposalPart, UsagePart, appended, result_entry
from engine.session.state.holds import H, Own, Words
from engine.session.state.persistent import copy_with
from engine.session.state.state import State, StepPhase


class StepStartedPayload(TypedDict):
    """A step began, under which bundle; on a `finishing` one no call runs any more."""

    number: Own[int]
    bundle: NotRequired[Annotated[str, H.OWN, ADDED]]
    finishing: NotRequired[Own[bool]]


def _step_started(state: State, payload: StepStartedPayload, event: Event) -> State:
    used = copy_with(state.used, steps=state.used.steps + 1, step_active=timedelta(0))
    turn = payload["number"] if state.unseen else state.turn_step
    resulted = {} if state.unseen else state.resulted
    return copy_with(
        state,
        step=payload["number"],
        step_phase=StepPhase.PLANNING,
        asks=state.asks + 1,
        unseen=0,
        turn_step=turn,
        used=used,
        resulted=resulted,
        news=False,
        finishing=payload.get("finishing", False),
        told_seq=event.seq,
    )


class QuestionReservedPayload(TypedDict):
    """The tokens and the cost that a question may take count from before it is asked."""

    ask: Own[int]
    tokens: Own[int]
    cost_usd: Own[Any]


def _question_reserved(state: State, payload: QuestionReservedPayload, event: Event) -> State:
    return _with_model_use(copy_with(state, reserved=payload), payload["tokens"], payload["cost_usd"])


class DecisionRecordedPayload(TypedDict):
    """The planner proposed: what to tell the customer, which calls to make, and whether it is done."""

    message: Words[str]
    tool_calls: Annotated[list[ProposalPart], H.CALLS]
    done: Own[bool]
    ask: Own[int]
    usage: NotRequired[Own[UsagePart]]
    proposed: NotRequired[Own[int]]


def _decided(state: State, payload: DecisionRecordedPayload, event: Event) -> State:
    decision = {"message": payload["message"], "tool_calls": payload["tool_calls"], "done": payload["done"]}
    return copy_with(
        _spent(state, payload.get("usage")), decision=decision, step_phase=StepPhase.ACTING, problems=(), proposal=None
    )


def _decided_line(entry: dict[str, Any]) -> str:
    calls = ", ".join(call["name"] for call in entry["tool_calls"])
    return " ".join(part for part in (short(entry["message"], 300), f"-> {calls}" if calls else "") if part)


class DecisionProposedPayload(TypedDict):
    """A client proposed, having read up to the event `after`; whoever drives the session takes it in."""

    request_id: Own[str]
    after: Own[int]
    by: Words[str]
    message: Words[str]
    tool_calls: Annotated[list[ProposalPart], H.CALLS]
    done: Own[bool]
    usage: NotRequired[Own[UsagePart]]


def _proposed(state: State, payload: DecisionProposedPayload, event: Event) -> State:
    request = replace(state.requests[payload["request_id"]], answered={"action": "propose", "by": payload["by"]})
    # it has read what the customer said meanwhile: no further step has to tell it
    turn = {"unseen": 0, "turn_step": state.step, "resulted": {}} if state.unseen else {}
    proposal = {**payload, "seq": event.seq}
    return copy_with(state, requests=state.requests.with_item(request.id, request), proposal=proposal, **turn)


def _proposed_line(entry: dict[str, Any]) -> str:
    return f"by {entry['by']}: {_decided_line(entry)}"


class DecisionRejectedPayload(TypedDict):
    """What the planner answered is no decision, and why; nobody knows what the parts of it were to be."""

    problems: Annotated[list[str], H.LINES]
    raw: Annotated[str, H.WHOLE]
    usage: NotRequired[Own[UsagePart]]


class PlannerFailedPayload(TypedDict):
    """The planner had no answer."""

    problems: Words[list[str]]
    usage: NotRequired[Own[UsagePart]]


def _rejected(state: State, payload: DecisionRejectedPayload | PlannerFailedPayload, event: Event) -> State:
    state = _spent(state, payload.get("usage"))
    return copy_with(
        state,
        problems=tuple(payload["problems"]),
        asks=state.asks + 1,
        used=copy_with(state.used, repairs=state.used.repairs + 1),
        proposal=None,
        told_seq=event.seq,
    )


class ModelCalledPayload(TypedDict):
    """One request to a model's server, whatever came of it; `cost_usd` is null where the model has no price."""

    planner: Own[str]
    model: Words[str]
    status: Own[str]
    attempt: Own[int]
    prompt_digest: Own[str]
    request_id: Words[str | None]
    tokens_in: Own[int]
    tokens_out: Own[int]
    cost_usd: Own[Any]
    seconds: Own[Any]
    finish_reason: Words[str | None]
    message: Words[str]
    retry_in: Own[Any]
    cached: NotRequired[Annotated[int, H.OWN, ADDED]]
    cache_write: NotRequired[Annotated[int, H.OWN, ADDED]]
    repairs: NotRequired[Annotated[list[str], H.WORDS, ADDED]]


def _model_line(entry: dict[str, Any]) -> str:
    cost = "" if entry["cost_usd"] is None else f", {canonical(entry['cost_usd'])} USD"
    again = "" if entry["retry_in"] is None else f"; again in {canonical(entry['retry_in'])} s"
    said = f": {short(entry['message'], 200)}" if entry["message"] else ""
    tokens = f"{entry['tokens_in']} + {entry['tokens_out']} tokens"
    return f"{entry['model']} {entry['status']} ({tokens}{cost}, {canonical(entry['seconds'])} s){said}{again}"


class PlannerFellBackPayload(TypedDict):
    """A planner had nothing to propose, and the next one of the chain was asked."""

    planner: Own[str]
    to: Own[str]
    reason: Words[str]


class StepEndedPayload(TypedDict):
    """A step is over, and why."""

    reason: Own[str]


def _step_ended(state: State, payload: StepEndedPayload, event: Event) -> State:
    ended = [call for call in state.calls.open.values() if call.ended]
    resulted = state.resulted
    for call in ended:
        resulted = appended(resulted, call.name, result_entry(call))
    calls = state.calls.settled(call.id for call in ended)
    over = [r.id for r in state.requests.open.values() if not r.open and (r.call_id is None or calls[r.call_id].ended)]
    return copy_with(
        state,
        step_phase=StepPhase.IDLE,
        crossed=state.crossed - {"step_time"},
        calls=calls,
        resulted=resulted,
        requests=state.requests.settled(over),
    )


def _spent(state: State, usage: UsagePart | None) -> State:
    """What a question took, instead of what was reserved for it."""
    if not usage and state.reserved is None:
        return state
    took = usage or {"tokens": 0, "cost_usd": 0}
    held = state.reserved or {"tokens": 0, "cost_usd": 0}
    state = _with_model_use(state, took["tokens"] - held["tokens"], subtract(took["cost_usd"], held["cost_usd"]))
    return copy_with(state, reserved=None)


def _with_model_use(state: State, tokens: int, cost: Any) -> State:
    if not tokens and not cost:
        return state
    used = state.used
    return copy_with(
        state,
        used=copy_with(used, model_tokens=used.model_tokens + tokens, model_cost_usd=add(used.model_cost_usd, cost)),
    )


def _problems_line(entry: dict[str, Any]) -> str:
    return "; ".join(entry["problems"])


STEP_EVENTS = (
    Definition(EventKind.STEP_STARTED, StepStartedPayload, _step_started, lambda e: f"step {e['number']}", detail=True),
    Definition(
        EventKind.QUESTION_RESERVED,
        QuestionReservedPayload,
        _question_reserved,
        lambda e: f"{e['tokens']} tokens and {canonical(e['cost_usd'])} USD are set aside to ask",
        detail=True,
    ),
    Definition(EventKind.DECISION_RECORDED, DecisionRecordedPayload, _decided, _decided_line, from_outside=True),
    Definition(
        EventKind.DECISION_PROPOSED,
        DecisionProposedPayload,
        _proposed,
        _proposed_line,
        from_outside=True,
        others=True,
        projected=True,
    ),
    Definition(EventKind.DECISION_REJECTED, DecisionRejectedPayload, _rejected, _problems_line, from_outside=True),
    Definition(EventKind.PLANNER_FAILED, PlannerFailedPayload, _rejected, _problems_line, from_outside=True),
    Definition(EventKind.MODEL_CALLED, ModelCalledPayload, same, _model_line, from_outside=True),
    Definition(
        EventKind.PLANNER_FELL_BACK,
        PlannerFellBackPayload,
        same,
        lambda e: f"planner {e['planner']} has no answer ({e['reason']}): {e['to']} is asked",
        from_outside=True,
    ),
    Definition(
        EventKind.STEP_ENDED, StepEndedPayload, _step_ended, lambda e: e["reason"].replace("_", " "), detail=True
    ),
)
