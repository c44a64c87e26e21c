"""What the store keeps beside the log, derived from the same events: listings, the inbox, idempotency keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from engine.ports.records import FREE, OK, UNKNOWN, RequestRow
from engine.session.state.event import Event, EventKind
from engine.session.state.state import FINAL, Status
from engine.spec.request_kind import RequestKind

_LONGEST_KEY = 500


@dataclass(frozen=True, slots=True)
class ClaimKey:
    """A call starts under a key; `holder` names session and call.

    `compared` is kept with the key; after `until`, if there is one, a result counts no longer.  `generation` is how
    many have expired.
    """

    key: str
    holder: str
    at: datetime
    compared: Any = None
    until: datetime | None = None
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Reserve:
    """A call adds to a meter that sessions share, unless with what was added since a moment it went beyond the limit.

    What is in flight, or what nobody can vouch for, counts whenever it was.
    """

    holder: str
    meter: str
    key: str
    amount: Any
    limit: Any
    at: datetime
    since: datetime | None


@dataclass(frozen=True, slots=True)
class SettleMeters:
    """The call that reserved has ended: what it added counts from now on by its time, or was never added."""

    holder: str
    keep: bool


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
class DelayRequest:
    """A yes to an entry of the inbox counts at a moment; None where it was taken back."""

    request_id: str
    counts_at: datetime | None


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


@dataclass(frozen=True, slots=True)
class Wake:
    """A waiting session can go on, and nobody drives it yet: it is listed as running, so that a worker finds it."""

    by_message: bool = False

    def applies(self, state: str) -> bool:
        """Whether a session in this state was waiting for it."""
        return state == Status.AWAITING_MESSAGE if self.by_message else state not in {*FINAL, Status.RUNNING}


@dataclass(frozen=True, slots=True)
class Enqueue:
    """A job is handed over."""

    job_id: str
    call_id: str
    tool: str
    run_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class MoveJob:
    """A job goes on; unless it stays `leased` its lease ends.  `run_at` None leaves its time as it is."""

    job_id: str
    status: str
    reason: str = ""
    run_at: datetime | None = None
    attempt: int | None = None


RowChange = (
    Enqueue
    | MoveJob
    | ClaimKey
    | Reserve
    | SettleMeters
    | SettleKey
    | OpenRequest
    | DelayRequest
    | CloseRequest
    | SetState
    | Wake
)


def changes(events: Iterable[Event]) -> list[RowChange]:
    """What the events change beside the log, in order."""
    found: list[RowChange] = []
    for event in events:
        found += _of(event)
    return found


def _of(event: Event) -> list[RowChange]:
    change = PROJECTED.get(event.kind)
    return change(event) if change is not None else []


def _started(event: Event) -> list[RowChange]:
    p = event.payload
    return [MoveJob(_holder(event), "leased", attempt=p["attempt"])] if p.get("job") else _claims_of_call(event)


def _enqueued(event: Event) -> list[RowChange]:
    p = event.payload
    run_at = datetime.fromisoformat(p["run_at"])
    return [*_claims_of_call(event), Enqueue(_holder(event), p["call_id"], p["tool"], run_at, event.at)]


def _failed(event: Event) -> list[RowChange]:
    p = event.payload
    if not p.get("job"):
        return []
    return [MoveJob(_holder(event), "queued", p["reason"], datetime.fromisoformat(p["due_at"]))]


def _judged(event: Event) -> list[RowChange]:
    p = event.payload
    held = p.get("job") and p["verdict"] == "require_approval" and not p["satisfied"]
    return [MoveJob(_holder(event), "held", p["reason"])] if held else []


def _resulted(event: Event) -> list[RowChange]:
    p = event.payload
    return [*_ended_job(event), *_ended(event)] if p["final"] and not p["reused"] else []


def _answered(event: Event) -> list[RowChange]:
    p = event.payload
    woken = [Wake()] if p.get("request_kind") != RequestKind.FOLLOW_UP else []
    return [CloseRequest(p["request_id"], "answered"), *woken]


def _claims_of_call(event: Event) -> list[RowChange]:
    """The key and the shared meters that a call takes."""
    shared = [entry for entry in event.payload.get("reserved", ()) if "key" in entry]
    return [*_key(event), *(_reserve(event, entry) for entry in shared)]


def _ended_job(event: Event) -> list[RowChange]:
    p = event.payload
    if not p.get("job"):
        return []
    if p["reason"] in ("session_cancelled", "session_ended"):
        return [MoveJob(_holder(event), "cancelled", p["reason"])]
    status = {OK: "done", UNKNOWN: "unknown"}.get(p["status"], "discarded" if p["reason"] == "discarded" else "dead")
    return [MoveJob(_holder(event), status, p["reason"])]


def _ended(event: Event) -> list[RowChange]:
    """What the end of a call means for its key and its meters."""
    p = event.payload
    if p["status"] == UNKNOWN:
        # it keeps its key until somebody settles it, and for good when nobody ever could
        return [SettleKey(_holder(event), None, UNKNOWN)] if p["settled"] else []
    well = p["status"] == OK
    return [SettleKey(_holder(event), p["output"], OK if well else None), SettleMeters(_holder(event), well)]


def _key(event: Event) -> list[RowChange]:
    p = event.payload
    if p["idempotency_key"] is None:
        return []
    key = row_key(f"{p['key_scope']}:{p['idempotency_key']}")
    until, generation = _moment(p.get("key_until")), p.get("generation", 0)
    return [ClaimKey(key, _holder(event), event.at, p.get("compared"), until, generation)]


def row_key(key: str) -> str:
    """What a key of calls or of a meter stands under in a table, whose indexes take no text of any length.

    One that is too long is cut off, and has its hash behind that: it is longer than any that is not.

        >>> len(row_key("k" * 500)), len(row_key("k" * 5000))
        (500, 504)
    """
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{key[: _LONGEST_KEY - 60]}{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def generation_of(status: str, until: datetime | None, expired: int, at: datetime) -> int | None:
    """How many results under a key have expired for who claims it at a moment; None while it is somebody's."""
    if status == FREE:
        return expired
    return expired + 1 if status == OK and until is not None and until <= at else None


def _reserve(event: Event, entry: Mapping[str, Any]) -> Reserve:
    since = _moment(entry["since"])
    return Reserve(
        _holder(event), entry["meter"], row_key(entry["key"]), entry["amount"], entry["limit"], event.at, since
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _holder(event: Event) -> str:
    return f"{event.session_id}/{event.payload['call_id']}"


def _row(event: Event) -> RequestRow:
    p = event.payload
    expires = _moment(p["expires_at"])
    return RequestRow(p["request_id"], p["request_kind"], event.session_id, "open", event.at, expires, p)


# what each kind of event changes beside the log; the others change nothing there
PROJECTED: Mapping[EventKind, Callable[[Event], list[RowChange]]] = {
    EventKind.CALL_STARTED: _started,
    EventKind.JOB_ENQUEUED: _enqueued,
    EventKind.JOB_RELEASED: lambda event: [MoveJob(_holder(event), "queued")],
    EventKind.JOB_DISCARDED: lambda event: [MoveJob(_holder(event), "discarded", event.payload["by"])],
    EventKind.ATTEMPT_FAILED: _failed,
    EventKind.VERDICT: _judged,
    EventKind.TOOL_RESULT: _resulted,
    EventKind.REQUEST_OPENED: lambda event: [OpenRequest(_row(event))],
    EventKind.REQUEST_ANSWERED: _answered,
    EventKind.DECISION_PROPOSED: _answered,
    EventKind.YES_DELAYED: lambda event: [
        DelayRequest(event.payload["request_id"], _moment(event.payload["counts_at"]))
    ],
    EventKind.YES_TAKEN_BACK: lambda event: [DelayRequest(event.payload["request_id"], None)],
    EventKind.REQUEST_CLOSED: lambda event: [CloseRequest(event.payload["request_id"], event.payload["how"])],
    EventKind.CANCEL_REQUESTED: lambda event: [Wake()],
    EventKind.MESSAGE_RECEIVED: lambda event: [Wake(by_message=True)],
    EventKind.STATE_TRANSITION: lambda event: [SetState(event.payload["state"], event.payload["outcome"])],
}
