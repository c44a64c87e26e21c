"""Attempts after a failed one: whether there is another, when it begins, and its beginning."""

from __future__ import annotations

from datetime import timedelta

from engine.language.value import timestamp
from engine.session.decide.draft import Draft
from engine.session.decide.endings import seconds
from engine.session.decide.gate_calls import record_start
from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.state import Call
from engine.spec.bundle import Tool
from engine.spec.limits import BLOCK


def try_again(draft: Draft, call: Call, tool: Tool, failed: inputs.ToolFailed, *, may_have_acted: bool) -> bool:
    """Record the failed attempt and when the next begins; False if there is none.

    A tool's own wish is bounded by the agent's limits of retries, per call and per session; one that asks for a
    longer pause than its longest delay is not tried again.
    """
    retry, limits = tool.retry, draft.state.limits
    if retry is None or failed.failure not in retry.on or call.cancelled is not None or draft.state.ending:
        return False
    if call.attempt >= retry.attempts:
        return False
    for name, used, allowed in (
        ("retries_per_call", call.attempt - 1, limits.retries_per_call),
        ("retries_per_session", draft.state.used.retries, limits.retries_per_session),
    ):
        if allowed is not None and used >= allowed:
            draft.emit(EventKind.LIMIT_CROSSED, limit=name, used=used, allowed=allowed, crossing=BLOCK, tool=call.name)
            return False
    delay = retry.delay_after(call.attempt, failed.dice)
    if failed.wait is not None:
        asked = timedelta(seconds=float(failed.wait))
        if asked > retry.max_delay:
            return False
        delay = max(delay, asked)
    draft.emit(
        EventKind.ATTEMPT_FAILED,
        step=call.step,
        call_id=call.id,
        tool=call.name,
        attempt=call.attempt,
        failure=failed.failure.value,
        reason=failed.reason,
        message=failed.message,
        dice=failed.dice,
        delay=seconds(delay),
        due_at=timestamp(draft.at + delay),
        **({"job": True} if call.job else {}),
        **({"acted": True} if may_have_acted else {}),
    )
    return True


def begin_due_attempts(draft: Draft) -> bool:
    """Begin the attempts whose time has come."""
    s = draft.state
    if s.ending or s.releasing:
        return False
    due = [call for call in s.retrying_calls() if call.due_at is not None and call.due_at <= draft.at]
    for call in due:
        record_start(draft, call, draft.tool(call.name))
    return bool(due)
