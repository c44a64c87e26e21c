"""`decide`: what an answer from outside means, as events.

A reply is recorded first, then everything that follows from the new state (see `moves`).  What people
send (a message, an answer, a cancel) is only recorded: whoever drives the session draws the conclusions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.language.value import NotJson, canonical_of_exact, exact, timestamp, whole_text
from engine.policy.gate import FactNeed, FactOutput, withheld
from engine.session.decide.answers import answer
from engine.session.decide.client_planner import propose
from engine.session.decide.comments import comment
from engine.session.decide.draft import Draft, OverlayBundles
from engine.session.decide.gate_calls import beside_guards
from engine.session.decide.jobs import discard, job_draft, retry
from engine.session.decide.proposals import planned, planner_failed
from engine.session.decide.retries import try_again
from engine.session.decide.settle_delay import take_back
from engine.session.decide.transitions import advance, end_cancelled
from engine.session.decide.uncertain import is_probe, mark_uncertain, probe_request, probed
from engine.session.expression_names import gate_names
from engine.session.handles import place_of_handle
from engine.session.identity import call_digest
from engine.session.shared_meters import checked_reading, is_meter
from engine.session.state import inputs
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import evolve
from engine.session.state.pending import wake_at
from engine.session.state.state import Call, Phase, ResultStatus, State
from engine.spec.bundle import READ, WRITE, Bundle, Tool
from engine.spec.retry import FailureKind

MAX_OUTPUT = 1_000_000
MAX_NAME = 1_000

WITHHELD = "the result is not for this session"


def begin(reply: inputs.SessionRequested, bundle: Bundle) -> tuple[Event, ...] | inputs.InputRefused:
    """The first events of a session, or why it can't start."""
    d = begin_draft(reply, bundle)
    return d if isinstance(d, inputs.InputRefused) else tuple(d.events)


def begin_draft(reply: inputs.SessionRequested, bundle: Bundle) -> Draft | inputs.InputRefused:
    """The same, with the state that they lead to, so that nobody has to fold them again."""
    agent = bundle.agents[reply.agent]
    problems = agent.check_attributes(reply.attributes)
    if agent.seal is not None and (path := place_of_handle(reply.attributes)):
        problems = [*problems, f"`{path}`: a handle is no value"]
    if problems:
        return inputs.InputRefused("invalid_attributes", "; ".join(problems))
    payload = {
        "agent": agent.name,
        "planner": reply.planner,
        **({"fallback": list(reply.fallback)} if reply.fallback else {}),
        "bundle": bundle.digest,
        "root": reply.root,
        "attributes": dict(reply.attributes),
        "started_by": reply.started_by,
        "limits": agent.limits.payload(),
        **({"handle_key": reply.handle_key} if reply.handle_key else {}),
        **({"environment": dict(reply.environment)} if reply.environment else {}),
        **({"stands_for": list(reply.stands_for)} if reply.stands_for else {}),
    }
    first = Event(reply.session_id, 1, 0, EventKind.SESSION_STARTED, payload, reply.at)
    d = Draft(evolve(None, first), bundle, reply.at)
    d.events.append(first)
    d.emit(EventKind.MESSAGE_RECEIVED, text=whole_text(reply.message))
    return d


def decide(
    state: State, reply: inputs.Input, bundle: Bundle, overlays: OverlayBundles = ()
) -> tuple[Event, ...] | inputs.InputRefused:
    """The events that a reply leads to; none where it comes too late to matter, Refused where it may not be."""
    d = decide_draft(state, reply, bundle, overlays)
    return d if isinstance(d, inputs.InputRefused) else tuple(d.events)


def decide_job_draft(
    state: State, call_id: str, reply: inputs.Input, bundle: Bundle, overlays: OverlayBundles = ()
) -> Draft:
    """What a reply to a worker's effect means for the one call that it has leased."""
    return job_draft(state, call_id, reply, Draft(state, bundle, reply.at, overlays), _RECORD)


def decide_draft(
    state: State, reply: inputs.Input, bundle: Bundle, overlays: OverlayBundles = ()
) -> Draft | inputs.InputRefused:
    """The same, with the state that the events lead to, so that nobody has to fold them again."""
    d = Draft(state, bundle, reply.at, overlays)
    if type(reply) in _FROM_PEOPLE:
        if wrong := _no_text(reply):
            return inputs.InputRefused("not_text", wrong)
        refused = _FROM_PEOPLE[type(reply)](d, reply)
        return refused or d
    if state.final:
        return d
    _RECORD[type(reply)](d, reply)
    if not isinstance(reply, inputs.KeyTaken | inputs.KeyExpired | inputs.MeterFull | inputs.SessionReleased):
        advance(d)
    return d


def _no_text(reply: inputs.Input) -> str:
    """What of what somebody sends is no text where it has to be one."""
    for name in ("by", "note", "text", "tool"):
        value = getattr(reply, name, "")
        if not isinstance(value, str):
            return f"`{name}` must be text"
        if name == "by" and len(value) > MAX_NAME:
            return f"`by` must be a name of at most {MAX_NAME} characters"
    return ""


# -- from the driver


def _claimed(draft: Draft, reply: inputs.SessionClaimed) -> None:
    draft.emit(EventKind.SESSION_CLAIMED, owner=reply.owner, epoch=reply.epoch)


def _released(draft: Draft, reply: inputs.SessionReleased) -> None:
    draft.emit(EventKind.SESSION_RELEASED, owner=reply.owner)


def _tick(draft: Draft, reply: inputs.TimePassed) -> None:
    due = wake_at(draft.state)
    if due is not None and due <= draft.at:
        draft.emit(EventKind.SESSION_WOKEN)


def _key_taken(draft: Draft, reply: inputs.KeyTaken) -> None:
    draft.emit(
        EventKind.KEY_TAKEN,
        key=reply.key,
        status=reply.status,
        output=reply.output,
        holder=reply.holder,
        compared=reply.compared,
    )


def _key_expired(draft: Draft, reply: inputs.KeyExpired) -> None:
    draft.emit(EventKind.KEY_EXPIRED, key=reply.key, generation=reply.generation)


def _meter_full(draft: Draft, reply: inputs.MeterFull) -> None:
    draft.emit(EventKind.METER_FULL, call_id=reply.call_id, meter=reply.meter, used=reply.used, limit=reply.limit)


# -- from tools and facts


def _tool_returned(draft: Draft, reply: inputs.ToolReturned) -> None:
    call = _live(draft, reply.call_id, reply.attempt)
    if call is None:
        return
    tool = draft.tool(call.name)
    output, problems = checked_output(tool, reply.output)
    kept = None
    if not problems:
        names = gate_names(draft.state, call, draft.bundle)
        kept = withheld(draft.agent.guards[call.name], names, output, lambda need: _read(draft, need))
        for other in beside_guards(draft, call):
            kept = kept or withheld(other, names, output, lambda need: _read(draft, need))
    if kept is not None:
        # the same text whatever the rule found, or could not judge: it would tell of what is withheld
        draft.result(call, ResultStatus.BLOCKED, "result_withheld", WITHHELD, rule=kept.rule)
    elif not problems:
        draft.result(call, ResultStatus.OK, output=output, mark=reply.mark)
    elif call.effect is WRITE:
        mark_uncertain(draft, call, "invalid_output", problems)
    else:
        draft.result(call, ResultStatus.TERMINAL_ERROR, "invalid_output", problems)
        _cancel_siblings(draft, call, tool)


def _read(draft: Draft, need: FactNeed) -> FactOutput | None:
    """A fact as the gate of the running call left it."""
    reading = draft.state.readings.get(need.key)
    return None if reading is None else FactOutput(reading.output, reading.problem)


def checked_output(tool: Tool, raw: Any) -> tuple[Any, str]:
    """A tool's output in exact form, and what is wrong with it."""
    try:
        output = exact(raw)
        if len(canonical_of_exact(output)) > MAX_OUTPUT:
            return None, f"the output is larger than {MAX_OUTPUT} characters"
    except NotJson as error:
        return None, f"the output is not JSON: {error}"
    return output, "; ".join(tool.check_output(output))


def _tool_failed(draft: Draft, reply: inputs.ToolFailed) -> None:
    call = _live(draft, reply.call_id, reply.attempt)
    if call is None:
        return
    tool = draft.tool(call.name)
    lost = call.effect is WRITE and reply.acted and reply.failure in (FailureKind.TIMEOUT, FailureKind.LOST)
    safe = call.effect is READ or not reply.acted or tool.honours_key
    if reply.failure is FailureKind.CANCELLED or (call.cancelled is not None and not reply.acted):
        said = reply.message if reply.failure is FailureKind.CANCELLED else ""
        end_cancelled(draft, call, acted=reply.acted, said=said)
    elif safe and try_again(draft, call, tool, reply, may_have_acted=lost):
        return
    elif lost or call.in_doubt:
        mark_uncertain(draft, call, reply.reason, reply.message)
        _cancel_siblings(draft, call, tool)
    else:
        status = ResultStatus.RETRYABLE_ERROR if reply.failure is FailureKind.RETRYABLE else ResultStatus.TERMINAL_ERROR
        draft.result(call, status, reply.reason, reply.message, mark=reply.mark)
        _cancel_siblings(draft, call, tool)


def _not_begun(draft: Draft, reply: inputs.ToolNotBegun) -> None:
    """Nothing happened: the call is judged again where another driver takes the session over."""
    call = _live(draft, reply.call_id, reply.attempt)
    if call is None:
        return
    if call.cancelled is not None or draft.state.ending:
        end_cancelled(draft, call, acted=False)
    else:
        draft.emit(
            EventKind.CALL_NOT_BEGUN,
            step=call.step,
            call_id=call.id,
            tool=call.name,
            attempt=call.attempt,
            problem=reply.problem,
        )


def _live(draft: Draft, call_id: str, attempt: int) -> Call | None:
    call = draft.state.calls.get(call_id)
    if call is None or call.phase is not Phase.STARTED or call.attempt != attempt:
        return None
    # a job's worker is fenced by the store
    return call if call.job or call.epoch == draft.state.epoch else None


def _cancel_siblings(draft: Draft, failed: Call, tool: Tool) -> None:
    """A call that others make no sense without has failed: the reads beside it are cancelled."""
    if tool.on_failure != "cancel_siblings":
        return
    for call in draft.state.step_calls():
        if call.id == failed.id or call.effect is WRITE:
            continue
        if call.phase is Phase.STARTED and call.cancelled is None:
            draft.emit(
                EventKind.CALL_CANCELLED, step=call.step, call_id=call.id, tool=call.name, reason="sibling_failed"
            )
        elif call.phase is Phase.RETRYING:
            draft.result(
                call,
                ResultStatus.TERMINAL_ERROR,
                "sibling_failed",
                f"{failed.name} failed, and this was to stop with it",
            )
        elif call.phase in (Phase.PROPOSED, Phase.GATING):
            draft.result(
                call, ResultStatus.BLOCKED, "sibling_failed", f"{failed.name} failed, and this was to stop with it"
            )


def _fact_returned(draft: Draft, reply: inputs.FactReturned) -> None:
    if is_probe(reply):
        call_id, name = probe_request(draft, reply.key)
        if name:
            output, wrong = checked_output(draft.tool(name), reply.output)
            probed(draft, call_id, draft.tool(name), reply.gate, None if wrong else output, wrong or None)
        return
    tool_name, input_ = _fact_request(draft, reply.key, reply.gate)
    output, problem = _checked_fact(draft, tool_name, reply.output)
    _record_fact(
        draft, reply.key, tool_name, input_, reply.gate, None if problem else output, problem or None, reply.started
    )


def _checked_fact(draft: Draft, tool: str, output: Any) -> tuple[Any, str]:
    if is_meter(tool):
        return checked_reading(output)
    return checked_output(draft.tool(tool), output) if tool else (None, "nobody asked for it")


def _fact_failed(draft: Draft, reply: inputs.FactFailed) -> None:
    if is_probe(reply):
        call_id, name = probe_request(draft, reply.key)
        if name:
            probed(draft, call_id, draft.tool(name), reply.gate, None, reply.problem)
        return
    tool_name, input_ = _fact_request(draft, reply.key, reply.gate)
    _record_fact(draft, reply.key, tool_name, input_, reply.gate, None, reply.problem, reply.started)


def _fact_request(draft: Draft, key: str, gate: int) -> tuple[str, Any]:
    for call in draft.state.calls.open.values():
        for want in call.wants if call.phase is Phase.GATING else ():
            if want["key"] == key and want["gate"] == gate:
                return want["tool"], want["input"]
    return "", None


def _record_fact(
    draft: Draft, key: str, tool: str, input_: Any, gate: int, output: Any, problem: str | None, started: Any
) -> None:
    if tool:
        draft.emit(
            EventKind.FACT_READ,
            key=key,
            tool=tool,
            input=input_,
            output=output,
            problem=problem,
            gate=gate,
            started=timestamp(started),
        )


# -- from people


def _message(draft: Draft, reply: inputs.MessageSent) -> inputs.InputRefused | None:
    if draft.state.final:
        return inputs.InputRefused("session_over", f"session {draft.state.session_id} is over ({draft.state.status})")
    if not reply.text.strip():
        return inputs.InputRefused("empty_message", "a message must say something")
    draft.emit(EventKind.MESSAGE_RECEIVED, text=whole_text(reply.text))
    return None


def _confirmed(draft: Draft, reply: inputs.ActionConfirmed) -> inputs.InputRefused | None:
    if draft.state.final:
        return inputs.InputRefused("session_over", f"session {draft.state.session_id} is over ({draft.state.status})")
    tool = draft.bundle.tools.get(reply.tool) if reply.tool in draft.agent.tools else None
    if tool is None:
        return inputs.InputRefused("unknown_tool", f"agent {draft.agent.name} has no tool {reply.tool}")
    digest = call_digest(tool, tool.name, reply.input)
    draft.emit(EventKind.CUSTOMER_CONFIRMED, tool=tool.name, input=dict(reply.input), digest=digest)
    return None


def _cancel(draft: Draft, reply: inputs.CancelRequested) -> inputs.InputRefused | None:
    if draft.state.final:
        return inputs.InputRefused("session_over", f"session {draft.state.session_id} is over ({draft.state.status})")
    if draft.state.cancel_by is None:
        draft.emit(EventKind.CANCEL_REQUESTED, by=reply.by)
    return None


_RECORD: Mapping[type, Callable[..., None]] = {
    inputs.SessionClaimed: _claimed,
    inputs.SessionReleased: _released,
    inputs.TimePassed: _tick,
    inputs.KeyTaken: _key_taken,
    inputs.KeyExpired: _key_expired,
    inputs.MeterFull: _meter_full,
    inputs.PlannerAnswered: planned,
    inputs.PlannerFailed: planner_failed,
    inputs.ToolReturned: _tool_returned,
    inputs.ToolFailed: _tool_failed,
    inputs.ToolNotBegun: _not_begun,
    inputs.FactReturned: _fact_returned,
    inputs.FactFailed: _fact_failed,
}

_FROM_PEOPLE: Mapping[type, Callable[..., inputs.InputRefused | None]] = {
    inputs.MessageSent: _message,
    inputs.CancelRequested: _cancel,
    inputs.ActionConfirmed: _confirmed,
    inputs.DecisionProposed: propose,
    inputs.RequestAnswered: answer,
    inputs.RequestCommented: comment,
    inputs.YesTakenBack: take_back,
    inputs.JobRetryRequested: retry,
    inputs.JobDiscardRequested: discard,
}
