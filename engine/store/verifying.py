"""What is wrong with a session in the SQLite file: its chain, its seal, and all that stands beside the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine import stored
from engine.policy.value import canonical, number_text, timestamp
from engine.session.event import Event, EventKind
from engine.session.evolve import fold
from engine.session.snapshot import VERSION, restored
from engine.store import chain
from engine.store.asking import head_of, segments_of
from engine.store.log_key import Seal, Voucher
from engine.store.projection import (
    FREE,
    IN_FLIGHT,
    Change,
    ClaimKey,
    CloseRequest,
    Enqueue,
    MoveJob,
    OpenRequest,
    Reserve,
    SetState,
    SettleKey,
    SettleMeters,
    changes,
)
from engine.store.rows import REQUEST

# a lease of a job is no event
_WAITS = {"leased": "queued"}


def problems(
    connection: sqlite3.Connection, session_id: str, voucher: Voucher | None, known: chain.Place | None
) -> list[str]:
    """All that is wrong, empty if the session is whole; `known` is a head of it that was exported before.

    Raises UnknownSession.  Whatever else happens is something that is wrong with this one session.
    """
    try:
        return list(_problems(connection, session_id, voucher, known))
    except stored.UnknownSession:
        raise
    except sqlite3.DatabaseError as error:
        return [f"the file can't be read: {error}"]
    except Exception as error:
        return [f"it can't be read: {str(error)[:200] or type(error).__name__}"]


def _problems(
    connection: sqlite3.Connection, session_id: str, voucher: Voucher | None, known: chain.Place | None
) -> Iterator[str]:
    head = head_of(connection, session_id)
    segments = segments_of(connection, session_id)
    try:
        log = chain.read(session_id, segments, chain.START, head.place)
    except chain.Unreadable as error:
        yield str(error)
        return
    if voucher is not None:
        yield from seal_problems(session_id, head, voucher)
    if known is not None:
        yield from _other_than(known, segments)
    erased = {seq for segment in segments for seq in chain.erased(segment)}
    told = [event for event in log if event.seq not in erased]
    yield from _listed_wrongly(connection, session_id, log, told)
    yield from _beside(connection, session_id, told, complete=not erased)
    if not erased:
        yield from _snapshot(connection, session_id, log, segments, voucher)


def seal_problems(session_id: str, head: Any, voucher: Voucher) -> Iterator[str]:
    """What keeps a head from being the one that a key has sealed."""
    if head.seal is None:
        yield "its head is not sealed; if you trust what it says: engine sessions seal " + session_id
    elif not voucher.knows_head(head.seal, session_id, head.place.seq, head.place.link):
        yield "its head is sealed by another key, or was changed since"


def _other_than(known: chain.Place, segments: Sequence[chain.Segment]) -> Iterator[str]:
    last = segments[-1].last if segments else 0
    if known.seq > last:
        yield f"it ends at event {last}, and the exported head is event {known.seq}"
    elif known.link not in {segment.hash for segment in segments if segment.last == known.seq}:
        yield f"event {known.seq} is another than the exported head"


def _listed_wrongly(
    connection: sqlite3.Connection, session_id: str, log: Sequence[Event], told: Sequence[Event]
) -> Iterator[str]:
    """Where the listing says something else than the log."""
    names = ("state", "outcome", "agent", "bundle", "created_at", "updated_at")
    sql = f"SELECT {', '.join(names)} FROM sessions WHERE id = ?"
    listed = dict(zip(names, connection.execute(sql, (session_id,)).fetchone(), strict=True))
    says: dict[str, Any] = {"state": "running", "outcome": "running"}
    for change in changes(told):
        if isinstance(change, SetState):
            says = {"state": change.state, "outcome": change.outcome}
    first = log[0]
    if first in told and first.kind is EventKind.SESSION_STARTED:
        says |= {name: first.payload[name] for name in ("agent", "bundle")}
    says |= {"created_at": timestamp(first.at), "updated_at": timestamp(log[-1].at)}
    for name, say in says.items():
        if listed[name] != say:
            yield f"its {name} is listed as {listed[name]}, and the log says {say}"


@dataclass(slots=True)
class _Beside:
    """What the rows beside a log have to be: of requests, keys, meters and jobs."""

    requests: dict[Any, list[Any]]
    keys: dict[Any, list[Any]]
    meters: dict[Any, list[Any]]
    jobs: dict[Any, list[Any]]


def _said(told: Sequence[Event]) -> _Beside:
    beside = _Beside({}, {}, {}, {})
    for change in changes(told):
        _take(beside, change)
    return beside


def _take(beside: _Beside, change: Change) -> None:
    match change:
        case OpenRequest(row):
            expires = timestamp(row.expires_at) if row.expires_at else None
            opened = timestamp(row.opened_at) if row.opened_at else None
            beside.requests[row.id] = [row.status, row.kind, opened, expires, canonical(row.payload)]
        case CloseRequest(request_id, status):
            beside.requests[request_id][0] = status
        case ClaimKey():
            until = timestamp(change.until) if change.until is not None else None
            compared = canonical(change.compared)
            beside.keys[change.key] = [change.holder, IN_FLIGHT, None, compared, until, change.generation]
        case SettleKey(holder, output, status):
            for key in [key for key, row in beside.keys.items() if row[0] == holder]:
                if status is None and not beside.keys[key][-1]:
                    del beside.keys[key]
                elif status is None:
                    beside.keys[key][1:3] = [FREE, None]
                else:
                    beside.keys[key][1:3] = [status, canonical(output)]
        case Reserve():
            beside.meters[change.key, change.holder] = [number_text(change.amount), timestamp(change.at), 0]
        case SettleMeters(holder, keep):
            for place in [place for place in beside.meters if place[1] == holder]:
                if keep:
                    beside.meters[place][2] = 1
                else:
                    del beside.meters[place]
        case Enqueue():
            beside.jobs[change.job_id] = ["queued"]
        case MoveJob():
            beside.jobs[change.job_id] = [_WAITS.get(change.status, change.status)]
        case SetState():
            pass  # compared with the listing


def _beside(connection: sqlite3.Connection, session_id: str, told: Sequence[Event], *, complete: bool) -> Iterator[str]:
    """Where requests, keys, meters and jobs say something else than the log that they come from."""
    said = _said(told)
    own = (f"{session_id}/", f"{session_id}0")
    columns = REQUEST.replace("id, kind, session_id, status", "id, status, kind")
    found = _Beside(
        _rows(connection, f"SELECT {columns} FROM requests WHERE session_id = ?", (session_id,)),
        _rows(
            connection,
            "SELECT key, holder, status, output, compared, until, expired FROM idempotency_keys"
            " WHERE holder >= ? AND holder < ?",
            own,
        ),
        {
            (key, holder): row
            for key, holder, *row in connection.execute(
                "SELECT key, holder, amount, at, settled FROM meter_entries WHERE holder >= ? AND holder < ?", own
            )
        },
        _rows(connection, "SELECT id, status FROM jobs WHERE session_id = ?", (session_id,)),
    )
    for row in found.keys.values():
        row[3] = canonical(None) if row[3] is None else row[3]  # nothing was compared yet when the key was kept
    for row in found.jobs.values():
        row[0] = _WAITS.get(row[0], row[0])
    # a key whose result counts for a time only may be another session's since
    for key, row in list(said.keys.items()):
        if key not in found.keys and row[4] is not None and _has_a_holder(connection, key):
            del said.keys[key]
    for what in ("requests", "keys", "meters", "jobs"):
        yield from _differences(what, getattr(said, what), getattr(found, what), complete=complete)


def _rows(connection: sqlite3.Connection, sql: str, values: tuple[Any, ...]) -> dict[Any, list[Any]]:
    return {first: row for first, *row in connection.execute(sql, values)}


def _has_a_holder(connection: sqlite3.Connection, key: str) -> bool:
    sql = (
        "SELECT 1 FROM idempotency_keys k JOIN sessions s ON s.id = substr(k.holder, 1, instr(k.holder, '/') - 1)"
        " WHERE k.key = ?"
    )
    return connection.execute(sql, (key,)).fetchone() is not None


_ONE = {"requests": "request", "keys": "the idempotency key", "meters": "the entry of a meter", "jobs": "job"}


def _differences(
    what: str, said: Mapping[Any, list[Any]], found: Mapping[Any, list[Any]], *, complete: bool
) -> Iterator[str]:
    for key in said:
        if key not in found:
            yield f"{_ONE[what]} {_name(key)} is missing beside the log"
        elif said[key] != found[key]:
            yield f"{_ONE[what]} {_name(key)} says something else than the log"
    if complete:
        for key in found.keys() - said.keys():
            yield f"{_ONE[what]} {_name(key)} stands beside a log that knows nothing of it"


def _name(key: Any) -> str:
    return str(key[0] if isinstance(key, tuple) else key)


def _snapshot(
    connection: sqlite3.Connection,
    session_id: str,
    log: Sequence[Event],
    segments: Sequence[chain.Segment],
    voucher: Voucher | None,
) -> Iterator[str]:
    """Where a snapshot is of another log, or says something else than the events that it stands for."""
    sql = "SELECT seq, link, version, body, hmac, key_id FROM snapshots WHERE session_id = ?"
    row = connection.execute(sql, (session_id,)).fetchone()
    if row is None:
        return
    seq, link, version, body, hmac, key_id = row
    if not any(segment.last == seq and segment.hash == link for segment in segments):
        yield "its snapshot is of another log"
        return
    if voucher is not None and not voucher.knows_snapshot(Seal(hmac, key_id), session_id, seq, link, version, body):
        yield "its snapshot is sealed by another key, or was changed since"
    elif version == VERSION:
        try:
            same = restored(chain.unpacked(body)) == fold(log[:seq])
        except Exception as error:
            yield f"its snapshot can't be read: {str(error)[:200] or type(error).__name__}"
            return
        if not same:
            yield "its snapshot says something else than the log"
