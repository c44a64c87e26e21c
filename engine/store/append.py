"""An append to a store's tables: refused before anything is written, else the log and all that is derived from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from engine.language.arithmetic import add, total
from engine.language.value import NotJson, canonical, number, number_text, timestamp
from engine.ports.records import (
    FREE,
    IN_FLIGHT,
    Appended,
    AppendResult,
    Claim,
    Conflict,
    CorruptLog,
    DamagedRow,
    ExpiredKey,
    Fenced,
    FullMeter,
    HeldKey,
    HeldSession,
    JobLease,
    SealedLog,
    session_of,
)
from engine.session.state.event import Event
from engine.session.state.state import Status
from engine.store import chain
from engine.store.database import SqlConnection
from engine.store.idempotency_keys import holder_of
from engine.store.log_key import Voucher
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
from engine.store.queries import place_before, seal_problems, stored_head
from engine.store.rows import REQUEST, moment, standing_problem


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
class _Stands:
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


def append(connection: SqlConnection, wanted: Append, voucher: Voucher | None) -> AppendResult:
    """Append in the open transaction, or say why not and change nothing; raises CorruptLog, SealedLog, TooLarge.

    Where there is a key nothing is added to a head that it does not vouch for: the new head would vouch for both.
    Where there is none nothing is added to a head that has a seal: the new one would have none.
    """
    stands = _stands(connection, wanted.session_id)
    if _is_there(connection, wanted, stands):
        return Appended()
    row_changes = wanted.changes
    refused = _overtaken(connection, wanted, stands) or _refused(connection, row_changes, voucher)
    if refused is not None:
        return refused
    _check_seal(wanted.session_id, stands, voucher)
    try:
        _write(connection, wanted, stands, row_changes, voucher)
    except connection.IntegrityError as error:
        # nobody but its own appends writes what belongs to a session
        table = connection.table_of(error)
        raise DamagedRow(wanted.session_id, table, f"it stands already where the log would go on: {error}") from None
    return Appended()


def _stands(connection: SqlConnection, session_id: str) -> _Stands:
    columns = "number, seq, head_hash, epoch, owner, lease_until, state, outcome, head_hmac, key_id"
    sql = f"SELECT {columns} FROM sessions WHERE id = ?{connection.for_update}"
    found = connection.execute(sql, (session_id,)).fetchone()
    if found is None:
        return _Stands()
    stands = _Stands(*found)
    problem = standing_problem(stands.epoch, stands.owner, stands.lease_until)
    if problem:
        raise DamagedRow(session_id, "sessions", problem)
    return stands


def _is_there(connection: SqlConnection, wanted: Append, stands: _Stands) -> bool:
    """Whether these very events stand in the log already: it was not known whether they had become durable.

    Their hashes hold salts that nobody draws twice.
    """
    first, last = wanted.events[0].seq, wanted.events[-1].seq
    if stands.number is None or stands.seq < last or first != wanted.after + 1:
        return False
    before = place_before(connection, wanted.session_id, first)
    sql = "SELECT hash FROM segments WHERE session = ? AND first = ? AND last = ?"
    row = connection.execute(sql, (stands.number, first, last)).fetchone()
    if row is None or before.seq != wanted.after:
        return False
    return bool(row[0] == chain.seal(wanted.events, before.link, wanted.salts).hash)


def _overtaken(connection: SqlConnection, wanted: Append, stands: _Stands) -> Fenced | Conflict | HeldSession | None:
    """Who was first, or holds what the append goes by."""
    if wanted.epoch is not None and wanted.epoch < stands.epoch:
        return Fenced(stands.epoch)
    if stands.seq != wanted.after:
        return Conflict(stands.seq)
    if wanted.job is not None and not _holds(connection, wanted.job):
        return Fenced(stands.epoch)
    take = wanted.take
    if take is None:
        return None
    until = moment(stands.lease_until)
    if until is not None and stands.owner is not None and stands.owner != take.lease.owner and until > wanted.now:
        return HeldSession(stands.owner, until)
    return Conflict(stands.seq) if take.lease.epoch <= stands.epoch else None


def _check_seal(session_id: str, stands: _Stands, voucher: Voucher | None) -> None:
    if voucher is not None and stands.number is not None:
        head = stored_head(stands.seq, stands.head_hash, stands.head_hmac, stands.key_id)
        for problem in seal_problems(session_id, head, voucher):
            raise CorruptLog(session_id, problem)
    if voucher is None and stands.head_hmac is not None:
        raise SealedLog(session_id)


def _write(
    connection: SqlConnection,
    wanted: Append,
    stands: _Stands,
    row_changes: Sequence[RowChange],
    voucher: Voucher | None,
) -> None:
    segment = chain.seal(wanted.events, stands.head_hash, wanted.salts)
    seal = voucher.head(wanted.session_id, segment.last, segment.hash) if voucher is not None else None
    newest, owner, lease_until = stands.epoch, stands.owner, stands.lease_until
    if wanted.take is not None:
        lease = wanted.take.lease
        newest, owner, lease_until = lease.epoch, lease.owner, timestamp(wanted.now + wanted.take.duration)
    if wanted.release_lease:
        owner = lease_until = None
    state, outcome = stands.state, stands.outcome
    for change in row_changes:
        if isinstance(change, SetState):
            state, outcome = change.state, change.outcome
        elif isinstance(change, Wake) and change.applies(state):
            state = outcome = Status.RUNNING.value
    at = timestamp(wanted.events[-1].at)
    head = (segment.last, segment.hash, seal and seal.hmac, seal and seal.key_id)
    row = (state, outcome, *head, newest, owner, lease_until, at)
    stays = (stands.state, stands.outcome, stands.epoch, stands.owner, stands.lease_until)
    number_ = stands.number
    if number_ is None:
        number_ = _create(connection, wanted.events[0], row)
    elif stays == (state, outcome, newest, owner, lease_until):
        # what most appends leave as it is stands in indexes
        sql = "UPDATE sessions SET seq = ?, head_hash = ?, head_hmac = ?, key_id = ?, updated_at = ? WHERE number = ?"
        connection.execute(sql, (*head, at, number_))
    else:
        sql = (
            "UPDATE sessions SET state = ?, outcome = ?, seq = ?, head_hash = ?, head_hmac = ?, key_id = ?, epoch = ?,"
            " owner = ?, lease_until = ?, updated_at = ? WHERE number = ?"
        )
        connection.execute(sql, (*row, number_))
    sql = "INSERT INTO segments (session, first, last, hash, body) VALUES (?, ?, ?, ?, ?)"
    connection.execute(sql, (number_, segment.first, segment.last, segment.hash, segment.body))
    for change in _to_project(connection, row_changes):
        _project(connection, wanted.session_id, change)


# whether anything at all stands that the end of a call may settle
_ANYTHING_OPEN = "SELECT EXISTS (SELECT 1 FROM idempotency_keys) OR EXISTS (SELECT 1 FROM meter_entries)"


def _to_project(connection: SqlConnection, row_changes: Sequence[RowChange]) -> Sequence[RowChange]:
    """The changes in order; most calls hold neither key nor meter, and where nobody does there is nothing to settle."""
    settles = sum(isinstance(change, SettleKey | SettleMeters) for change in row_changes)
    takes = any(isinstance(change, ClaimKey | Reserve) for change in row_changes)
    if not settles or takes or connection.execute(_ANYTHING_OPEN).fetchone()[0]:
        return row_changes
    return [change for change in row_changes if not isinstance(change, SettleKey | SettleMeters)]


def _holds(connection: SqlConnection, lease: JobLease) -> bool:
    sql = f"SELECT 1 FROM jobs WHERE id = ? AND epoch = ? AND status = 'leased'{connection.for_update}"
    return connection.execute(sql, (lease.job_id, lease.epoch)).fetchone() is not None


def _create(connection: SqlConnection, first: Event, row: tuple[Any, ...]) -> int:
    p = first.payload
    sql = (
        "INSERT INTO sessions (id, agent, bundle, created_at, state, outcome, seq, head_hash, head_hmac, key_id,"
        " epoch, owner, lease_until, updated_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING number"
    )
    made = connection.execute(sql, (first.session_id, p["agent"], p["bundle"], timestamp(first.at), *row))
    return int(made.fetchone()[0])


def _refused(
    connection: SqlConnection, row_changes: Sequence[RowChange], voucher: Voucher | None
) -> HeldKey | ExpiredKey | FullMeter | None:
    """The first key that somebody else holds, or meter that would go beyond its limit."""
    added: list[Reserve] = []
    claimed: dict[str, str] = {}
    for change in row_changes:
        refused: HeldKey | ExpiredKey | FullMeter | None = None
        if isinstance(change, ClaimKey):
            holder = claimed.setdefault(change.key, change.holder)
            if holder != change.holder:
                return HeldKey(change.key, IN_FLIGHT, None, holder)
            refused = holder_of(connection, change, voucher)
        elif isinstance(change, Reserve):
            refused = _full(connection, change, added)
            added.append(change)
        if refused is not None:
            return refused
    return None


def _full(connection: SqlConnection, change: Reserve, added: list[Reserve]) -> FullMeter | None:
    stored = meter_used(connection, change.key, change.holder, change.since)
    row_changes = [other.amount for other in added if other.key == change.key and other.holder != change.holder]
    used = total([stored, *row_changes])
    return (
        None if add(used, change.amount) <= change.limit else FullMeter(change.holder, change.meter, used, change.limit)
    )


def meter_used(connection: SqlConnection, key: str, row_changes: str, since: datetime | None) -> Any:
    """What was added to a shared meter under a key since a moment, by all but one holder; raises CorruptLog."""
    sql = "SELECT holder, amount FROM meter_entries WHERE key = ? AND holder != ? AND (settled = 0 OR at > ?)"
    at = timestamp(since) if since is not None else ""
    amounts = []
    for holder, text in connection.execute(sql, (key, row_changes, at)):
        try:
            amounts.append(number(text))
        except NotJson as error:
            told = f"what {holder} added to the meter {key} is no number: {error}"
            raise DamagedRow(session_of(holder), "meter_entries", told) from None
    return total(amounts)


def _project(connection: SqlConnection, session_id: str, change: RowChange) -> None:
    match change:
        case ClaimKey():
            sql = (
                "INSERT INTO idempotency_keys (key, holder, status, compared, until, expired) VALUES (?,?,?,?,?,?)"
                " ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, status = excluded.status, output = NULL,"
                " compared = excluded.compared, until = excluded.until, expired = excluded.expired"
            )
            until = timestamp(change.until) if change.until is not None else None
            row = (change.key, change.holder, IN_FLIGHT, canonical(change.compared), until, change.generation)
            connection.execute(sql, row)
        case Reserve():
            sql = (
                "INSERT INTO meter_entries (key, holder, amount, at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (key, holder) DO UPDATE SET amount = excluded.amount, at = excluded.at, settled = 0"
            )
            connection.execute(sql, (change.key, change.holder, number_text(change.amount), timestamp(change.at)))
        case SettleMeters(holder, keep):
            kept = "UPDATE meter_entries SET settled = 1 WHERE holder = ?"
            connection.execute(kept if keep else "DELETE FROM meter_entries WHERE holder = ?", (holder,))
        case SettleKey(holder, _, None):
            connection.execute("DELETE FROM idempotency_keys WHERE holder = ? AND expired = 0", (holder,))
            sql = "UPDATE idempotency_keys SET status = ?, output = NULL WHERE holder = ?"
            connection.execute(sql, (FREE, holder))
        case SettleKey(holder, output, status):
            sql = "UPDATE idempotency_keys SET status = ?, output = ? WHERE holder = ?"
            connection.execute(sql, (status, canonical(output), holder))
        case Enqueue():
            sql = (
                "INSERT INTO jobs (id, session_id, call_id, tool, status, run_at, enqueued_at)"
                " VALUES (?, ?, ?, ?, 'queued', ?, ?) ON CONFLICT (id) DO UPDATE SET status = 'queued',"
                " run_at = excluded.run_at, owner = NULL, lease_until = NULL, reason = ''"
            )
            times = (timestamp(change.run_at), timestamp(change.at))
            connection.execute(sql, (change.job_id, session_id, change.call_id, change.tool, *times))
        case MoveJob():
            _move_job(connection, change)
        case OpenRequest(row):
            assert row.opened_at is not None, "it is of an event"
            opened = timestamp(row.opened_at)
            expires = timestamp(row.expires_at) if row.expires_at else None
            values = (row.id, row.kind, session_id, row.status, opened, expires, None, canonical(row.payload))
            connection.execute(f"INSERT INTO requests ({REQUEST}) VALUES (?,?,?,?,?,?,?,?)", values)
        case DelayRequest(request_id, counts_at):
            moment = timestamp(counts_at) if counts_at is not None else None
            connection.execute("UPDATE requests SET counts_at = ? WHERE id = ?", (moment, request_id))
        case CloseRequest(request_id, status):
            connection.execute("UPDATE requests SET status = ? WHERE id = ?", (status, request_id))
        case SetState() | Wake():
            pass  # part of the session's own row
        case _:
            assert_never(change)


def _move_job(connection: SqlConnection, change: MoveJob) -> None:
    stays = change.status == "leased"
    sql = (
        "UPDATE jobs SET status = ?1, reason = ?2, run_at = coalesce(?3, run_at), attempts = coalesce(?4, attempts),"
        " owner = CASE WHEN ?5 = 1 THEN owner END, lease_until = CASE WHEN ?5 = 1 THEN lease_until END WHERE id = ?6"
    )
    run_at = timestamp(change.run_at) if change.run_at is not None else None
    connection.execute(sql, (change.status, change.reason, run_at, change.attempt, int(stays), change.job_id))
