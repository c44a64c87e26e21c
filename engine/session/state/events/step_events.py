"""The kinds of event of a step: its planner is asked, answers or fails, and the step ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, NotRequired, TypedDict

from engine.language.arithmetic import add, subtract
from engine.language.value import canonical
from engine.session.state.event import Event
from engine.session.state.event import EventKind as K
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


def _step_started(s: State, p: StepStartedPayload, event: Event) -> State:
    used = copy_with(s.used, steps=s.used.steps + 1, step_active=timedelta(0))
    turn = p["number"] if s.unseen else s.turn_step
    resulted = {} if s.unseen else s.resulted
    return copy_with(
        s,
        step=p["number"],
        step_phase=StepPhase.PLANNING,
        asks=s.asks + 1,
        unseen=0,
        turn_step=turn,
        used=used,
        resulted=resulted,
        news=False,
        finishing=p.get("finishing", False),
        told_seq=event.seq,
    )


class QuestionReservedPayload(TypedDict):
    """The tokens and the cost that a question may take count from before it is asked."""

    ask: Own[int]
    tokens: Own[int]
    cost_usd: Own[Any]


def _question_reserved(s: State, p: QuestionReservedPayload, event: Event) -> State:
    return _with_model_use(copy_with(s, reserved=p), p["tokens"], p["cost_usd"])


class DecisionRecordedPayload(TypedDict):
    """The planner proposed: what to tell the customer, which calls to make, and whether it is done."""

    message: Words[str]
    tool_calls: Annotated[list[ProposalPart], H.CALLS]
    done: Own[bool]
    ask: Own[int]
    usage: NotRequired[Own[UsagePart]]
    proposed: NotRequired[Own[int]]


def _decided(s: State, p: DecisionRecordedPayload, event: Event) -> State:
    decision = {"message": p["message"], "tool_calls": p["tool_calls"], "done": p["done"]}
    return copy_with(
        _spent(s, p.get("usage")), decision=decision, step_phase=StepPhase.ACTING, problems=(), proposal=None
    )


def _decided_line(e: dict[str, Any]) -> str:
    calls = ", ".join(call["name"] for call in e["tool_calls"])
    return " ".join(part for part in (short(e["message"], 300), f"-> {calls}" if calls else "") if part)


class DecisionProposedPayload(TypedDict):
    """A client proposed, having read up to the event `after`; whoever drives the session takes it in."""

    request_id: Own[str]
    after: Own[int]
    by: Words[str]
    message: Words[str]
    tool_calls: Annotated[list[ProposalPart], H.CALLS]
    done: Own[bool]
    usage: NotRequired[Own[UsagePart]]


def _proposed(s: State, p: DecisionProposedPayload, event: Event) -> State:
    request = replace(s.requests[p["request_id"]], answered={"action": "propose", "by": p["by"]})
    # it has read what the customer said meanwhile: no further step has to tell it
    turn = {"unseen": 0, "turn_step": s.step, "resulted": {}} if s.unseen else {}
    proposal = {**p, "seq": event.seq}
    return copy_with(s, requests=s.requests.with_item(request.id, request), proposal=proposal, **turn)


def _proposed_line(e: dict[str, Any]) -> str:
    return f"by {e['by']}: {_decided_line(e)}"


class DecisionRejectedPayload(TypedDict):
    """What the planner answered is no decision, and why; nobody knows what the parts of it were to be."""

    problems: Annotated[list[str], H.LINES]
    raw: Annotated[str, H.WHOLE]
    usage: NotRequired[Own[UsagePart]]


class PlannerFailedPayload(TypedDict):
    """The planner had no answer."""

    problems: Words[list[str]]
    usage: NotRequired[Own[UsagePart]]


def _rejected(s: State, p: DecisionRejectedPayload | PlannerFailedPayload, event: Event) -> State:
    s = _spent(s, p.get("usage"))
    return copy_with(
        s,
        problems=tuple(p["problems"]),
        asks=s.asks + 1,
        used=copy_with(s.used, repairs=s.used.repairs + 1),
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


def _model_line(e: dict[str, Any]) -> str:
    cost = "" if e["cost_usd"] is None else f", {canonical(e['cost_usd'])} USD"
    again = "" if e["retry_in"] is None else f"; again in {canonical(e['retry_in'])} s"
    said = f": {short(e['message'], 200)}" if e["message"] else ""
    tokens = f"{e['tokens_in']} + {e['tokens_out']} tokens"
    return f"{e['model']} {e['status']} ({tokens}{cost}, {canonical(e['seconds'])} s){said}{again}"


class PlannerFellBackPayload(TypedDict):
    """A planner had nothing to propose, and the next one of the chain was asked."""

    planner: Own[str]
    to: Own[str]
    reason: Words[str]


class StepEndedPayload(TypedDict):
    """A step is over, and why."""

    reason: Own[str]


def _step_ended(s: State, p: StepEndedPayload, event: Event) -> State:
    ended = [call for call in s.calls.open.values() if call.ended]
    resulted = s.resulted
    for call in ended:
        resulted = appended(resulted, call.name, result_entry(call))
    calls = s.calls.settled(call.id for call in ended)
    over = [r.id for r in s.requests.open.values() if not r.open and (r.call_id is None or calls[r.call_id].ended)]
    return copy_with(
        s,
        step_phase=StepPhase.IDLE,
        crossed=s.crossed - {"step_time"},
        calls=calls,
        resulted=resulted,
        requests=s.requests.settled(over),
    )


def _spent(s: State, usage: UsagePart | None) -> State:
    """What a question took, instead of what was reserved for it."""
    if not usage and s.reserved is None:
        return s
    took = usage or {"tokens": 0, "cost_usd": 0}
    held = s.reserved or {"tokens": 0, "cost_usd": 0}
    s = _with_model_use(s, took["tokens"] - held["tokens"], subtract(took["cost_usd"], held["cost_usd"]))
    return copy_with(s, reserved=None)


def _with_model_use(s: State, tokens: int, cost: Any) -> State:
    if not tokens and not cost:
        return s
    used = s.used
    return copy_with(
        s, used=copy_with(used, model_tokens=used.model_tokens + tokens, model_cost_usd=add(used.model_cost_usd, cost))
    )


def _problems_line(e: dict[str, Any]) -> str:
    return "; ".join(e["problems"])


STEP_EVENTS = (
    Definition(K.STEP_STARTED, StepStartedPayload, _step_started, lambda e: f"step {e['number']}", detail=True),
    Definition(
        K.QUESTION_RESERVED,
        QuestionReservedPayload,
        _question_reserved,
        lambda e: f"{e['tokens']} tokens and {canonical(e['cost_usd'])} USD are set aside to ask",
        detail=True,
    ),
    Definition(K.DECISION_RECORDED, DecisionRecordedPayload, _decided, _decided_line, from_outside=True),
    Definition(
        K.DECISION_PROPOSED,
        DecisionProposedPayload,
        _proposed,
        _proposed_line,
        from_outside=True,
        others=True,
        projected=True,
    ),
    Definition(K.DECISION_REJECTED, DecisionRejectedPayload, _rejected, _problems_line, from_outside=True),
    Definition(K.PLANNER_FAILED, PlannerFailedPayload, _rejected, _problems_line, from_outside=True),
    Definition(K.MODEL_CALLED, ModelCalledPayload, same, _model_line, from_outside=True),
    Definition(
        K.PLANNER_FELL_BACK,
        PlannerFellBackPayload,
        same,
        lambda e: f"planner {e['planner']} has no answer ({e['reason']}): {e['to']} is asked",
        from_outside=True,
    ),
    Definition(K.STEP_ENDED, StepEndedPayload, _step_ended, lambda e: e["reason"].replace("_", " "), detail=True),
)
