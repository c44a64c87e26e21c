"""An append to a store's tables: refused before anything is written, else the log and all that is derived from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.language.arithmetic import add, total
from engine.language.value import NotJson, number, timestamp
from engine.ports.records import (
    IN_FLIGHT,
    Appended,
    AppendResult,
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
from engine.store import chain
from engine.store.append_rows import Addition, Append, StoredSession, names_of, write_rows
from engine.store.database import SqlConnection
from engine.store.idempotency_keys import holder_of
from engine.store.log_key import Voucher
from engine.store.projection import ClaimKey, Reserve, RowChange
from engine.store.queries import place_before, seal_problems, stored_head
from engine.store.rows import moment, standing_problem


def append_each(connection: SqlConnection, wanted: Sequence[Append], voucher: Voucher | None) -> Sequence[AppendResult]:
    """Append each in the open transaction, or say why not; raises CorruptLog, SealedLog, TooLarge.

    Each finds what those before it have written.  Nothing is written of one that is refused.
    """
    results: list[AppendResult | None] = [None] * len(wanted)
    left = list(range(len(wanted)))
    while left:
        apart, left = _apart(wanted, left)
        for index, result in zip(apart, _append_apart(connection, [wanted[at] for at in apart], voucher), strict=True):
            results[index] = result
    return [result for result in results if result is not None]


def _apart(wanted: Sequence[Append], left: Sequence[int]) -> tuple[list[int], list[int]]:
    """Those that name nothing which one before them names, and the others."""
    taken: set[str] = set()
    apart: list[int] = []
    behind: list[int] = []
    for index in left:
        names = names_of(wanted[index])
        (behind if taken.intersection(names) else apart).append(index)
        taken.update(names)
    return apart, behind


def _append_apart(connection: SqlConnection, wanted: Sequence[Append], voucher: Voucher | None) -> list[AppendResult]:
    """Append those of which none has to do with another.

    Where there is a key nothing is added to a head that it does not vouch for: the new head would vouch for both.
    Where there is none nothing is added to a head that has a seal: the new one would have none.
    """
    standing = _standing(connection, [one.session_id for one in wanted])
    claimed = _claimed_keys(connection, wanted)
    results: list[AppendResult] = []
    additions = []
    for one in wanted:
        stands = standing.get(one.session_id, StoredSession())
        if _is_there(connection, one, stands):
            results.append(Appended())
            continue
        refused = _overtaken(connection, one, stands) or _refused(connection, one.changes, claimed, voucher)
        if refused is None:
            _check_seal(one.session_id, stands, voucher)
            additions.append(_addition(one, stands, voucher))
        results.append(refused or Appended())
    write_rows(connection, additions)
    return results


def _standing(connection: SqlConnection, session_ids: Sequence[str]) -> Mapping[str, StoredSession]:
    """The rows of sessions as they are, which nobody else changes from here on; raises DamagedRow."""
    columns = "number, seq, head_hash, epoch, owner, lease_until, state, outcome, head_hmac, key_id"
    sql = f"SELECT id, {columns} FROM sessions WHERE id"
    found = {}
    for id_, *row in connection.among(sql, session_ids, f" ORDER BY id{connection.for_update}").fetchall():
        stands = found[id_] = StoredSession(*row)
        problem = standing_problem(stands.epoch, stands.owner, stands.lease_until)
        if problem:
            raise DamagedRow(id_, "sessions", problem)
    return found


def _claimed_keys(connection: SqlConnection, wanted: Sequence[Append]) -> set[str]:
    """The idempotency keys of those that are claimed which somebody has claimed before."""
    keys = sorted({change.key for one in wanted for change in one.changes if isinstance(change, ClaimKey)})
    if not keys:
        return set()
    return {key for (key,) in connection.among("SELECT key FROM idempotency_keys WHERE key", keys).fetchall()}


def _addition(wanted: Append, stands: StoredSession, voucher: Voucher | None) -> Addition:
    segment = chain.seal(wanted.events, stands.head_hash, wanted.salts)
    seal = voucher.head(wanted.session_id, segment.last, segment.hash) if voucher is not None else None
    return Addition(wanted, stands, segment, seal)


def _is_there(connection: SqlConnection, wanted: Append, stands: StoredSession) -> bool:
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


def _overtaken(
    connection: SqlConnection, wanted: Append, stands: StoredSession
) -> Fenced | Conflict | HeldSession | None:
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


def _check_seal(session_id: str, stands: StoredSession, voucher: Voucher | None) -> None:
    if voucher is not None and stands.number is not None:
        head = stored_head(stands.seq, stands.head_hash, stands.head_hmac, stands.key_id)
        for problem in seal_problems(session_id, head, voucher):
            raise CorruptLog(session_id, problem)
    if voucher is None and stands.head_hmac is not None:
        raise SealedLog(session_id)


def _holds(connection: SqlConnection, lease: JobLease) -> bool:
    sql = f"SELECT 1 FROM jobs WHERE id = ? AND epoch = ? AND status = 'leased'{connection.for_update}"
    return connection.execute(sql, (lease.job_id, lease.epoch)).fetchone() is not None


def _refused(
    connection: SqlConnection, row_changes: Sequence[RowChange], taken: Collection[str], voucher: Voucher | None
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
            refused = holder_of(connection, change, voucher) if change.key in taken else None
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
