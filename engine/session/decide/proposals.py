"""What a planner's answer means: a decision within the contract, one that is rejected, or none at all."""

from __future__ import annotations

import reprlib
from dataclasses import asdict
from typing import Any

from engine.language.value import NotJson, canonical_of_exact, exact
from engine.session.decide.budgets import block_by_limit
from engine.session.decide.draft import Draft
from engine.session.handles import handles_of, inert, place_of_handle
from engine.session.identity import call_digest, call_key, key_scope
from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.state import Call, ResultStatus, Status, StepPhase, Used
from engine.session.wire_models import Decision, ToolCall, read_decision
from engine.spec.bundle import ToolEffect
from engine.spec.limits import Limits
from engine.spec.planner_spec import Usage

# calls as they are taken in, each with what is wrong with it already
Proposals = list[tuple[ToolCall, str]]


def planned(draft: Draft, reply: inputs.PlannerAnswered) -> None:
    """Record what was proposed, and take its calls in."""
    _noted(draft, reply.notes)
    s = draft.state
    if reply.ask != s.asks or s.step_phase is not StepPhase.PLANNING or s.ending:
        return
    decision, problems = read_proposal(draft, reply.raw)
    if decision is None:
        draft.emit(EventKind.DECISION_REJECTED, problems=problems, raw=_excerpt(reply.raw), **used(reply.usage))
        return
    take_in_decision(draft, decision, **used(reply.usage))


def read_proposal(draft: Draft, raw: Any) -> tuple[Decision | None, list[str]]:
    """The decision, or what is wrong with it."""
    decision, problems = read_decision(raw)
    if decision is not None:
        problems = [f"call id `{c.id}` was used before" for c in decision.tool_calls if c.id in draft.state.calls]
    return (None if problems else decision), problems


def take_in_decision(draft: Draft, decision: Decision, **more: Any) -> None:
    """Record a decision, and take its calls in."""
    proposed = _resolved(draft, decision)
    draft.emit(
        EventKind.DECISION_RECORDED,
        message=decision.message if draft.agent.seal is None else inert(decision.message),
        tool_calls=_parts(proposed),
        done=decision.done,
        ask=draft.state.asks,
        **more,
    )
    _propose(draft, proposed)


def _parts(proposed: Proposals) -> list[dict[str, Any]]:
    return [{"id": c.id, "name": c.name, "input": c.input} for c, _ in proposed]


def _resolved(draft: Draft, decision: Decision) -> Proposals:
    """The calls with the values that their handles stand for, before anything else looks at them."""
    handles = (
        handles_of(draft.state, draft.bundle) if any(place_of_handle(c.input) for c in decision.tool_calls) else None
    )
    found: Proposals = []
    for proposed in decision.tool_calls:
        tool = draft.bundle.tools.get(proposed.name)
        if handles is None or tool is None:
            found.append((proposed, ""))
            continue
        input_, problem = handles.resolved(proposed.input, tool.input_schema)
        found.append((proposed.model_copy(update={"input": input_}), problem))
    return found


def planner_failed(draft: Draft, reply: inputs.PlannerFailed) -> None:
    """Record that nothing was proposed, and end the session where asking again is no use."""
    _noted(draft, reply.notes)
    if reply.ask != draft.state.asks or draft.state.step_phase is not StepPhase.PLANNING:
        return
    draft.emit(EventKind.PLANNER_FAILED, problems=[reply.problem], **used(reply.usage))
    if reply.final and not draft.state.ending:
        draft.emit(EventKind.SESSION_ENDING, state=Status.FAILED.value, reason="planner_unavailable")


def _noted(draft: Draft, notes: tuple[inputs.Note, ...]) -> None:
    """How a planner came to its answer: each request to a model, and each step to the next planner."""
    for note in notes:
        draft.emit(
            EventKind.MODEL_CALLED if isinstance(note, inputs.ModelCall) else EventKind.PLANNER_FELL_BACK,
            **_payload(note),
        )


def _payload(note: inputs.Note) -> dict[str, Any]:
    """A note as JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(note).items()}


def used(usage: Usage) -> dict[str, Any]:
    """What a question took, as a part of a payload."""
    return {"usage": usage.payload()} if usage else {}


def _excerpt(raw: Any) -> str:
    try:
        text = canonical_of_exact(exact(raw))
    except NotJson:
        text = reprlib.repr(raw)
    return text[:2000]


def _propose(draft: Draft, proposals: Proposals) -> None:
    """Take each call in, in the planner's order: known, well-formed and within the limits, or blocked."""
    repaired = False
    taken_in = 0
    for proposed, problem in proposals:
        call, problem = _take_in(draft, proposed, problem)
        if problem:
            draft.result(call, ResultStatus.BLOCKED, "invalid_input", problem, repair=not repaired)
            repaired = True
            continue
        if draft.state.finishing:
            draft.result(call, ResultStatus.BLOCKED, "finishing", "this is the last turn: no call runs any more")
            continue
        crossed = crossed_limit(draft.state.limits, draft.state.used, call.name, taken_in)
        if crossed is None:
            taken_in += 1
            continue
        limit, used, allowed = crossed
        crossing = draft.state.limits.crossed_by(limit)
        draft.emit(EventKind.LIMIT_CROSSED, limit=limit, used=used, allowed=allowed, crossing=crossing, tool=call.name)
        block_by_limit(draft, call, limit, "limit_of_calls", f"the limit {limit} of {allowed} is used up")


def _take_in(draft: Draft, proposed: ToolCall, problem: str) -> tuple[Call, str]:
    """The call that a proposal becomes, and what is wrong with it: `problem`, if anything was before."""
    tool = draft.tool(proposed.name) if proposed.name in draft.agent.tools else None
    key: str | None = None
    if tool is None:
        problem = (
            f"tool `{proposed.name}` is not among this agent's tools: {', '.join(draft.agent.tools) or 'it has none'}"
        )
    elif not problem:
        problem = "; ".join(tool.check_input(proposed.input))
        if not problem:
            key, problem = call_key(draft.state, tool, proposed.input)
    draft.emit(
        EventKind.CALL_PROPOSED,
        call_id=proposed.id,
        tool=proposed.name,
        input=proposed.input,
        effect=(tool.effect if tool else ToolEffect.UNKNOWN).value,
        digest=call_digest(tool, proposed.name, proposed.input),
        key=key,
        scope=key_scope(draft.state, tool) if tool and key else None,
    )
    return draft.state.calls[proposed.id], problem


def crossed_limit(limits: Limits, used: Used, tool: str, taken_in: int) -> tuple[str, int, int] | None:
    """The first limit that a call is beyond which counts already, with what was used before it and what is allowed."""
    checks = (
        ("calls_per_step", taken_in + 1, limits.calls_per_step),
        ("calls_per_tool", used.calls_per_tool.get(tool, 0), limits.per_tool(tool)),
        ("calls", used.calls, limits.calls),
    )
    for name, count, limit in checks:
        if limit is not None and count > limit:
            return name, count - 1, limit
    return None
