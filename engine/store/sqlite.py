"""The store in a SQLite file: WAL, synchronous=FULL, one writer that commits what many sessions append."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import trio
import zstandard

from engine import ports
from engine.own_files import make_file, make_folder
from engine.policy.value import loads, timestamp
from engine.ports import AppendResult, JobLease, JobRow, Lease, RequestRow, SessionRow, Take
from engine.session.event import Event, EventKind
from engine.store import chain, queue
from engine.store.appending import REQUEST, Append, append
from engine.store.asking import bundle_files, segments_of
from engine.store.migrations import migrate
from engine.store.projection import SetState, changes
from engine.store.writer import Writer

T = TypeVar("T")

_SESSION = "id, agent, state, outcome, bundle, seq, created_at, updated_at"


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[SqliteStore]:
    """The store in a file, made if absent, open for the length of the context."""
    writing = await trio.to_thread.run_sync(prepare, path)
    reading = await trio.to_thread.run_sync(connect, path)
    try:
        writer = Writer(writing)
        async with writer.working():
            yield SqliteStore(writer, reading)
    finally:
        reading.close()
        writing.close()


def prepare(path: Path) -> sqlite3.Connection:
    """A connection to a file that is made, with its directory, if absent; raises sqlite3.Error, OSError."""
    make_folder(path.parent)
    make_file(path)
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
        self,
        session_id: str,
        after: int,
        events: Sequence[Event],
        *,
        epoch: int | None = None,
        take: Take | None = None,
        let_go: bool = False,
        job: JobLease | None = None,
    ) -> AppendResult:
        """See `ports.Store`."""
        wanted = Append(session_id, after, events, epoch, take, let_go, job)
        return await self._writer.do(lambda connection: append(connection, wanted))

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """See `ports.Store`."""
        segments = await self._read(lambda c: segments_of(c, session_id, after))
        if not segments and after == 0:
            raise ports.UnknownSession(session_id)
        try:
            return [event for segment in segments for event in chain.open_segment(segment) if event.seq > after]
        except chain.Unreadable as error:
            raise ports.CorruptLog(session_id, str(error)) from None

    async def heads(self, session_ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """See `ports.Store`."""

        def look(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
            sql = "SELECT id, seq, epoch FROM sessions WHERE id IN (SELECT value FROM json_each(?))"
            return {id_: (seq, epoch) for id_, seq, epoch in connection.execute(sql, (json.dumps(list(session_ids)),))}

        return await self._read(look)

    async def save_snapshot(self, session_id: str, seq: int, version: str, text: str) -> None:
        """See `ports.Store`."""
        sql = "INSERT OR REPLACE INTO snapshots (session_id, seq, version, body) VALUES (?, ?, ?, ?)"
        body = zstandard.ZstdCompressor(level=1).compress(text.encode("ascii"))
        await self._writer.do(lambda connection: connection.execute(sql, (session_id, seq, version, body)))

    async def snapshot(self, session_id: str, version: str) -> str | None:
        """See `ports.Store`."""
        sql = "SELECT body FROM snapshots WHERE session_id = ? AND version = ?"
        row = await self._read(lambda c: c.execute(sql, (session_id, version)).fetchone())
        if row is None:
            return None
        return zstandard.ZstdDecompressor().decompress(row[0], max_output_size=chain.MAX_SEGMENT).decode("ascii")

    async def renew(self, leases: Sequence[Lease], until: datetime) -> None:
        """See `ports.Store`."""
        sql = "UPDATE sessions SET lease_until = ? WHERE id = ? AND epoch = ? AND owner IS NOT NULL"
        rows = [(timestamp(until), lease.session_id, lease.epoch) for lease in leases]
        await self._writer.do(lambda connection: connection.executemany(sql, rows))

    async def release(self, lease: Lease) -> None:
        """See `ports.Store`."""
        sql = "UPDATE sessions SET owner = NULL, lease_until = NULL WHERE id = ? AND epoch = ?"
        await self._writer.do(lambda connection: connection.execute(sql, (lease.session_id, lease.epoch)))

    async def lease_job(self, owner: str, now: datetime, until: datetime) -> JobLease | None:
        """See `ports.Queue`."""
        next_at = await self.next_job_at()
        # most looks find nothing, and cost no commit
        if next_at is None or next_at > now:
            return None
        return await self._writer.do(lambda connection: queue.lease(connection, owner, now, until))

    async def renew_job(self, lease: JobLease, until: datetime) -> bool:
        """See `ports.Queue`."""
        return await self._writer.do(lambda connection: queue.renew(connection, lease, until))

    async def next_job_at(self) -> datetime | None:
        """See `ports.Queue`."""
        return await self._read(queue.next_at)

    async def jobs(self, status: str | None = None, session_id: str | None = None) -> list[JobRow]:
        """See `ports.Queue`."""
        return await self._read(lambda connection: queue.rows(connection, status, session_id))

    async def job(self, job_id: str) -> JobRow | None:
        """See `ports.Queue`."""
        return await self._read(lambda connection: queue.row(connection, job_id))

    async def due_sessions(self, now: datetime) -> list[str]:
        """See `ports.Store`."""
        return await self._read(lambda connection: queue.due_sessions(connection, now))

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
            f"SELECT {REQUEST} FROM requests WHERE (?1 IS NULL OR session_id = ?1)"
            " AND (NOT ?2 OR status = 'open') ORDER BY opened_at, id"
        )
        rows = await self._read(lambda c: c.execute(sql, (session_id, open_only)).fetchall())
        return [_request_row(row) for row in rows]

    async def request(self, request_id: str) -> RequestRow | None:
        """See `ports.Store`."""
        sql = f"SELECT {REQUEST} FROM requests WHERE id = ?"
        row = await self._read(lambda c: c.execute(sql, (request_id,)).fetchone())
        return _request_row(row) if row else None

    async def verify(self, session_id: str) -> list[str]:
        """See `ports.Store`."""
        return await self._read(lambda connection: _verify(connection, session_id))

    async def save_bundle(self, digest: str, files: Mapping[str, bytes], *, urgent: bool = False) -> None:
        """See `ports.Store`."""
        known = await self._read(lambda c: c.execute("SELECT 1 FROM bundles WHERE digest = ?", (digest,)).fetchone())
        if known:
            return
        text = json.dumps({path: base64.b64encode(content).decode() for path, content in files.items()})
        # what is urgent judges beside all that lie before this place
        place = "(SELECT coalesce(max(rowid), 0) + 1 FROM bundles)" if urgent else "0"
        sql = f"INSERT OR IGNORE INTO bundles (digest, files, urgent) VALUES (?, ?, {place})"
        await self._writer.do(lambda connection: connection.execute(sql, (digest, text)))

    async def urge_bundle(self, digest: str, urgent: bool) -> bool:
        """See `ports.Store`."""
        place = "(SELECT max(rowid) FROM bundles)" if urgent else "0"
        sql = f"UPDATE bundles SET urgent = {place} WHERE digest = ?"
        changed: int = await self._writer.do(lambda connection: connection.execute(sql, (digest,)).rowcount)
        return changed > 0

    async def urgent_bundles(self, after: str | None = None) -> Sequence[str]:
        """See `ports.Store`."""
        before = "AND digest != ?1 AND urgent >= (SELECT rowid FROM bundles WHERE digest = ?1)" if after else ""
        sql = f"SELECT digest FROM bundles WHERE urgent {before} ORDER BY urgent, rowid"
        rows = await self._read(lambda c: c.execute(sql, (after,) if after else ()).fetchall())
        return [digest for (digest,) in rows]

    async def load_bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """See `ports.Store`."""
        return await self._read(lambda connection: bundle_files(connection, digest))


def _session(connection: sqlite3.Connection, session_id: str, columns: str) -> Any:
    row = connection.execute(f"SELECT {columns} FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if row is None:
        raise ports.UnknownSession(session_id)
    return row


def _verify(connection: sqlite3.Connection, session_id: str) -> list[str]:
    try:
        seq, head, *shown = _session(connection, session_id, "seq, head_hash, state, outcome, agent, bundle")
        segments = segments_of(connection, session_id)
    except sqlite3.DatabaseError as error:
        return [f"the file can't be read: {error}"]
    problems = chain.verify(session_id, segments, seq, head)
    if problems:
        return problems
    try:
        return _listed_wrongly(shown, [event for segment in segments for event in chain.open_segment(segment)])
    except chain.Unreadable as error:
        return [str(error)]


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
