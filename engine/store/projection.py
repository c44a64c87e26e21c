"""What the store keeps beside the log, derived from the same events: listings, the inbox, idempotency keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.ports import RequestRow
from engine.session.event import Event
from engine.session.event import EventKind as K

IN_FLIGHT, OK, UNKNOWN = "in_flight", "ok", "unknown"


@dataclass(frozen=True, slots=True)
class ClaimKey:
    """A call starts under a key; `holder` names session and call.

    `compared` is kept with the key; after `until`, if there is one, a result counts no longer.
    """

    key: str
    holder: str
    at: datetime
    compared: Any = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SettleKey:
    """The call that holds a key has ended: `status` is kept with it, or None frees the key."""

    holder: str
    output: Any
    status: str | None


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A new entry of the inbox."""

    row: RequestRow


@dataclass(frozen=True, slots=True)
class CloseRequest:
    """An entry of the inbox that is done with."""

    request_id: str
    status: str


@dataclass(frozen=True, slots=True)
class SetState:
    """The session's state, as listings show it."""

    state: str
    outcome: str


Change = ClaimKey | SettleKey | OpenRequest | CloseRequest | SetState


def changes(events: Iterable[Event]) -> list[Change]:
    """What the events change beside the log, in order."""
    found: list[Change] = []
    for event in events:
        found += _of(event)
    return found


def _of(event: Event) -> list[Change]:
    p = event.payload
    match event.kind:
        case K.CALL_STARTED if p["idempotency_key"] is not None:
            until = p.get("key_until")
            key = f"{p['key_scope']}:{p['idempotency_key']}"
            moment = datetime.fromisoformat(until) if until else None
            return [ClaimKey(key, _holder(event), event.at, p.get("compared"), moment)]
        case K.TOOL_RESULT if p["final"] and not p["reused"]:
            if p["status"] == UNKNOWN:
                # it keeps its key until somebody settles it, and for good when nobody ever could
                return [SettleKey(_holder(event), None, UNKNOWN)] if p["settled"] else []
            return [SettleKey(_holder(event), p["output"], OK if p["status"] == OK else None)]
        case K.REQUEST_OPENED:
            return [OpenRequest(_row(event))]
        case K.REQUEST_ANSWERED:
            return [CloseRequest(p["request_id"], "answered")]
        case K.REQUEST_CLOSED:
            return [CloseRequest(p["request_id"], p["how"])]
        case K.STATE_TRANSITION:
            return [SetState(p["state"], p["outcome"])]
        case _:
            return []


def _holder(event: Event) -> str:
    return f"{event.session_id}/{event.payload['call_id']}"


def _row(event: Event) -> RequestRow:
    p = event.payload
    expires = datetime.fromisoformat(p["expires_at"]) if p["expires_at"] else None
    return RequestRow(p["request_id"], p["request_kind"], event.session_id, "open", event.at, expires, p)
