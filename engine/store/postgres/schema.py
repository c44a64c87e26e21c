"""The schema of the store on PostgreSQL, version by version; what is released is never edited.

Times are texts in one form, which compare as the moments do; every text is compared by its bytes.  So the statements of
the store are the same on every database.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg

from engine.random_bytes import random_hex
from engine.store.faults import StoreFault
from engine.store.migrations import NewerStore

# a version of the store that an older release can't work with: the number that is in `store.version`
MIGRATIONS: tuple[str, ...] = (
    r"""
    CREATE FUNCTION is_moment(told TEXT) RETURNS BOOLEAN LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
    BEGIN
        IF told IS NULL OR told !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$'
            OR told < '0001' OR substr(told, 12, 2) > '23' OR substr(told, 18, 2) > '59' THEN
            RETURN FALSE;
        END IF;
        RETURN make_date(substr(told, 1, 4)::int, substr(told, 6, 2)::int, substr(told, 9, 2)::int) IS NOT NULL
            AND substr(told, 15, 2) <= '59';
    EXCEPTION WHEN OTHERS THEN
        RETURN FALSE;
    END $$;
    CREATE FUNCTION instr(whole TEXT, part TEXT) RETURNS INTEGER LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN strpos(whole, part);
    CREATE TABLE store (id TEXT NOT NULL, version INTEGER NOT NULL, stopped_at TEXT);
    CREATE TABLE sessions (
        number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        agent TEXT NOT NULL,
        bundle TEXT NOT NULL,
        state TEXT NOT NULL,
        outcome TEXT NOT NULL,
        seq BIGINT NOT NULL,
        head_hash TEXT NOT NULL,
        head_hmac TEXT,
        key_id TEXT,
        epoch BIGINT NOT NULL DEFAULT 0,
        owner TEXT,
        lease_until TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    ) WITH (fillfactor = 70);
    CREATE INDEX sessions_by_age ON sessions (created_at, id);
    CREATE INDEX sessions_running ON sessions (lease_until) WHERE state = 'running';
    CREATE TABLE segments (
        session BIGINT NOT NULL,
        first BIGINT NOT NULL,
        last BIGINT NOT NULL,
        hash TEXT NOT NULL,
        body BYTEA NOT NULL,
        PRIMARY KEY (session, first)
    );
    CREATE TABLE idempotency_keys (
        key TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        status TEXT NOT NULL,
        output TEXT,
        compared TEXT,
        until TEXT,
        expired BIGINT NOT NULL DEFAULT 0
    );
    CREATE INDEX keys_by_holder ON idempotency_keys (holder);
    CREATE TABLE meter_entries (
        key TEXT NOT NULL,
        holder TEXT NOT NULL,
        amount TEXT NOT NULL,
        at TEXT NOT NULL,
        settled INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (key, holder)
    );
    CREATE INDEX meter_entries_by_holder ON meter_entries (holder);
    CREATE TABLE requests (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        session_id TEXT NOT NULL,
        status TEXT NOT NULL,
        opened_at TEXT NOT NULL,
        expires_at TEXT,
        counts_at TEXT,
        payload TEXT NOT NULL
    );
    CREATE INDEX requests_by_status ON requests (status, opened_at);
    CREATE INDEX requests_by_session ON requests (session_id);
    CREATE INDEX requests_by_expiry ON requests (expires_at) WHERE status = 'open';
    CREATE INDEX requests_by_delay ON requests (counts_at) WHERE status = 'open';
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        call_id TEXT NOT NULL,
        tool TEXT NOT NULL,
        status TEXT NOT NULL,
        attempts BIGINT NOT NULL DEFAULT 0,
        run_at TEXT NOT NULL,
        enqueued_at TEXT NOT NULL,
        owner TEXT,
        lease_until TEXT,
        epoch BIGINT NOT NULL DEFAULT 0,
        reason TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX jobs_to_do ON jobs (run_at) WHERE status IN ('queued', 'leased');
    CREATE INDEX jobs_by_session ON jobs (session_id);
    CREATE TABLE snapshots (
        session_id TEXT PRIMARY KEY,
        seq BIGINT NOT NULL,
        link TEXT NOT NULL,
        version TEXT NOT NULL,
        body BYTEA NOT NULL,
        hmac TEXT NOT NULL,
        key_id TEXT NOT NULL
    );
    CREATE TABLE bundles (
        rowid BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        files TEXT NOT NULL,
        urgent BIGINT NOT NULL DEFAULT 0
    );
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
        scopes TEXT NOT NULL,
        member_of TEXT NOT NULL DEFAULT '[]',
        stands_for TEXT
    );
    CREATE TABLE logins (
        secret_hash TEXT PRIMARY KEY,
        token_id TEXT NOT NULL,
        created_at TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        once INTEGER NOT NULL,
        identity TEXT
    );
    CREATE TABLE creations (
        scope TEXT NOT NULL,
        key TEXT NOT NULL,
        digest TEXT NOT NULL,
        session_id TEXT NOT NULL,
        tenant TEXT,
        at TEXT NOT NULL,
        owner TEXT NOT NULL,
        PRIMARY KEY (scope, key)
    );
    CREATE INDEX creations_by_session ON creations (session_id);
    CREATE INDEX creations_by_tenant ON creations (tenant);
    CREATE TABLE audit_events (
        number BIGINT PRIMARY KEY,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        means TEXT NOT NULL,
        address TEXT NOT NULL,
        tenant TEXT,
        action TEXT NOT NULL,
        about TEXT NOT NULL,
        digest TEXT NOT NULL,
        result TEXT NOT NULL,
        link TEXT NOT NULL,
        salt TEXT NOT NULL DEFAULT '',
        mark TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE uploads (
        bundle TEXT PRIMARY KEY,
        at TEXT NOT NULL,
        uploaded_by TEXT NOT NULL,
        person TEXT
    );
    CREATE TABLE deployments (
        number BIGINT PRIMARY KEY,
        kind TEXT NOT NULL,
        bundle TEXT NOT NULL,
        at TEXT NOT NULL,
        deployed_by TEXT NOT NULL,
        person TEXT,
        note TEXT NOT NULL,
        report TEXT NOT NULL,
        share TEXT,
        attribute TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE request_claims (
        request_id TEXT PRIMARY KEY,
        person TEXT NOT NULL,
        until TEXT NOT NULL
    );
    CREATE TABLE deliveries (
        id TEXT PRIMARY KEY,
        notification TEXT NOT NULL,
        kind TEXT NOT NULL,
        about TEXT NOT NULL,
        made_at TEXT NOT NULL,
        due_at TEXT NOT NULL,
        attempts BIGINT NOT NULL,
        state TEXT NOT NULL,
        problem TEXT NOT NULL
    );
    CREATE INDEX deliveries_due ON deliveries (state, notification, due_at);
    CREATE TABLE absences (
        id TEXT PRIMARY KEY,
        person TEXT NOT NULL,
        begins TEXT NOT NULL,
        ends TEXT NOT NULL,
        delegate TEXT,
        tenant TEXT,
        created_by TEXT NOT NULL
    );
    CREATE TABLE confirmation_links (
        secret_hash TEXT PRIMARY KEY,
        request_id TEXT NOT NULL,
        digest TEXT NOT NULL,
        tenant TEXT,
        expires_at TEXT NOT NULL,
        made_by TEXT NOT NULL DEFAULT ''
    );
    """,
    # a store that was moved to another, and one into which another is moved; and who can still work with it
    """
    ALTER TABLE store ADD COLUMN moved_to TEXT;
    ALTER TABLE store ADD COLUMN moved_from TEXT;
    ALTER TABLE store ADD COLUMN move_key TEXT;
    ALTER TABLE store ADD COLUMN move_done INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE store ADD COLUMN works_with INTEGER NOT NULL DEFAULT 1;
    DROP INDEX requests_by_delay;
    CREATE INDEX requests_by_delay ON requests (counts_at) WHERE status = 'open' AND counts_at IS NOT NULL
    """,
)

# how many of these versions an engine has to know that is to work with the newest: what only adds changes nothing here,
# so that two releases run side by side; what takes away has to wait until no release is left that needs it
WORKS_WITH = 1


def migrate(raw: psycopg.Connection[Any], schema: str, lock: int, make: bool, absent: Callable[[], Exception]) -> None:
    """Bring a schema of the database to this version, one process at a time.

    The connection commits by itself.  Raises NewerStore, StoreFault, or what `absent` gives.
    """
    encoding = raw.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreFault(f"the database has the encoding {encoding}, and holds not every text: make one with UTF8")
    with raw.transaction():
        raw.execute(b"SELECT pg_advisory_xact_lock(%d)" % lock)
        version, works_with = _version(raw, schema)
        if version is None and not make:
            raise absent()
        if works_with > len(MIGRATIONS):
            told = f"the store has schema {version}, which works with {works_with} and newer"
            raise NewerStore(f"{told}, and this engine knows {len(MIGRATIONS)}")
        if version is not None and version >= len(MIGRATIONS):
            return
        if version is None:
            raw.execute(psycopg.sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(psycopg.sql.Identifier(schema)))
        for script in MIGRATIONS[version or 0 :]:
            raw.execute(_bytewise(script).encode())
        if version is None:
            raw.execute("INSERT INTO store (id, version) VALUES (%s, 0)", (random_hex(16),))
        raw.execute("UPDATE store SET version = %s, works_with = %s", (len(MIGRATIONS), WORKS_WITH))


def _version(raw: psycopg.Connection[Any], schema: str) -> tuple[int | None, int]:
    """The version of what is there, None where nothing is; and how many an engine has to know to work with it."""
    there = raw.execute("SELECT to_regclass(%s)", (f'"{schema}".store',)).fetchone()
    if there is None or there[0] is None:
        return None, 0
    # the first version has no column for the second
    row = raw.execute("SELECT to_jsonb(store) FROM store").fetchone()
    found = row[0] if row is not None else {}
    if "version" not in found:
        raise StoreFault(f"`store` in the schema `{schema}` says no version: it is no store's, or a damaged one's")
    return found["version"], found.get("works_with", 1)


def _bytewise(script: str) -> str:
    """A script whose columns of text are compared by their bytes, whatever the database's language is."""
    return re.sub(r"^(        \w+ TEXT)\b", r'\1 COLLATE "C"', script, flags=re.MULTILINE)
