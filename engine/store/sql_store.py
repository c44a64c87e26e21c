"""The store in the tables of a database, whichever that is."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import zstandard

from engine.language.value import timestamp
from engine.ports import records as stored
from engine.ports.clock import Clock
from engine.ports.records import (
    AppendResult,
    Claim,
    DamagedRow,
    Head,
    InboxPage,
    JobLease,
    JobRow,
    Lease,
    RequestRow,
    SessionRow,
)
from engine.ports.resources import LOG_KEY
from engine.session.state.event import Event
from engine.store import chain, queue
from engine.store.access import SqlAccess
from engine.store.append import append_each, meter_used
from engine.store.append_rows import Append, names_of
from engine.store.backup import StoreStopped, stopped_text
from engine.store.chain import new_salts
from engine.store.database import SqlConnection, SqlDatabase
from engine.store.deliveries import SqlDeliveries
from engine.store.deployments import SqlDeployments
from engine.store.erase import erase
from engine.store.log_key import HeadSeal, Voucher
from engine.store.move_mark import ASK, check_open
from engine.store.projection import changes, row_key
from engine.store.queries import (
    bundle_files,
    inbox_page,
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
from engine.store.strays import strays
from engine.store.verify import erased_of, problems, sealed_head

T = TypeVar("T")


class SqlStore:
    """See `ports.Store`."""

    def __init__(
        self,
        database: SqlDatabase,
        clock: Clock,
        voucher: Voucher | None = None,
        *,
        stopped: str | None = None,
    ) -> None:
        """One that is `stopped` only tells."""
        self.clock = clock
        self._database = database
        self._voucher = voucher
        # one and the same for all: what is wanted of it at once it does at once
        self._append_each = partial(append_each, voucher=voucher)
        self._stopped = stopped

    @property
    def access(self) -> SqlAccess:
        """See `ports.Store`."""
        return SqlAccess(self._database)

    @property
    def deployments(self) -> SqlDeployments:
        """See `ports.Store`."""
        return SqlDeployments(self._database)

    @property
    def deliveries(self) -> SqlDeliveries:
        """See `ports.Store`."""
        return SqlDeliveries(self._database)

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
        wanted = Append(
            session_id,
            after,
            events,
            epoch,
            take,
            release_lease,
            job,
            self.clock.now(),
            new_salts(events),
            changes(events),
        )
        try:
            return await self._database.write_each(self._append_each, wanted, *names_of(wanted))
        except Exception as error:
            table = self._database.table_of(error)
            if not table:
                raise
            # nobody but its own appends writes what belongs to a session
            told = f"it stands already where the log would go on: {error}"
            raise DamagedRow(session_id, table, told) from None

    def _check_released(self) -> None:
        if self._stopped is not None:
            raise StoreStopped(stopped_text(self._stopped))

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """See `ports.Store`."""
        head, start, segments = await self._database.read(lambda c: stored_log(c, session_id, after))
        log = read_log(session_id, head, start, segments, self._voucher)
        return [event for event in log if event.seq > after]

    async def heads(self, session_ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """See `ports.Store`."""

        def look(connection: SqlConnection) -> dict[str, tuple[int, int]]:
            sql = f"SELECT id, seq, epoch FROM sessions WHERE id IN ({', '.join('?' * len(session_ids))})"
            return {id_: (seq, epoch) for id_, seq, epoch in connection.execute(sql, session_ids)}

        return await self._database.read(look) if session_ids else {}

    async def save_snapshot(self, session_id: str, seq: int, version: str, text: str) -> None:
        """See `ports.Store`."""
        if self._voucher is None:
            return
        voucher, body = self._voucher, zstandard.ZstdCompressor(level=1).compress(text.encode("ascii"))

        def save(connection: SqlConnection) -> None:
            place = place_before(connection, session_id, seq + 1)
            if place.seq != seq:
                return  # no append ended there
            seal = voucher.snapshot(session_id, seq, place.link, version, body)
            sql = (
                "INSERT INTO snapshots (session_id, seq, link, version, body, hmac, key_id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session_id) DO UPDATE SET seq = excluded.seq,"
                " link = excluded.link, version = excluded.version, body = excluded.body, hmac = excluded.hmac,"
                " key_id = excluded.key_id"
            )
            connection.execute(sql, (session_id, seq, place.link, version, body, seal.hmac, seal.key_id))

        await self._database.write(save, session_id)

    async def snapshot(self, session_id: str, version: str) -> str | None:
        """See `ports.Store`."""
        if self._voucher is None:
            return None
        sql = (
            "SELECT s.seq, s.link, s.body, s.hmac, s.key_id FROM snapshots s JOIN sessions o ON o.id = s.session_id"
            " JOIN segments g ON g.session = o.number AND g.last = s.seq AND g.hash = s.link"
            " WHERE s.session_id = ? AND s.version = ?"
        )
        row = await self._database.read(lambda c: c.execute(sql, (session_id, version)).fetchone())
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
        # in one order: no two processes wait for each other's rows
        rows = sorted((until, lease.session_id, lease.epoch) for lease in leases)
        await self._database.write(lambda connection: connection.executemany(sql, rows))

    async def release(self, lease: Lease) -> None:
        """See `ports.Store`."""
        sql = "UPDATE sessions SET owner = NULL, lease_until = NULL WHERE id = ? AND epoch = ?"
        await self._database.write(lambda connection: connection.execute(sql, (lease.session_id, lease.epoch)))

    async def lease_job(self, owner: str, duration: timedelta, *, but: Collection[str] = ()) -> JobLease | None:
        """See `ports.Queue`."""
        now, next_at = self.clock.now(), await self.next_job_at()
        # most looks find nothing, and cost no commit
        if self._stopped is not None or next_at is None or next_at > now:
            return None
        return await self._database.write(lambda connection: queue.lease(connection, owner, now, now + duration, but))

    async def release_job(self, lease: JobLease) -> None:
        """See `ports.Queue`."""
        await self._database.write(lambda connection: queue.release(connection, lease))

    async def damaged_jobs(self) -> list[JobRow]:
        """See `ports.Queue`."""
        return await self._database.read(queue.damaged)

    async def renew_job(self, lease: JobLease, duration: timedelta) -> bool:
        """See `ports.Queue`."""
        until = self.clock.now() + duration
        return await self._database.write(lambda connection: queue.renew(connection, lease, until))

    async def next_job_at(self) -> datetime | None:
        """See `ports.Queue`."""
        return await self._database.read(queue.next_at)

    async def jobs(self, status: str | None = None, session_id: str | None = None) -> list[JobRow]:
        """See `ports.Queue`."""
        return await self._database.read(lambda connection: queue.rows(connection, status, session_id))

    async def job(self, job_id: str) -> JobRow | None:
        """See `ports.Queue`."""
        return await self._database.read(lambda connection: queue.row(connection, job_id))

    async def meter_used(self, key: str, since: datetime | None) -> Any:
        """See `ports.Store`."""
        return await self._database.read(lambda connection: meter_used(connection, row_key(key), "", since))

    async def due_sessions(self) -> list[str]:
        """See `ports.Store`."""
        if self._stopped is not None:
            return []
        now = self.clock.now()
        return await self._database.read(lambda connection: queue.due_sessions(connection, now))

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
        return await self._database.read(
            lambda connection: session_rows(connection, limit, state, since, agent, before, tenant)
        )

    async def session(self, session_id: str) -> SessionRow:
        """See `ports.Store`."""
        row = await self._database.read(
            lambda c: c.execute(f"SELECT {SESSION} FROM sessions WHERE id = ?", (session_id,)).fetchone()
        )
        if row is None:
            raise stored.UnknownSession(session_id)
        return session_row(row)

    async def session_ids(self) -> list[str]:
        """See `ports.Store`."""
        return await self._database.read(session_ids)

    async def requests(
        self, *, session_id: str | None = None, open_only: bool = True, after: str | None = None,
        limit: int | None = None, tenant: str | None = None,
    ) -> list[RequestRow]:  # fmt: skip
        """See `ports.Store`."""
        return await self._database.read(lambda c: request_rows(c, session_id, open_only, after, limit, tenant))

    async def inbox(self, *, open_only: bool = True, limit: int | None = None, tenant: str | None = None) -> InboxPage:
        """See `ports.Store`."""
        return await self._database.read(lambda c: inbox_page(c, open_only, limit, tenant))

    async def requests_about(self, value: str, *, limit: int, tenant: str | None = None) -> list[RequestRow]:
        """See `ports.Store`."""
        return await self._database.read(lambda c: rows_about(c, value, limit, tenant))

    async def request(self, request_id: str) -> RequestRow | None:
        """See `ports.Store`."""
        return await self._database.read(lambda c: request_of(c, request_id))

    async def verify(self, session_id: str, known: Sequence[Head] = ()) -> list[str]:
        """See `ports.Store`."""
        places = [chain.SegmentPlace(head.seq, head.hash) for head in known]
        return await self._database.read(lambda connection: problems(connection, session_id, self._voucher, places))

    async def erased(self, session_id: str) -> list[int]:
        """See `ports.Store`."""
        return await self._database.read(lambda connection: erased_of(connection, session_id))

    async def erase(self, session_id: str) -> int:
        """See `ports.Store`."""
        count = await self._database.write(lambda connection: erase(connection, session_id), session_id)
        await self._database.overwritten()
        return count

    async def strays(self) -> Mapping[str, list[str]]:
        """See `ports.Store`."""
        return await self._database.read(strays)

    async def check_open(self) -> None:
        """See `ports.Store`."""
        check_open(await self._database.read(lambda c: c.execute(ASK).fetchone()))

    async def file_problems(self) -> list[str]:
        """See `ports.Store`."""
        return await self._database.problems()

    async def chain_heads(self) -> list[Head]:
        """See `ports.Store`."""
        sql = "SELECT id, seq, head_hash, head_hmac FROM sessions ORDER BY number"
        return [Head(*row) for row in await self._database.read(lambda c: c.execute(sql).fetchall())]

    async def seal(self, session_id: str, *, unsealed: bool = False) -> list[str]:
        """See `ports.Store`."""
        voucher = self._voucher
        if voucher is None:
            return [f"there is no key to seal with; give one in {LOG_KEY}"]
        return await self._database.write(
            lambda connection: sealed_head(connection, session_id, voucher, unsealed), session_id
        )

    async def save_bundle(self, digest: str, files: Mapping[str, bytes], *, urgent: bool = False) -> None:
        """See `ports.Store`."""
        known = await self._database.read(
            lambda c: c.execute("SELECT 1 FROM bundles WHERE digest = ?", (digest,)).fetchone()
        )
        if known:
            return
        text = json.dumps({path: base64.b64encode(content).decode() for path, content in files.items()})
        # what is urgent judges beside all that lie before this place
        place = "(SELECT coalesce(max(rowid), 0) + 1 FROM bundles)" if urgent else "0"
        sql = f"INSERT INTO bundles (digest, files, urgent) VALUES (?, ?, {place}) ON CONFLICT DO NOTHING"
        await self._database.write(lambda connection: connection.execute(sql, (digest, text)), "bundles")

    async def set_urgent(self, digest: str, urgent: bool) -> bool:
        """See `ports.Store`."""
        place = "(SELECT max(rowid) FROM bundles)" if urgent else "0"
        sql = f"UPDATE bundles SET urgent = {place} WHERE digest = ?"
        changed: int = await self._database.write(
            lambda connection: connection.execute(sql, (digest,)).rowcount, "bundles"
        )
        return changed > 0

    async def urgent_bundles(self, after: str | None = None) -> Sequence[str]:
        """See `ports.Store`."""
        before = "AND digest != ?1 AND urgent >= (SELECT rowid FROM bundles WHERE digest = ?1)" if after else ""
        sql = f"SELECT digest FROM bundles WHERE urgent > 0 {before} ORDER BY urgent, rowid"
        rows = await self._database.read(lambda c: c.execute(sql, (after,) if after else ()).fetchall())
        return [digest for (digest,) in rows]

    async def bundles(self) -> list[str]:
        """See `ports.Store`."""
        rows = await self._database.read(lambda c: c.execute("SELECT digest FROM bundles ORDER BY rowid").fetchall())
        return [digest for (digest,) in rows]

    async def load_bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """See `ports.Store`."""
        return await self._database.read(lambda connection: bundle_files(connection, digest))
