"""Questions to a store's file that both ask: who keeps it, and who only reads it."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from engine import stored
from engine.store import chain
from engine.store.log_key import Seal


@dataclass(frozen=True, slots=True)
class StoredHead:
    """The end of a session's chain as it stands beside it, and its seal if it has one."""

    place: chain.Place
    seal: Seal | None


def shown_as_it_is(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, on which a text that is none is shown as what it is: it keeps nobody from the rows beside it."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
    return connection


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Several questions that all see the file as it is at the first."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def segments_of(connection: sqlite3.Connection, session_id: str, after: int = 0) -> list[chain.Segment]:
    """What a session's log is stored as, from behind an event."""
    sql = (
        "SELECT first, last, hash, body FROM segments WHERE session = (SELECT number FROM sessions WHERE id = ?)"
        " AND last > ? ORDER BY first"
    )
    return [chain.Segment(session_id, *row) for row in connection.execute(sql, (session_id, after))]


def place_before(connection: sqlite3.Connection, session_id: str, first: int) -> chain.Place:
    """The place that a segment follows on, which begins with an event."""
    sql = "SELECT hash FROM segments WHERE session = (SELECT number FROM sessions WHERE id = ?) AND last = ?"
    row = connection.execute(sql, (session_id, first - 1)).fetchone()
    return chain.START if row is None else chain.Place(first - 1, row[0])


def head_of(connection: sqlite3.Connection, session_id: str) -> StoredHead:
    """A session's head; raises UnknownSession."""
    sql = "SELECT seq, head_hash, head_hmac, key_id FROM sessions WHERE id = ?"
    row = connection.execute(sql, (session_id,)).fetchone()
    if row is None:
        raise stored.UnknownSession(session_id)
    seq, link, hmac, key_id = row
    return StoredHead(chain.Place(seq, link), Seal(hmac, key_id or "") if hmac is not None else None)


def bundle_files(connection: sqlite3.Connection, digest: str) -> Mapping[str, bytes] | None:
    """A bundle's files, or None; raises DamagedBundle."""
    row = connection.execute("SELECT files FROM bundles WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        return None
    try:
        return {path: base64.b64decode(text, validate=True) for path, text in json.loads(row[0]).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise stored.DamagedBundle(digest, str(error)) from None
