"""What the rows of the SQLite file say; one that is damaged says so, and the others are still read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from engine.language.value import loads_own, timestamp
from engine.ports.records import JobRow, RequestRow, SessionRow

SESSION = "id, agent, state, outcome, bundle, seq, created_at, updated_at"
REQUEST = "id, kind, session_id, status, opened_at, expires_at, counts_at, payload"
JOB = "id, session_id, call_id, tool, status, attempts, run_at, enqueued_at, owner, lease_until, epoch, reason"

# how often a session or a job can have been taken: nobody counts further, and one more always fits
MOST_TAKEN = 2**53


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _input(value: Any) -> bool:
    # all of it may be sealed
    return value is None or isinstance(value, dict | str)


# what the inbox shows of the event that opened a request
_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "tool": _text_or_none,
    "input": _input,
    "groups": _texts,
    "rules": _texts,
    "reason": _text,
    "message": _text,
    "schema": lambda value: value is None or isinstance(value, dict | bool),
    "digest": _text_or_none,
    "expires_at": _text_or_none,
}
_SOME_HAVE: Mapping[str, Callable[[Any], bool]] = {
    "note": _text,
    "settle_delay": _text,
    "remind": _texts,
    "escalate": lambda value: isinstance(value, dict) and _texts(list(value.values())),
    # who was named may be sealed
    "names": lambda value: isinstance(value, dict | str),
}


def session_row(row: Any) -> SessionRow:
    """A session of `SESSION`."""
    id_, agent, state, outcome, bundle, seq, created, updated = row
    return SessionRow(id_, agent, state, outcome, bundle, seq, moment(created), moment(updated))


def _payload(text: Any) -> tuple[Mapping[str, Any], str]:
    """What a request was opened with, and what is wrong with it; whoever reads it changes nothing of it."""
    try:
        payload = loads_own(text)
    except (ValueError, TypeError, RecursionError):
        return {}, "its content is damaged"
    known = isinstance(payload, dict) and all(name in payload and fits(payload[name]) for name, fits in _FIELDS.items())
    if not known or not all(fits(payload[name]) for name, fits in _SOME_HAVE.items() if name in payload):
        return {}, "its content is no request"
    return payload, ""


# the same requests are listed over and over: those of so few characters are read once, and shared by who reads them
SHORT = 8_000
_kept_payload = lru_cache(maxsize=2_000)(_payload)


def request_row(row: Any) -> RequestRow:
    """A request of `REQUEST`."""
    id_, kind, session_id, status, opened, expires, counts, text = row
    opened_at, expires_at, counts_at = moment(opened), moment(expires), moment(counts)
    problem = ""
    if opened_at is None or (expires is not None and expires_at is None) or (counts is not None and counts_at is None):
        problem = "its times are none"
    payload, wrong = _kept_payload(text) if isinstance(text, str) and len(text) < SHORT else _payload(text)
    problem = problem or wrong
    known = {} if problem else payload
    return RequestRow(id_, kind, session_id, status, opened_at, expires_at, known, problem, counts_at)


def job_row(row: Any) -> JobRow:
    """A job of `JOB`."""
    id_, session_id, call_id, tool, status, attempts, run_at, enqueued, owner, until, epoch, reason = row
    times = moment(run_at), moment(enqueued)
    problem = "" if None not in times else "its times are none"
    if not problem and not 0 <= epoch <= MOST_TAKEN:
        problem = f"it was never leased {epoch} times"
    if not problem and id_ != f"{session_id}/{call_id}":
        problem = "its id is that of another job"
    if not problem and status == "leased" and (owner is None or moment(until) is None):
        problem = "its lease has no owner, or no end"
    return JobRow(
        id_, session_id, call_id, tool, status, attempts, *times, owner, moment(until), epoch, reason, problem
    )


def lease_problem(owner: str | None, until: str | None) -> str:
    """What is wrong with a lease as it is stored: both are none, or both are there."""
    if until is not None and moment(until) is None:
        return "its lease ends at no moment"
    return "" if (owner is None) is (until is None) else "its lease has no owner, or no end"


def standing_problem(epoch: int, owner: str | None, until: str | None) -> str:
    """What is wrong with the columns of the listing that say who drives a session, of which no event tells all."""
    if not 0 <= epoch <= MOST_TAKEN:
        return f"it was never taken {epoch} times"
    return lease_problem(owner, until)


@lru_cache(maxsize=10_000)
def moment(text: str | None) -> datetime | None:
    """A stored moment; None also where it is none as the engine writes them, which are compared as text."""
    try:
        found = datetime.fromisoformat(text) if text is not None else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None and timestamp(found) == text else None
