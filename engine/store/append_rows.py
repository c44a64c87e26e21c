"""The rows that appends write: the heads of their sessions, their segments, and what is derived from their events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from engine.language.value import canonical, number_text, timestamp
from engine.ports.records import FREE, IN_FLIGHT, Claim, JobLease
from engine.session.state.event import Event
from engine.session.state.state import Status
from engine.store import chain
from engine.store.chain import Segment
from engine.store.database import SqlConnection
from engine.store.log_key import HeadSeal
from engine.store.projection import (
    ClaimKey,
    CloseRequest,
    DelayRequest,
    Enqueue,
    MoveJob,
    OpenRequest,
    Reserve,
    RowChange,
    SetState,
    SettleKey,
    SettleMeters,
    Wake,
)
from engine.store.rows import REQUEST

# what an append changes of its session's row; the rest, which most leave as it is, stands in indexes
_HEAD = ("seq", "head_hash", "head_hmac", "key_id", "updated_at")
_REST = ("state", "outcome", "epoch", "owner", "lease_until")
_MADE = ("id", "agent", "bundle", "created_at")
_SEGMENT = ("session", "first", "last", "hash", "body")


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session's row as it is; `number` None where there is none yet."""

    number: int | None = None
    seq: int = 0
    head_hash: str = chain.GENESIS
    epoch: int = 0
    owner: str | None = None
    lease_until: str | None = None
    state: str = "running"
    outcome: str = "running"
    head_hmac: str | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class Append:
    """What a caller of `Store.append` wants."""

    session_id: str
    after: int
    events: Sequence[Event]
    epoch: int | None
    take: Claim | None
    release_lease: bool
    job: JobLease | None
    now: datetime
    # drawn once: what is sent again is known by them
    salts: str
    changes: Sequence[RowChange]


def names_of(wanted: Append) -> list[str]:
    """What an append reads and must not be changed by others meanwhile: its session, the keys and meters it takes."""
    found = [wanted.session_id]
    for change in wanted.changes:
        if isinstance(change, ClaimKey):
            found.append(f"key:{change.key}")
        elif isinstance(change, Reserve):
            found.append(f"meter:{change.key}")
    return found


@dataclass(frozen=True, slots=True)
class Addition:
    """What an append adds that nothing is in the way of, to the row that stands."""

    wanted: Append
    stands: StoredSession
    segment: Segment
    seal: HeadSeal | None


def write_rows(connection: SqlConnection, additions: Sequence[Addition]) -> None:
    """Write what appends add, to a session each."""
    if not additions:
        return
    made, heads, wholes = [], [], []
    for one in additions:
        stands, head, rest = one.stands, _head(one), _rest(one)
        if stands.number is None:
            first = one.wanted.events[0]
            row = (first.session_id, first.payload["agent"], first.payload["bundle"], timestamp(first.at))
            made.append((*row, *head, *rest))
        elif rest == (stands.state, stands.outcome, stands.epoch, stands.owner, stands.lease_until):
            heads.append((*head, stands.number))
        else:
            wholes.append((*head, *rest, stands.number))
    connection.update("sessions", _HEAD, "number", heads)
    connection.update("sessions", (*_HEAD, *_REST), "number", wholes)
    numbers = _make(connection, made) if made else {}
    segments = [(numbers.get(one.wanted.session_id, one.stands.number), one.segment) for one in additions]
    rows = [(number, one.first, one.last, one.hash, one.body) for number, one in segments]
    connection.insert("segments", _SEGMENT, rows)
    _derive(connection, [one.wanted for one in additions])
    connection.tell_of([one.wanted.session_id for one in additions])


def _head(one: Addition) -> tuple[Any, ...]:
    sealed = (one.seal.hmac, one.seal.key_id) if one.seal is not None else (None, None)
    return (one.segment.last, one.segment.hash, *sealed, timestamp(one.wanted.events[-1].at))


def _rest(one: Addition) -> tuple[Any, ...]:
    wanted, stands = one.wanted, one.stands
    epoch, owner, lease_until = stands.epoch, stands.owner, stands.lease_until
    if wanted.take is not None:
        epoch, owner = wanted.take.lease.epoch, wanted.take.lease.owner
        lease_until = timestamp(wanted.now + wanted.take.duration)
    if wanted.release_lease:
        owner = lease_until = None
    state, outcome = stands.state, stands.outcome
    for change in wanted.changes:
        if isinstance(change, SetState):
            state, outcome = change.state, change.outcome
        elif isinstance(change, Wake) and change.applies(state):
            state = outcome = Status.RUNNING.value
    return (state, outcome, epoch, owner, lease_until)


def _make(connection: SqlConnection, rows: Sequence[tuple[Any, ...]]) -> dict[str, int]:
    """Make the rows of sessions that begin; their numbers by their ids."""
    connection.insert("sessions", (*_MADE, *_HEAD, *_REST), rows)
    return dict(connection.among("SELECT id, number FROM sessions WHERE id", [row[0] for row in rows]).fetchall())


def _derive(connection: SqlConnection, appends: Sequence[Append]) -> None:
    """Write what is derived from the events: of each append in order, and of all together what one statement says."""
    holders = _open_holders(connection, appends)
    left = [
        iter([one for change in append.changes for one in _statements(append.session_id, change, holders)])
        for append in appends
        if append.changes
    ]
    while left:
        together: dict[str, list[tuple[Any, ...]]] = {}
        for statements in list(left):
            statement = next(statements, None)
            if statement is None:
                left.remove(statements)
            else:
                together.setdefault(statement[0], []).append(statement[1])
        for sql, rows in together.items():
            connection.executemany(sql, rows)


def _open_holders(connection: SqlConnection, appends: Sequence[Append]) -> set[str]:
    """Who of those that settle something holds a key or a part of a meter: most calls hold neither."""
    settle: set[str] = set()
    found: set[str] = set()
    for append in appends:
        for change in append.changes:
            if isinstance(change, SettleKey | SettleMeters):
                settle.add(change.holder)
            elif isinstance(change, ClaimKey | Reserve):
                found.add(change.holder)
    asked = sorted(settle - found)
    for table in ("idempotency_keys", "meter_entries") if asked else ():
        rows = connection.among(f"SELECT holder FROM {table} WHERE holder", asked).fetchall()
        found.update(holder for (holder,) in rows)
    return found


def _statements(session_id: str, change: RowChange, holders: set[str]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What a change is in SQL, with its values; nothing of a call that is to settle and holds nothing."""
    match change:
        case ClaimKey():
            sql = (
                "INSERT INTO idempotency_keys (key, holder, status, compared, until, expired) VALUES (?,?,?,?,?,?)"
                " ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, status = excluded.status, output = NULL,"
                " compared = excluded.compared, until = excluded.until, expired = excluded.expired"
            )
            until = timestamp(change.until) if change.until is not None else None
            yield sql, (change.key, change.holder, IN_FLIGHT, canonical(change.compared), until, change.generation)
        case Reserve():
            sql = (
                "INSERT INTO meter_entries (key, holder, amount, at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (key, holder) DO UPDATE SET amount = excluded.amount, at = excluded.at, settled = 0"
            )
            yield sql, (change.key, change.holder, number_text(change.amount), timestamp(change.at))
        case SettleMeters() | SettleKey():
            if change.holder in holders:
                yield from _settlement(change)
        case Enqueue():
            sql = (
                "INSERT INTO jobs (id, session_id, call_id, tool, status, run_at, enqueued_at)"
                " VALUES (?, ?, ?, ?, 'queued', ?, ?) ON CONFLICT (id) DO UPDATE SET status = 'queued',"
                " run_at = excluded.run_at, owner = NULL, lease_until = NULL, reason = ''"
            )
            times = (timestamp(change.run_at), timestamp(change.at))
            yield sql, (change.job_id, session_id, change.call_id, change.tool, *times)
        case MoveJob():
            yield _job_move(change)
        case OpenRequest(row):
            assert row.opened_at is not None, "it is of an event"
            opened = timestamp(row.opened_at)
            expires = timestamp(row.expires_at) if row.expires_at else None
            values = (row.id, row.kind, session_id, row.status, opened, expires, None, canonical(row.payload))
            yield f"INSERT INTO requests ({REQUEST}) VALUES (?,?,?,?,?,?,?,?)", values
        case DelayRequest(request_id, counts_at):
            moment = timestamp(counts_at) if counts_at is not None else None
            yield "UPDATE requests SET counts_at = ? WHERE id = ?", (moment, request_id)
        case CloseRequest(request_id, status):
            yield "UPDATE requests SET status = ? WHERE id = ?", (status, request_id)
        case SetState() | Wake():
            pass  # part of the session's own row
        case _:
            assert_never(change)


def _settlement(change: SettleKey | SettleMeters) -> Iterator[tuple[str, tuple[Any, ...]]]:
    match change:
        case SettleMeters(holder, keep):
            kept = "UPDATE meter_entries SET settled = 1 WHERE holder = ?"
            yield kept if keep else "DELETE FROM meter_entries WHERE holder = ?", (holder,)
        case SettleKey(holder, _, None):
            yield "DELETE FROM idempotency_keys WHERE holder = ? AND expired = 0", (holder,)
            yield "UPDATE idempotency_keys SET status = ?, output = NULL WHERE holder = ?", (FREE, holder)
        case SettleKey(holder, output, status):
            sql = "UPDATE idempotency_keys SET status = ?, output = ? WHERE holder = ?"
            yield sql, (status, canonical(output), holder)


def _job_move(change: MoveJob) -> tuple[str, tuple[Any, ...]]:
    stays = change.status == "leased"
    sql = (
        "UPDATE jobs SET status = ?1, reason = ?2, run_at = coalesce(?3, run_at), attempts = coalesce(?4, attempts),"
        " owner = CASE WHEN ?5 = 1 THEN owner END, lease_until = CASE WHEN ?5 = 1 THEN lease_until END WHERE id = ?6"
    )
    run_at = timestamp(change.run_at) if change.run_at is not None else None
    return sql, (change.status, change.reason, run_at, change.attempt, int(stays), change.job_id)
