"""How a session ends before its time: by a limit, by a cancel; and what is done at every end."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.language.arithmetic import EvaluationError
from engine.language.blank_text import says_something
from engine.language.template import Template
from engine.language.value import exact
from engine.session import customer_texts as texts
from engine.session.decide.draft import Draft
from engine.session.decide.requests import withdraw
from engine.session.decide.uncertain import give_up_probes
from engine.session.expression_names import stop_names
from engine.session.state.event import EventKind
from engine.session.state.pending import in_grace
from engine.session.state.state import UNSTARTED, Phase, ResultStatus, Status, StepPhase
from engine.spec.bundle import End
from engine.spec.request_kind import RequestKind


def cross_wall_clock(draft: Draft) -> bool:
    """The session has run for as long as it may."""
    s, limit = draft.state, draft.state.limits.wall_clock
    if s.ending or limit is None or s.used.active < limit:
        return False
    return end_by_limit(draft, "wall_clock", Status.TIMED_OUT, seconds(s.used.active), seconds(limit))


def cross_repairs(draft: Draft) -> bool:
    """The planner broke its contract once too often."""
    s, limit = draft.state, draft.state.limits.repairs
    if s.ending or limit is None or s.used.repairs <= limit:
        return False
    return end_by_limit(draft, "repairs", Status.FAILED, s.used.repairs, limit)


def end_by_limit(draft: Draft, limit: str, status: Status, used: object, allowed: object) -> bool:
    """Record that a limit is crossed, and that the session ends for it."""
    draft.emit(EventKind.LIMIT_CROSSED, limit=limit, used=used, allowed=allowed, crossing=status.value)
    draft.emit(EventKind.SESSION_ENDING, state=status.value, reason=limit)
    return True


def apply_cancel(draft: Draft) -> bool:
    """Somebody asked for the session to end."""
    if draft.state.ending or draft.state.cancel_by is None:
        return False
    draft.emit(EventKind.SESSION_ENDING, state=Status.CANCELLED.value, reason=f"cancelled by {draft.state.cancel_by}")
    return True


def end_grace(draft: Draft) -> bool:
    """Running calls had their time to end by themselves."""
    s = draft.state
    if not in_grace(s) or not s.running_calls() or s.ending_at is None or s.limits.grace is None:
        return False
    if draft.at < s.ending_at + s.limits.grace:
        return False
    allowed = seconds(s.limits.grace)
    draft.emit(EventKind.LIMIT_CROSSED, limit="grace", used=allowed, allowed=allowed, crossing="cancel")
    return True


def finish_ending(draft: Draft) -> bool:
    """An ending session starts nothing more, cancels what runs, and is over when nothing does."""
    s = draft.state
    if s.ending is None:
        return False
    if give_up_probes(draft):
        return True
    reason = "session_cancelled" if s.ending == Status.CANCELLED else "session_ended"
    for call in s.calls.open.values():
        if call.phase is Phase.OVER_BUDGET and call.result is not None:
            draft.result(call, ResultStatus.BLOCKED, call.result.reason, call.result.message)
            return True
        if call.phase is Phase.ENQUEUED or (call.phase in UNSTARTED and not call.leased):
            withdraw(draft, call)
            draft.result(call, ResultStatus.BLOCKED, reason, "the session ended before it could start")
            return True
        if call.phase is Phase.PARKED and call.result is None:
            withdraw(draft, call)
            draft.result(call, ResultStatus.TERMINAL_ERROR, reason, "the session ended before anybody answered")
            return True
        if call.phase is Phase.RETRYING:
            draft.result(call, ResultStatus.TERMINAL_ERROR, reason, "the session ended before its next attempt")
            return True
        if call.phase is Phase.STARTED and call.cancelled is None and (call.job or not in_grace(s)):
            draft.emit(EventKind.CALL_CANCELLED, step=call.step, call_id=call.id, tool=call.name, reason=reason)
            return True
    if s.running_calls():
        return False
    finish(draft, Status(s.ending), s.ending, draft.agent.ends.get(s.ending))
    return True


def finish(draft: Draft, status: Status, outcome: str, end: End | None) -> None:
    """The session is over: open what was promised to the user, and say so."""
    if draft.state.step_phase is not StepPhase.IDLE:
        draft.emit(EventKind.STEP_ENDED, reason=outcome)
    message, problem = _closing_text(draft, status, end.message if end is not None else None)
    follow_up = end.follow_up if end is not None else None
    if follow_up is not None:
        draft.open_request(RequestKind.FOLLOW_UP, groups=(follow_up.reviewers,), reason=outcome, message=follow_up.note)
    noted: dict[str, Any] = {"problem": problem} if problem else {}
    draft.emit(
        EventKind.STATE_TRANSITION,
        state=status.value,
        outcome=outcome,
        message=message,
        waiting_for=[],
        reason=outcome if draft.state.ending else "",
        **noted,
    )


def _closing_text(draft: Draft, status: Status, template: Template | None) -> tuple[str, str]:
    """What the customer is told at the end: always a sentence; and why it is not what the agent says."""
    problem = ""
    if template is not None:
        try:
            text = template.render(stop_names(draft.state, draft.agent))
        except EvaluationError as error:
            problem = f"the message has no value: {error}"
        else:
            if says_something(text):
                return text, ""
            problem = "the message says nothing"
    return texts.of_end(draft.agent, draft.state.attributes, status.value, draft.state.ending_reason), problem


def seconds(span: timedelta) -> Any:
    """A time span as an exact number of seconds."""
    return exact(Decimal(span // timedelta(microseconds=1)) / 1_000_000)
