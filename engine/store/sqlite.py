"""The store in a SQLite file: WAL, synchronous=FULL, one writer that commits what many sessions append."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import trio
import zstandard

from engine.language.value import timestamp
from engine.ports import records as stored
from engine.ports.clock import Clock
from engine.ports.records import AppendResult, Claim, Head, InboxPage, JobLease, JobRow, Lease, RequestRow, SessionRow
from engine.ports.resources import LOG_KEY
from engine.session.state.event import Event
from engine.store import chain, queue
from engine.store.access import SqliteAccess
from engine.store.append import Append, append, meter_used
from engine.store.backup import StoreStopped, stopped_at, stopped_text
from engine.store.deliveries import SqliteDeliveries
from engine.store.deployments import SqliteDeployments
from engine.store.erase import erase
from engine.store.file import empty_wal, opened
from engine.store.log_key import HeadSeal, LogKey, Voucher
from engine.store.queries import (
    bundle_files,
    inbox_page,
    one_moment,
    place_before,
    read_log,
    request_of,
    request_rows,
    rows_about,
    session_ids,
    session_rows,
    stored_log,
)
from engine.store.rows import SESSION, session_row
from engine.store.strays import file_problems, store_id, strays
from engine.store.verify import erased_of, problems, sealed_head
from engine.store.wake import WakeSender
from engine.store.writer import CommitWriter
from engine.trio_clock import TrioClock

T = TypeVar("T")


@asynccontextmanager
async def open_store(
    path: Path, key: LogKey | None = None, *, make: bool = True, clock: Clock | None = None
) -> AsyncIterator[SqliteStore]:
    """The store in a file, which is made if it may be, open for the length of the context; a key vouches for it.

    Its clock is the machine's, unless another is given.

    Raises UnidentifiedStore where there is a key and the store has no id that heads are sealed for.
    """
    writing, reading, check = await trio.to_thread.run_sync(opened, path, make)
    try:
        writer = CommitWriter(writing, check)
        voucher = Voucher(store_id(reading), key) if key is not None else None
        with closing(WakeSender(path)) as sender:
            async with writer.working():
                yield SqliteStore(
                    writer, reading, voucher, check, stopped=stopped_at(reading), sender=sender, file=path,
                    clock=clock or TrioClock(),
                )  # fmt: skip
    finally:
        reading.close()
        writing.close()


class SqliteStore:
    """See `ports.Store`."""

    def __init__(
        self,
        writer: CommitWriter,
        reading: sqlite3.Connection,
        voucher: Voucher | None = None,
        check: Callable[[], None] = lambda: None,
        *,
        stopped: str | None = None,
        sender: WakeSender | None = None,
        file: Path | None = None,
        clock: Clock,
    ) -> None:
        """`check` raises where the file is not the one that was opened any more; one that is `stopped` only tells."""
        self.clock = clock
        self._stopped = stopped
        self._sender = sender
        self._file = file
        self._voucher = voucher
        self._check = check
        self._writer = writer
        self._reading = reading
        self._one_reader = trio.CapacityLimiter(1)

    async def _read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        def look() -> T:
            self._check()
            with one_moment(self._reading):
                return job(self._reading)

        return await trio.to_thread.run_sync(look, limiter=self._one_reader)

    @property
    def access(self) -> SqliteAccess:
        """See `ports.Store`."""
        return SqliteAccess(self._writer, self._read)

    @property
    def deployments(self) -> SqliteDeployments:
        """See `ports.Store`."""
        return SqliteDeployments(self._writer, self._read)

    @property
    def deliveries(self) -> SqliteDeliveries:
        """See `ports.Store`."""
        return SqliteDeliveries(self._writer, self._read)

    @property
    def keeps_snapshots(self) -> bool:
        """See `ports.Store`."""
        return self._voucher is not None

    async def append(
        self,
        session_id: str,
        after: int,
        events: Sequence[Event],
        *,
        epoch: int | None = None,
        take: Claim | None = None,
        release_lease: bool = False,
        job: JobLease | None = None,
    ) -> AppendResult:
        """See `ports.Store`."""
        self._check_released()
        wanted = Append(session_id, after, events, epoch, take, release_lease, job, self.clock.now())
        result = await self._writer.do(lambda connection: append(connection, wanted, self._voucher))
        if self._sender is not None and isinstance(result, stored.Appended):
            self._sender.tell(session_id)
        return result

    def _check_released(self) -> None:
        if self._stopped is not None:
            raise StoreStopped(stopped_text(self._stopped))

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """See `ports.Store`."""
        head, start, segments = await self._read(lambda c: stored_log(c, session_id, after))
        log = read_log(session_id, head, start, segments, self._voucher)
        return [event for event in log if event.seq > after]

    async def heads(self, session_ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """See `ports.Store`."""

        def look(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
            sql = "SELECT id, seq, epoch FROM sessions WHERE id IN (SELECT value FROM json_each(?))"
            return {id_: (seq, epoch) for id_, seq, epoch in connection.execute(sql, (json.dumps(list(session_ids)),))}

        return await self._read(look)

    async def save_snapshot(self, session_id: str, seq: int, version: str, text: str) -> None:
        """See `ports.Store`."""
        if self._voucher is None:
            return
        voucher, body = self._voucher, zstandard.ZstdCompressor(level=1).compress(text.encode("ascii"))

        def save(connection: sqlite3.Connection) -> None:
            place = place_before(connection, session_id, seq + 1)
            if place.seq != seq:
                return  # no append ended there
            seal = voucher.snapshot(session_id, seq, place.link, version, body)
            sql = (
                "INSERT OR REPLACE INTO snapshots (session_id, seq, link, version, body, hmac, key_id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)"
            )
            connection.execute(sql, (session_id, seq, place.link, version, body, seal.hmac, seal.key_id))

        await self._writer.do(save)

    async def snapshot(self, session_id: str, version: str) -> str | None:
        """See `ports.Store`."""
        if self._voucher is None:
            return None
        sql = (
            "SELECT s.seq, s.link, s.body, s.hmac, s.key_id FROM snapshots s JOIN sessions o ON o.id = s.session_id"
            " JOIN segments g ON g.session = o.number AND g.last = s.seq AND g.hash = s.link"
            " WHERE s.session_id = ? AND s.version = ?"
        )
        row = await self._read(lambda c: c.execute(sql, (session_id, version)).fetchone())
        if row is None:
            return None
        seq, link, body, hmac, key_id = row
        if not self._voucher.knows_snapshot(HeadSeal(hmac, key_id), session_id, seq, link, version, body):
            return None
        return chain.unpacked(body)

    async def renew(self, leases: Sequence[Lease], duration: timedelta) -> None:
        """See `ports.Store`."""
        sql = "UPDATE sessions SET lease_until = ? WHERE id = ? AND epoch = ? AND owner IS NOT NULL"
        until = timestamp(self.clock.now() + duration)
        rows = [(until, lease.session_id, lease.epoch) for lease in leases]
        await self._writer.do(lambda connection: connection.executemany(sql, rows))

    async def release(self, lease: Lease) -> None:
        """See `ports.Store`."""
        sql = "UPDATE sessions SET owner = NULL, lease_until = NULL WHERE id = ? AND epoch = ?"
        await self._writer.do(lambda connection: connection.execute(sql, (lease.session_id, lease.epoch)))

    async def lease_job(self, owner: str, duration: timedelta, *, but: Collection[str] = ()) -> JobLease | None:
        """See `ports.Queue`."""
        now, next_at = self.clock.now(), await self.next_job_at()
        # most looks find nothing, and cost no commit
        if self._stopped is not None or next_at is None or next_at > now:
            return None
        return await self._writer.do(lambda connection: queue.lease(connection, owner, now, now + duration, but))

    async def release_job(self, lease: JobLease) -> None:
        """See `ports.Queue`."""
        await self._writer.do(lambda connection: queue.release(connection, lease))

    async def damaged_jobs(self) -> list[JobRow]:
        """See `ports.Queue`."""
        return await self._read(queue.damaged)

    async def renew_job(self, lease: JobLease, duration: timedelta) -> bool:
        """See `ports.Queue`."""
        until = self.clock.now() + duration
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

    async def meter_used(self, key: str, since: datetime | None) -> Any:
        """See `ports.Store`."""
        return await self._read(lambda connection: meter_used(connection, key, "", since))

    async def due_sessions(self) -> list[str]:
        """See `ports.Store`."""
        if self._stopped is not None:
            return []
        now = self.clock.now()
        return await self._read(lambda connection: queue.due_sessions(connection, now))

    async def sessions(
        self,
        limit: int | None = None,
        state: str | None = None,
        *,
        since: datetime | None = None,
        agent: str | None = None,
        before: str | None = None,
        tenant: str | None = None,
    ) -> list[SessionRow]:
        """See `ports.Store`."""
        return await self._read(lambda connection: session_rows(connection, limit, state, since, agent, before, tenant))

    async def session(self, session_id: str) -> SessionRow:
        """See `ports.Store`."""
        row = await self._read(
            lambda c: c.execute(f"SELECT {SESSION} FROM sessions WHERE id = ?", (session_id,)).fetchone()
        )
        if row is None:
            raise stored.UnknownSession(session_id)
        return session_row(row)

    async def session_ids(self) -> list[str]:
        """See `ports.Store`."""
        return await self._read(session_ids)

    async def requests(
        self, *, session_id: str | None = None, open_only: bool = True, after: str | None = None,
        limit: int | None = None, tenant: str | None = None,
    ) -> list[RequestRow]:  # fmt: skip
        """See `ports.Store`."""
        return await self._read(lambda c: request_rows(c, session_id, open_only, after, limit, tenant))

    async def inbox(self, *, open_only: bool = True, limit: int | None = None, tenant: str | None = None) -> InboxPage:
        """See `ports.Store`."""
        return await self._read(lambda c: inbox_page(c, open_only, limit, tenant))

    async def requests_about(self, value: str, *, limit: int, tenant: str | None = None) -> list[RequestRow]:
        """See `ports.Store`."""
        return await self._read(lambda c: rows_about(c, value, limit, tenant))

    async def request(self, request_id: str) -> RequestRow | None:
        """See `ports.Store`."""
        return await self._read(lambda c: request_of(c, request_id))

    async def verify(self, session_id: str, known: Sequence[Head] = ()) -> list[str]:
        """See `ports.Store`."""
        places = [chain.SegmentPlace(head.seq, head.hash) for head in known]
        return await self._read(lambda connection: problems(connection, session_id, self._voucher, places))

    async def erased(self, session_id: str) -> list[int]:
        """See `ports.Store`."""
        return await self._read(lambda connection: erased_of(connection, session_id))

    async def erase(self, session_id: str) -> int:
        """See `ports.Store`."""
        count = await self._writer.do(lambda connection: erase(connection, session_id))
        if self._file is not None:
            await trio.to_thread.run_sync(empty_wal, self._file)
        return count

    async def strays(self) -> Mapping[str, list[str]]:
        """See `ports.Store`."""
        return await self._read(strays)

    async def file_problems(self) -> list[str]:
        """See `ports.Store`."""
        return await self._read(file_problems)

    async def chain_heads(self) -> list[Head]:
        """See `ports.Store`."""
        sql = "SELECT id, seq, head_hash, head_hmac FROM sessions ORDER BY number"
        return [Head(*row) for row in await self._read(lambda c: c.execute(sql).fetchall())]

    async def seal(self, session_id: str, *, unsealed: bool = False) -> list[str]:
        """See `ports.Store`."""
        voucher = self._voucher
        if voucher is None:
            return [f"there is no key to seal with; give one in {LOG_KEY}"]
        return await self._writer.do(lambda connection: sealed_head(connection, session_id, voucher, unsealed))

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

    async def set_urgent(self, digest: str, urgent: bool) -> bool:
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

    async def bundles(self) -> list[str]:
        """See `ports.Store`."""
        rows = await self._read(lambda c: c.execute("SELECT digest FROM bundles ORDER BY rowid").fetchall())
        return [digest for (digest,) in rows]

    async def load_bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """See `ports.Store`."""
        return await self._read(lambda connection: bundle_files(connection, digest))
