"""What a session said is taken out of a store's tables; that it was, and that its chain is whole, can still be told."""

from __future__ import annotations

from collections.abc import Iterable

from engine.ports.records import ERASED
from engine.random_bytes import random_hex
from engine.session.state.event import EventKind
from engine.store import chain
from engine.store.database import SqlConnection
from engine.store.queries import head_of, segments_of

# of whom and of what nothing is in these: a driver came and went, a step began and ended
KEPT = frozenset(
    {
        EventKind.SESSION_CLAIMED,
        EventKind.SESSION_RELEASED,
        EventKind.SESSION_WOKEN,
        EventKind.STEP_STARTED,
        EventKind.STEP_ENDED,
    }
)


def erased_segments(segments: Iterable[chain.Segment]) -> tuple[list[chain.Segment], int]:
    """The segments without what was said, and how many payloads that are."""
    found, count = [], 0
    for segment in segments:
        done, kinds = chain.erased(segment), chain.kinds_of(segment)
        for seq, kind in enumerate(kinds, segment.first):
            if kind not in KEPT and seq not in done:
                segment = chain.erase(segment, seq)
                count += 1
        found.append(segment)
    return found, count


def erase(connection: SqlConnection, session_id: str) -> int:
    """Erase a session's payloads and what stands beside its log; raises UnknownSession.

    Its idempotency keys stay taken: what was done once is not done again because somebody forgot it.
    """
    head_of(connection, session_id)
    connection.overwrite_deleted()
    segments, count = erased_segments(segments_of(connection, session_id))
    sql = "UPDATE segments SET body = ? WHERE session = (SELECT number FROM sessions WHERE id = ?) AND first = ?"
    connection.executemany(sql, [(one.body, session_id, one.first) for one in segments])
    for table in ("snapshots", "requests", "jobs"):
        connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))
    # a holder is a session's call: SESSION/CALL
    own = "holder >= ? || '/' AND holder < ? || '0'"
    connection.execute(
        f"UPDATE idempotency_keys SET status = CASE WHEN output IS NULL THEN status ELSE ? END, output = NULL,"
        f" compared = NULL WHERE {own}",
        (ERASED, session_id, session_id),
    )
    # the digest of a call could be guessed, in links as well as where it was noted what somebody saw
    connection.execute(
        "DELETE FROM confirmation_links WHERE request_id >= ?1 || '.' AND request_id < ?1 || '/'", (session_id,)
    )
    noted = "about >= ?1 || '.' AND about < ?1 || '/' OR instr(about, '/' || ?1 || '.') > 0"
    connection.execute(f"UPDATE audit_events SET digest = '', salt = '' WHERE mark != '' AND ({noted})", (session_id,))
    # what it was asked for by may name a person, and its digest could be guessed
    asked = connection.execute("SELECT scope, key FROM creations WHERE session_id = ?", (session_id,)).fetchall()
    sql = "UPDATE creations SET key = ?, digest = ? WHERE scope = ? AND key = ?"
    connection.executemany(sql, [(random_hex(16), random_hex(16), scope, key) for scope, key in asked])
    return count
