"""Schema 3: what one append wrote is one compressed row, instead of a row for each event."""

from __future__ import annotations

import sqlite3
from itertools import groupby

import zstandard

SCRIPT = """
    ALTER TABLE sessions RENAME TO old_sessions;
    DROP INDEX sessions_by_age;
    CREATE TABLE sessions (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        agent TEXT NOT NULL,
        bundle TEXT NOT NULL,
        state TEXT NOT NULL,
        outcome TEXT NOT NULL,
        seq INTEGER NOT NULL,
        head_hash TEXT NOT NULL,
        epoch INTEGER NOT NULL DEFAULT 0,
        owner TEXT,
        lease_until TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    ) STRICT;
    CREATE INDEX sessions_by_age ON sessions (created_at, id);
    INSERT INTO sessions (id, agent, bundle, state, outcome, seq, head_hash, epoch, owner, lease_until, created_at,
        updated_at)
        SELECT id, agent, bundle, state, outcome, seq, head_hash, epoch, owner, lease_until, created_at, updated_at
        FROM old_sessions;
    DROP TABLE old_sessions;
    CREATE TABLE segments (
        session INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        hash TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX segments_in_order ON segments (session, first);
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        call_id TEXT NOT NULL,
        tool TEXT NOT NULL,
        status TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        run_at TEXT NOT NULL,
        enqueued_at TEXT NOT NULL,
        owner TEXT,
        lease_until TEXT,
        epoch INTEGER NOT NULL DEFAULT 0,
        reason TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX jobs_to_do ON jobs (run_at) WHERE status IN ('queued', 'leased');
    CREATE INDEX jobs_by_session ON jobs (session_id);
    CREATE INDEX requests_by_expiry ON requests (expires_at) WHERE status = 'open';
    CREATE INDEX sessions_running ON sessions (lease_until) WHERE state = 'running';
    CREATE TABLE snapshots (
        session_id TEXT PRIMARY KEY,
        seq INTEGER NOT NULL,
        version TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT
"""

_MANY = 256


def run(connection: sqlite3.Connection, script: str) -> None:
    """Run the statements of a script inside of the open transaction."""
    for statement in script.split(";"):
        if statement.strip():
            connection.execute(statement)


def migrate(connection: sqlite3.Connection) -> None:
    """Pack the events of schema 2; every link of the chain stays what it was."""
    run(connection, SCRIPT)
    sql = (
        "SELECT s.number, e.seq, e.step, e.kind, e.at, e.payload, e.salt, e.payload_hash, e.hash FROM events e"
        " JOIN sessions s ON s.id = e.session_id ORDER BY s.number, e.seq"
    )
    compress = zstandard.ZstdCompressor(level=1).compress
    # where a log has a gap a segment ends, so that the gap is still found
    for (number, _), rows in groupby(connection.execute(sql), key=lambda row: (row[0], row[1] // _MANY)):
        segment: list[tuple[int, str, list[str]]] = []
        for _, seq, step, kind, at, payload, salt, payload_hash, link in rows:
            lines = [f"{step} {kind} {at} {salt or '-' + payload_hash}", payload or ""]
            if segment and seq != segment[-1][0] + 1:
                _keep(connection, number, segment, compress)
                segment = []
            segment.append((seq, link, lines))
        _keep(connection, number, segment, compress)
    connection.execute("DROP TABLE events")


def _keep(
    connection: sqlite3.Connection,
    number: int,
    segment: list[tuple[int, str, list[str]]],
    compress: object,
) -> None:
    text = "\n".join(line for _, _, lines in segment for line in lines)
    body = compress(text.encode("ascii"))  # type: ignore[operator]
    values = (number, segment[0][0], segment[-1][0], segment[-1][1], body)
    connection.execute("INSERT INTO segments (session, first, last, hash, body) VALUES (?, ?, ?, ?, ?)", values)
