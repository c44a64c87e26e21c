"""What the rows of the SQLite file say; one that is damaged says so, and the others are still read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from engine.policy.value import loads
from engine.stored import JobRow, RequestRow, SessionRow

SESSION = "id, agent, state, outcome, bundle, seq, created_at, updated_at"
REQUEST = "id, kind, session_id, status, opened_at, expires_at, payload"
JOB = "id, session_id, call_id, tool, status, attempts, run_at, enqueued_at, owner, lease_until, epoch, reason"

# what the inbox shows of the event that opened a request
_ASKED = frozenset({"tool", "input", "groups", "rules", "reason", "message", "schema", "digest", "expires_at"})


def session_row(row: Any) -> SessionRow:
    """A session of `SESSION`."""
    id_, agent, state, outcome, bundle, seq, created, updated = row
    return SessionRow(id_, agent, state, outcome, bundle, seq, _moment(created), _moment(updated))


def request_row(row: Any) -> RequestRow:
    """A request of `REQUEST`."""
    id_, kind, session_id, status, opened, expires, text = row
    opened_at, expires_at = _moment(opened), _moment(expires)
    problem, payload = "", {}
    if opened_at is None or (expires is not None and expires_at is None):
        problem = "its times are none"
    try:
        payload = loads(text)
    except (ValueError, RecursionError):
        problem = "its content is damaged"
    if not isinstance(payload, dict) or not payload.keys() >= _ASKED or not isinstance(payload["groups"], list):
        problem = problem or "its content is no request"
    return RequestRow(id_, kind, session_id, status, opened_at, expires_at, {} if problem else payload, problem)


def job_row(row: Any) -> JobRow:
    """A job of `JOB`."""
    id_, session_id, call_id, tool, status, attempts, run_at, enqueued, owner, until, epoch, reason = row
    times = _moment(run_at), _moment(enqueued)
    return JobRow(id_, session_id, call_id, tool, status, attempts, *times, owner, _moment(until), epoch, reason)


def _moment(text: str | None) -> datetime | None:
    """A stored moment; None also where it is none."""
    try:
        return datetime.fromisoformat(text) if text is not None else None
    except ValueError:
        return None
