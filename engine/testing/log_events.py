"""Events that the contracts of stores write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from engine.ports.records import (
    Appended,
)
from engine.ports.store import Store
from engine.session.state.event import Event, EventKind

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


LEASE = timedelta(seconds=10)


K = EventKind


def started(session_id: str) -> Event:
    """The first event of a session."""
    payload: dict[str, Any] = {
        "agent": "bot",
        "planner": "script",
        "bundle": "b1",
        "root": "/r",
        "attributes": {},
        "started_by": None,
        "limits": {},
    }
    return Event(session_id, 1, 0, K.SESSION_STARTED, payload, START)


def woken(session_id: str, seq: int, step: int = 0) -> Event:
    """An event without much in it."""
    return Event(session_id, seq, step, K.SESSION_WOKEN, {"n": seq}, START + timedelta(seconds=seq))


def call_started(session_id: str, seq: int, key: str | None, call_id: str = "c", **more: Any) -> Event:
    """A call starts under a key."""
    payload = {"call_id": call_id, "idempotency_key": key, "key_scope": "[]", **more}
    return Event(session_id, seq, 1, K.CALL_STARTED, payload, START)


def result(session_id: str, seq: int, status: str, output: Any = None, call_id: str = "c") -> Event:
    """The end of a call."""
    payload = {"call_id": call_id, "status": status, "output": output, "final": True, "reused": False, "settled": False}
    return Event(session_id, seq, 1, K.TOOL_RESULT, payload, START)


def opened(session_id: str, seq: int, request_id: str) -> Event:
    """A request."""
    payload = {
        "request_id": request_id,
        "request_kind": "approval",
        "expires_at": "2026-01-02T09:00:00+00:00",
        "tool": "pay",
        "input": {"n": 1},
        "groups": ["leads"],
        "rules": ["ask"],
        "reason": "",
        "message": "",
        "schema": None,
        "digest": "",
    }
    return Event(session_id, seq, 1, K.REQUEST_OPENED, payload, START + timedelta(seconds=seq))


async def start(store: Store, session_id: str = "s") -> None:
    """Begin a session in a store."""
    assert await store.append(session_id, 0, [started(session_id)]) == Appended()


def claimed(session_id: str, seq: int, owner: str, epoch: int) -> Event:
    """A driver takes the session."""
    return Event(session_id, seq, 0, K.SESSION_CLAIMED, {"owner": owner, "epoch": epoch}, START)


def adding(amount: Any, since: str | None = "2026-01-01T08:00:00.000000Z", limit: Any = 100) -> dict[str, Any]:
    """What a call adds to a meter that sessions share, as `call_started` says it."""
    return {"reserved": [{"meter": "usd", "key": "k", "amount": amount, "limit": limit, "since": since}]}
