"""The store in a SQLite file: WAL, synchronous=FULL, one writer that commits what many sessions append."""

from __future__ import annotations

import base64
import json
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import trio

from engine import ports
from engine.policy.arithmetic import add, total
from engine.policy.value import canonical, loads, number, number_text, timestamp
from engine.ports import (
    Appended,
    AppendResult,
    Conflict,
    Fenced,
    Held,
    KeyHeld,
    Lease,
    MeterFull,
    RequestRow,
    SessionRow,
)
from engine.session.event import Event, EventKind
from engine.store import chain
from engine.store.migrations import migrate
from engine.store.projection import (
    IN_FLIGHT,
    ClaimKey,
    CloseRequest,
    OpenRequest,
    Reserve,
    SetState,
    SettleKey,
    SettleMeters,
    changes,
)
from engine.store.writer import Writer

T = TypeVar("T")

_SESSION = "id, agent, state, outcome, bundle, seq, created_at, updated_at"
_LINK = "session_id, seq, step, kind, at, payload, salt, payload_hash, hash"
_REQUEST = "id, kind, session_id, status, opened_at, expires_at, payload"


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[SqliteStore]:
    """The store in a file, made if absent, open for the length of the context."""
    writing = await trio.to_thread.run_sync(prepare, path)
    reading = await trio.to_thread.run_sync(connect, path)
    try:
        async with trio.open_nursery() as nursery:
            writer = Writer(writing)
            nursery.start_soon(writer.work)
            yield SqliteStore(writer, reading)
            writer.close()
    finally:
        reading.close()
        writing.close()


def prepare(path: Path) -> sqlite3.Connection:
    """A connection to a file that is made, with its directory, if absent; raises sqlite3.Error, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return connect(path)


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the pragmas that the promises rest on; raises sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


class SqliteStore:
    """See `ports.Store`."""

    def __init__(self, writer: Writer, reading: sqlite3.Connection) -> None:
        self._writer = writer
        self._reading = reading
        self._one_reader = trio.CapacityLimiter(1)

    async def _read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        return await trio.to_thread.run_sync(job, self._reading, limiter=self._one_reader)

    async def append(
        self, session_id: str, after: int, events: Sequence[Event], *, epoch: int | None = None
    ) -> AppendResult:
        """See `ports.Store`."""
        return await self._writer.do(lambda connection: _append(connection, session_id, after, events, epoch))

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """See `ports.Store`."""
        sql = f"SELECT {_LINK} FROM events WHERE session_id = ? AND seq > ? ORDER BY seq"
        rows = await self._read(lambda c: c.execute(sql, (session_id, after)).fetchall())
        if not rows and after == 0:
            raise ports.UnknownSession(session_id)
        return [chain.unlink(chain.Link(*row)) for row in rows]

    async def head(self, session_id: str) -> tuple[int, int]:
        """See `ports.Store`."""
        row = await self._read(lambda c: _session(c, session_id, "seq, epoch"))
        return row[0], row[1]

    async def claim(self, session_id: str, owner: str, lease: timedelta, now: datetime) -> Lease | Held:
        """See `ports.Store`."""
        return await self._writer.do(lambda connection: _claim(connection, session_id, owner, lease, now))

    async def renew(self, lease: Lease, until: datetime) -> bool:
        """See `ports.Store`."""
        sql = "UPDATE sessions SET lease_until = ? WHERE id = ? AND epoch = ? AND owner IS NOT NULL"
        arguments = (timestamp(until), lease.session_id, lease.epoch)
        return await self._writer.do(lambda connection: connection.execute(sql, arguments).rowcount == 1)

    async def release(self, lease: Lease) -> None:
        """See `ports.Store`."""
        sql = "UPDATE sessions SET owner = NULL, lease_until = NULL WHERE id = ? AND epoch = ?"
        await self._writer.do(lambda connection: connection.execute(sql, (lease.session_id, lease.epoch)))

    async def sessions(self, limit: int | None = None, state: str | None = None) -> list[SessionRow]:
        """See `ports.Store`."""
        sql = (
            f"SELECT {_SESSION} FROM sessions WHERE ?1 IS NULL OR state = ?1 ORDER BY created_at DESC, id DESC LIMIT ?2"
        )
        rows = await self._read(lambda c: c.execute(sql, (state, -1 if limit is None else limit)).fetchall())
        return [_session_row(row) for row in rows]

    async def session(self, session_id: str) -> SessionRow:
        """See `ports.Store`."""
        return _session_row(await self._read(lambda c: _session(c, session_id, _SESSION)))

    async def requests(self, *, session_id: str | None = None, open_only: bool = True) -> list[RequestRow]:
        """See `ports.Store`."""
        sql = (
            f"SELECT {_REQUEST} FROM requests WHERE (?1 IS NULL OR session_id = ?1)"
            " AND (NOT ?2 OR status = 'open') ORDER BY opened_at, id"
        )
        rows = await self._read(lambda c: c.execute(sql, (session_id, open_only)).fetchall())
        return [_request_row(row) for row in rows]

    async def request(self, request_id: str) -> RequestRow | None:
        """See `ports.Store`."""
        sql = f"SELECT {_REQUEST} FROM requests WHERE id = ?"
        row = await self._read(lambda c: c.execute(sql, (request_id,)).fetchone())
        return _request_row(row) if row else None

    async def verify(self, session_id: str) -> list[str]:
        """See `ports.Store`."""
        return await self._read(lambda connection: _verify(connection, session_id))

    async def save_bundle(self, digest: str, files: Mapping[str, bytes]) -> None:
        """See `ports.Store`."""
        known = await self._read(lambda c: c.execute("SELECT 1 FROM bundles WHERE digest = ?", (digest,)).fetchone())
        if known:
            return
        text = json.dumps({path: base64.b64encode(content).decode() for path, content in files.items()})
        sql = "INSERT OR IGNORE INTO bundles (digest, files) VALUES (?, ?)"
        await self._writer.do(lambda connection: connection.execute(sql, (digest, text)))

    async def load_bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """See `ports.Store`."""
        sql = "SELECT files FROM bundles WHERE digest = ?"
        row = await self._read(lambda c: c.execute(sql, (digest,)).fetchone())
        return {path: base64.b64decode(text) for path, text in json.loads(row[0]).items()} if row else None


def _session(connection: sqlite3.Connection, session_id: str, columns: str) -> Any:
    row = connection.execute(f"SELECT {columns} FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if row is None:
        raise ports.UnknownSession(session_id)
    return row


def _append(
    connection: sqlite3.Connection, session_id: str, after: int, events: Sequence[Event], epoch: int | None
) -> AppendResult:
    found = connection.execute("SELECT seq, head_hash, epoch FROM sessions WHERE id = ?", (session_id,)).fetchone()
    seq, previous, newest = found or (0, chain.GENESIS, 0)
    if epoch is not None and epoch < newest:
        return Fenced(newest)
    if seq != after:
        return Conflict(seq)
    beside = changes(events)
    for change in beside:
        refused: KeyHeld | MeterFull | None = None
        if isinstance(change, ClaimKey):
            refused = _claim_key(connection, change)
        elif isinstance(change, Reserve):
            refused = _reserve(connection, change)
        if refused is not None:
            return refused
    rows = []
    for event in events:
        row = chain.link(event, previous, secrets.token_hex(16))
        previous = row.hash
        rows.append(tuple(getattr(row, column) for column in _LINK.split(", ")))
    connection.executemany(f"INSERT INTO events ({_LINK}) VALUES (?,?,?,?,?,?,?,?,?)", rows)
    last = events[-1]
    if found is None:
        p = events[0].payload
        created = (session_id, p["agent"], p["bundle"], timestamp(events[0].at))
        connection.execute(
            "INSERT INTO sessions (id, agent, bundle, created_at, state, outcome, seq, head_hash, updated_at)"
            " VALUES (?, ?, ?, ?, 'running', 'running', 0, '', '')",
            created,
        )
    connection.execute(
        "UPDATE sessions SET seq = ?, head_hash = ?, updated_at = ? WHERE id = ?",
        (last.seq, previous, timestamp(last.at), session_id),
    )
    for change in beside:
        _project(connection, session_id, change)
    return Appended()


def _claim_key(connection: sqlite3.Connection, change: ClaimKey) -> KeyHeld | None:
    forget = "DELETE FROM idempotency_keys WHERE key = ? AND status = 'ok' AND until <= ?"
    connection.execute(forget, (change.key, timestamp(change.at)))
    sql = "INSERT INTO idempotency_keys (key, holder, status, compared, until) VALUES (?, ?, ?, ?, ?)"
    until = timestamp(change.until) if change.until is not None else None
    values = (change.key, change.holder, IN_FLIGHT, canonical(change.compared), until)
    connection.execute(f"{sql} ON CONFLICT (key) DO NOTHING", values)
    sql = "SELECT holder, status, output, compared FROM idempotency_keys WHERE key = ?"
    holder, status, output, compared = connection.execute(sql, (change.key,)).fetchone()
    if holder == change.holder:
        return None
    given = loads(output) if output is not None else None
    return KeyHeld(change.key, status, given, holder, loads(compared) if compared is not None else None)


def _reserve(connection: sqlite3.Connection, change: Reserve) -> MeterFull | None:
    since = timestamp(change.since) if change.since is not None else ""
    sql = "SELECT amount FROM meter_entries WHERE key = ? AND holder != ? AND (NOT settled OR at > ?)"
    used = total(number(row[0]) for row in connection.execute(sql, (change.key, change.holder, since)))
    if add(used, change.amount) > change.limit:
        return MeterFull(change.holder, change.meter, used, change.limit)
    sql = "INSERT OR REPLACE INTO meter_entries (key, holder, amount, at) VALUES (?, ?, ?, ?)"
    connection.execute(sql, (change.key, change.holder, number_text(change.amount), timestamp(change.at)))
    return None


def _project(connection: sqlite3.Connection, session_id: str, change: object) -> None:
    match change:
        case SettleMeters(holder, True):
            connection.execute("UPDATE meter_entries SET settled = 1 WHERE holder = ?", (holder,))
        case SettleMeters(holder, False):
            connection.execute("DELETE FROM meter_entries WHERE holder = ?", (holder,))
        case SettleKey(holder, _, None):
            connection.execute("DELETE FROM idempotency_keys WHERE holder = ?", (holder,))
        case SettleKey(holder, output, status):
            sql = "UPDATE idempotency_keys SET status = ?, output = ? WHERE holder = ?"
            connection.execute(sql, (status, canonical(output), holder))
        case OpenRequest(row):
            expires = timestamp(row.expires_at) if row.expires_at else None
            values = (
                row.id,
                row.kind,
                session_id,
                row.status,
                timestamp(row.opened_at),
                expires,
                canonical(row.payload),
            )
            connection.execute(f"INSERT INTO requests ({_REQUEST}) VALUES (?,?,?,?,?,?,?)", values)
        case CloseRequest(request_id, status):
            connection.execute("UPDATE requests SET status = ? WHERE id = ?", (status, request_id))
        case SetState(state, outcome):
            connection.execute("UPDATE sessions SET state = ?, outcome = ? WHERE id = ?", (state, outcome, session_id))


def _claim(
    connection: sqlite3.Connection, session_id: str, owner: str, lease: timedelta, now: datetime
) -> Lease | Held:
    epoch, live_owner, until = _session(connection, session_id, "epoch, owner, lease_until")
    if live_owner is not None and live_owner != owner and until > timestamp(now):
        return Held(live_owner, datetime.fromisoformat(until))
    sql = "UPDATE sessions SET epoch = ?, owner = ?, lease_until = ? WHERE id = ?"
    connection.execute(sql, (epoch + 1, owner, timestamp(now + lease), session_id))
    return Lease(session_id, owner, epoch + 1, now + lease)


def _verify(connection: sqlite3.Connection, session_id: str) -> list[str]:
    try:
        seq, head, *shown = _session(connection, session_id, "seq, head_hash, state, outcome, agent, bundle")
        sql = f"SELECT {_LINK} FROM events WHERE session_id = ? ORDER BY seq"
        rows = [chain.Link(*row) for row in connection.execute(sql, (session_id,))]
    except sqlite3.DatabaseError as error:
        return [f"the file can't be read: {error}"]
    problems = chain.verify(session_id, rows, seq, head)
    problems += [problem for row in rows if (problem := chain.parsed(row)) and not problems]
    if problems:
        return problems
    return _listed_wrongly(shown, [chain.unlink(row) for row in rows if row.payload is not None])


def _listed_wrongly(shown: list[str], log: list[Event]) -> list[str]:
    """Where the listing beside the log says something else than the log."""
    told = {"state": "running", "outcome": "running"}
    for change in changes(log):
        if isinstance(change, SetState):
            told = {"state": change.state, "outcome": change.outcome}
    if log and log[0].kind is EventKind.SESSION_STARTED:
        told |= {name: log[0].payload[name] for name in ("agent", "bundle")}
    listed = dict(zip(("state", "outcome", "agent", "bundle"), shown, strict=True))
    return [
        f"its {name} is listed as {listed[name]}, and the log says {say}"
        for name, say in told.items()
        if listed[name] != say
    ]


def _session_row(row: Any) -> SessionRow:
    id_, agent, state, outcome, bundle, seq, created, updated = row
    times = datetime.fromisoformat(created), datetime.fromisoformat(updated)
    return SessionRow(id_, agent, state, outcome, bundle, seq, *times)


def _request_row(row: Any) -> RequestRow:
    id_, kind, session_id, status, opened, expires, payload = row
    moment = datetime.fromisoformat(expires) if expires else None
    return RequestRow(id_, kind, session_id, status, datetime.fromisoformat(opened), moment, loads(payload))
