"""Questions to a store's file that both ask: who keeps it, and who only reads it."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Mapping

from engine.store import chain


def segments_of(connection: sqlite3.Connection, session_id: str, after: int = 0) -> list[chain.Segment]:
    """What a session's log is stored as, from behind an event."""
    sql = (
        "SELECT first, last, hash, body FROM segments WHERE session = (SELECT number FROM sessions WHERE id = ?)"
        " AND last > ? ORDER BY first"
    )
    return [chain.Segment(session_id, *row) for row in connection.execute(sql, (session_id, after))]


def bundle_files(connection: sqlite3.Connection, digest: str) -> Mapping[str, bytes] | None:
    """A bundle's files, or None."""
    row = connection.execute("SELECT files FROM bundles WHERE digest = ?", (digest,)).fetchone()
    return {path: base64.b64decode(text) for path, text in json.loads(row[0]).items()} if row else None
