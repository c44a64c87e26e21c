"""The schema of the SQLite store, version by version; what is released is never edited."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from engine.errors import EngineError
from engine.store import long_keys, segments

MIGRATIONS: tuple[str | Callable[[sqlite3.Connection], None], ...] = (
    """
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
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
    CREATE TABLE events (
        session_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        step INTEGER NOT NULL,
        kind TEXT NOT NULL,
        at TEXT NOT NULL,
        payload TEXT,
        salt TEXT,
        payload_hash TEXT NOT NULL,
        hash TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX events_in_order ON events (session_id, seq);
    CREATE TABLE idempotency_keys (
        key TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        status TEXT NOT NULL,
        output TEXT
    ) STRICT;
    CREATE INDEX keys_by_holder ON idempotency_keys (holder);
    CREATE TABLE requests (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        session_id TEXT NOT NULL,
        status TEXT NOT NULL,
        opened_at TEXT NOT NULL,
        expires_at TEXT,
        payload TEXT NOT NULL
    ) STRICT;
    CREATE INDEX requests_by_status ON requests (status, opened_at);
    CREATE INDEX requests_by_session ON requests (session_id);
    CREATE TABLE bundles (
        digest TEXT PRIMARY KEY,
        files TEXT NOT NULL
    ) STRICT;
    """,
    """
    ALTER TABLE idempotency_keys ADD COLUMN compared TEXT;
    ALTER TABLE idempotency_keys ADD COLUMN until TEXT;
    CREATE TABLE meter_entries (
        key TEXT NOT NULL,
        holder TEXT NOT NULL,
        amount TEXT NOT NULL,
        at TEXT NOT NULL,
        settled INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (key, holder)
    ) STRICT;
    CREATE INDEX meter_entries_by_holder ON meter_entries (holder);
    """,
    segments.migrate,
    """
    ALTER TABLE bundles ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0
    """,
    """
    CREATE TABLE store (id TEXT NOT NULL) STRICT;
    INSERT INTO store (id) VALUES (lower(hex(randomblob(16))));
    ALTER TABLE sessions ADD COLUMN head_hmac TEXT;
    ALTER TABLE sessions ADD COLUMN key_id TEXT;
    DROP TABLE snapshots;
    CREATE TABLE snapshots (
        session_id TEXT PRIMARY KEY,
        seq INTEGER NOT NULL,
        link TEXT NOT NULL,
        version TEXT NOT NULL,
        body BLOB NOT NULL,
        hmac TEXT NOT NULL,
        key_id TEXT NOT NULL
    ) STRICT
    """,
    """
    ALTER TABLE idempotency_keys ADD COLUMN expired INTEGER NOT NULL DEFAULT 0
    """,
    """
    CREATE TABLE tokens (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        secret_hash TEXT NOT NULL UNIQUE,
        role TEXT NOT NULL,
        person TEXT,
        tenant TEXT,
        created_at TEXT NOT NULL,
        created_by TEXT NOT NULL,
        expires_at TEXT,
        revoked_at TEXT,
        used_at TEXT,
        scopes TEXT NOT NULL
    ) STRICT;
    CREATE TABLE logins (
        secret_hash TEXT PRIMARY KEY,
        token_id TEXT NOT NULL,
        created_at TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        once INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE creations (
        scope TEXT NOT NULL,
        key TEXT NOT NULL,
        digest TEXT NOT NULL,
        session_id TEXT NOT NULL,
        tenant TEXT,
        at TEXT NOT NULL,
        owner TEXT NOT NULL,
        PRIMARY KEY (scope, key)
    ) STRICT;
    CREATE INDEX creations_by_session ON creations (session_id);
    CREATE INDEX creations_by_tenant ON creations (tenant);
    CREATE TABLE audit_events (
        number INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        means TEXT NOT NULL,
        address TEXT NOT NULL,
        tenant TEXT,
        action TEXT NOT NULL,
        about TEXT NOT NULL,
        digest TEXT NOT NULL,
        result TEXT NOT NULL,
        link TEXT NOT NULL
    ) STRICT
    """,
    """
    ALTER TABLE tokens ADD COLUMN member_of TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE logins ADD COLUMN identity TEXT;
    ALTER TABLE store ADD COLUMN stopped_at TEXT
    """,
    """
    CREATE TABLE uploads (
        bundle TEXT PRIMARY KEY,
        at TEXT NOT NULL,
        uploaded_by TEXT NOT NULL,
        person TEXT
    ) STRICT;
    CREATE TABLE deployments (
        number INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        bundle TEXT NOT NULL,
        at TEXT NOT NULL,
        deployed_by TEXT NOT NULL,
        person TEXT,
        note TEXT NOT NULL,
        report TEXT NOT NULL
    ) STRICT;
    CREATE TABLE request_claims (
        request_id TEXT PRIMARY KEY,
        person TEXT NOT NULL,
        until TEXT NOT NULL
    ) STRICT;
    CREATE TABLE deliveries (
        id TEXT PRIMARY KEY,
        notification TEXT NOT NULL,
        kind TEXT NOT NULL,
        about TEXT NOT NULL,
        made_at TEXT NOT NULL,
        due_at TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        state TEXT NOT NULL,
        problem TEXT NOT NULL
    ) STRICT;
    CREATE INDEX deliveries_due ON deliveries (state, notification, due_at);
    """,
    """
    ALTER TABLE deployments ADD COLUMN share TEXT;
    ALTER TABLE deployments ADD COLUMN attribute TEXT NOT NULL DEFAULT '';
    """,
    """
    CREATE TABLE absences (
        id TEXT PRIMARY KEY,
        person TEXT NOT NULL,
        begins TEXT NOT NULL,
        ends TEXT NOT NULL,
        delegate TEXT,
        tenant TEXT,
        created_by TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE confirmation_links (
        secret_hash TEXT PRIMARY KEY,
        request_id TEXT NOT NULL,
        digest TEXT NOT NULL,
        tenant TEXT,
        expires_at TEXT NOT NULL
    ) STRICT
    """,
    # a yes that was said counts then
    """
    ALTER TABLE requests ADD COLUMN counts_at TEXT
    """,
    # a link is good as long as the token that made it, and what was seen of a call can be forgotten
    """
    ALTER TABLE confirmation_links ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
    ALTER TABLE audit_events ADD COLUMN salt TEXT NOT NULL DEFAULT '';
    ALTER TABLE audit_events ADD COLUMN mark TEXT NOT NULL DEFAULT ''
    """,
    # whose machine it is that a token lets in
    """
    ALTER TABLE tokens ADD COLUMN stands_for TEXT
    """,
    # a store that was moved to another, and one into which another is moved; and yeses that count by now are found fast
    """
    ALTER TABLE store ADD COLUMN moved_to TEXT;
    ALTER TABLE store ADD COLUMN moved_from TEXT;
    ALTER TABLE store ADD COLUMN move_key TEXT;
    ALTER TABLE store ADD COLUMN move_done INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX requests_by_delay ON requests (counts_at) WHERE status = 'open' AND counts_at IS NOT NULL
    """,
    long_keys.migrate,
)


class NewerStore(EngineError):
    """The file was written by a later version of the engine."""


class ForeignDatabase(Exception):
    """The file is a database that no engine has made."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to this version's schema; raises NewerStore."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise NewerStore(f"the store has schema {version}, and this engine knows {len(MIGRATIONS)}")
    if version == len(MIGRATIONS):
        return
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise ForeignDatabase("the file is a database of something else; name another file")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        # another process may have migrated while this one waited for the lock
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            if callable(script):
                script(connection)
            else:
                segments.run(connection, script)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        # where the disk is full it is undone already, and undoing it again would hide why
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
