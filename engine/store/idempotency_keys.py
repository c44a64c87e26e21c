"""Who holds an idempotency key, and what came of it: as the log of the holder has it, whatever stands beside it."""

from __future__ import annotations

from datetime import datetime

from engine.language.value import loads
from engine.ports.records import (
    ERASED,
    FREE,
    IN_FLIGHT,
    UNKNOWN,
    DamagedRow,
    ExpiredKey,
    HeldKey,
    UnknownSession,
    session_of,
)
from engine.store.chain import erased
from engine.store.consistency import KEYS, LoggedRows, as_compared, logged_rows
from engine.store.database import SqlConnection
from engine.store.log_key import Voucher
from engine.store.projection import ClaimKey, generation_of
from engine.store.queries import segments_of, whole_log


def holder_of(connection: SqlConnection, change: ClaimKey, voucher: Voucher | None) -> HeldKey | ExpiredKey | None:
    """The other call that holds a key which somebody claims, how many of its results have expired, or None.

    Raises CorruptLog.

    An outcome that stands beside the log is believed where the holder's log says it too: it is what a customer is told.
    """
    sql = f"SELECT {KEYS.columns} FROM idempotency_keys WHERE key = ?"
    found = connection.execute(sql, (change.key,)).fetchone()
    if found is None:
        return None
    row = as_compared(KEYS, found)
    status, output, until, holder, compared, expired = row
    if holder == change.holder and status != FREE:
        return None
    of = _logged_rows(connection, change.key, holder, voucher)
    known = of.rows[KEYS].get(change.key)
    if known == row:
        over = generation_of(status, datetime.fromisoformat(until) if until is not None else None, expired, change.at)
        if over is not None:
            return None if over == change.generation else ExpiredKey(change.key, over)
        given = loads(output) if output is not None else None
        return HeldKey(change.key, status, given, holder, loads(compared))
    if of.wholly(KEYS) or (known is not None and known[KEYS.moving :] != row[KEYS.moving :]):
        told = f"the key {change.key} says something else than the log of {holder}, which holds it"
        raise DamagedRow(session_of(holder), "idempotency_keys", told)
    # what could say it was erased: it stays taken, and nothing is told of what came of it
    return HeldKey(change.key, status if status in (IN_FLIGHT, UNKNOWN) else ERASED, None, holder)


def _logged_rows(connection: SqlConnection, key: str, holder: str, voucher: Voucher | None) -> LoggedRows:
    """What the log of a holder says of the rows beside it."""
    session_id = session_of(holder)
    try:
        log = whole_log(connection, session_id, voucher)
    except UnknownSession:
        told = f"the key {key} is held by {holder}, and there is no such session"
        raise DamagedRow(session_id, "idempotency_keys", told) from None
    return logged_rows(log, {seq for segment in segments_of(connection, session_id) for seq in erased(segment)})
