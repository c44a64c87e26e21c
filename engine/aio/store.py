"""A store for asyncio programs: it lives in a thread that runs Trio, and each call crosses over to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from engine.aio.access import ThreadAccess
from engine.aio.deliveries import ThreadDeliveries
from engine.aio.deployments import ThreadDeployments
from engine.aio.thread import ThreadContext, hold, open_thread
from engine.api import stores
from engine.ports.clock import Clock
from engine.ports.records import AppendResult, Claim, Head, InboxPage, JobLease, JobRow, Lease, RequestRow, SessionRow
from engine.ports.store import Store
from engine.session.state.event import Event
from engine.store.log_key import LogKey


class ThreadStore:
    """See `ports.Store`; `context` is where it lives."""

    def __init__(self, context: ThreadContext[Store]) -> None:
        self.context = context

    @property
    def clock(self) -> Clock:
        """See `ports.Store`."""
        return self.context.value.clock

    @property
    def access(self) -> ThreadAccess:
        """See `ports.Store`."""
        return ThreadAccess(self.context)

    @property
    def deployments(self) -> ThreadDeployments:
        """See `ports.Store`."""
        return ThreadDeployments(self.context)

    @property
    def deliveries(self) -> ThreadDeliveries:
        """See `ports.Store`."""
        return ThreadDeliveries(self.context)

    @property
    def keeps_snapshots(self) -> bool:
        """See `ports.Store`."""
        return self.context.value.keeps_snapshots

    async def lease_job(self, owner: str, duration: timedelta, *, but: Collection[str] = ()) -> JobLease | None:
        """See `ports.Queue`."""
        return await self.context.call(partial(self.context.value.lease_job, owner, duration, but=but))

    async def release_job(self, lease: JobLease) -> None:
        """See `ports.Queue`."""
        return await self.context.call(partial(self.context.value.release_job, lease))

    async def damaged_jobs(self) -> list[JobRow]:
        """See `ports.Queue`."""
        return await self.context.call(partial(self.context.value.damaged_jobs))

    async def renew_job(self, lease: JobLease, duration: timedelta) -> bool:
        """See `ports.Queue`."""
        return await self.context.call(partial(self.context.value.renew_job, lease, duration))

    async def next_job_at(self) -> datetime | None:
        """See `ports.Queue`."""
        return await self.context.call(partial(self.context.value.next_job_at))

    async def jobs(self, status: str | None = None, session_id: str | None = None) -> list[JobRow]:
        """See `ports.Queue`."""
        return await self.context.call(partial(self.context.value.jobs, status, session_id))

    async def job(self, job_id: str) -> JobRow | None:
        """See `ports.Queue`."""
        return await self.context.call(partial(self.context.value.job, job_id))

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
        return await self.context.call(
            partial(
                self.context.value.append,
                session_id,
                after,
                events,
                epoch=epoch,
                take=take,
                release_lease=release_lease,
                job=job,
            )
        )

    async def meter_used(self, key: str, since: datetime | None) -> Any:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.meter_used, key, since))

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.load, session_id, after))

    async def heads(self, session_ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.heads, session_ids))

    async def save_snapshot(self, session_id: str, seq: int, version: str, text: str) -> None:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.save_snapshot, session_id, seq, version, text))

    async def snapshot(self, session_id: str, version: str) -> str | None:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.snapshot, session_id, version))

    async def renew(self, leases: Sequence[Lease], duration: timedelta) -> None:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.renew, leases, duration))

    async def release(self, lease: Lease) -> None:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.release, lease))

    async def due_sessions(self) -> list[str]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.due_sessions))

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
        ask = partial(
            self.context.value.sessions, limit, state, since=since, agent=agent, before=before, tenant=tenant
        )  # fmt: skip
        return await self.context.call(ask)

    async def session(self, session_id: str) -> SessionRow:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.session, session_id))

    async def requests(
        self,
        *,
        session_id: str | None = None,
        open_only: bool = True,
        after: str | None = None,
        limit: int | None = None,
        tenant: str | None = None,
    ) -> list[RequestRow]:
        """See `ports.Store`."""
        asked = partial(self.context.value.requests, session_id=session_id, open_only=open_only, after=after)
        return await self.context.call(partial(asked, limit=limit, tenant=tenant))

    async def inbox(self, *, open_only: bool = True, limit: int | None = None, tenant: str | None = None) -> InboxPage:
        """See `ports.Store`."""
        asked = partial(self.context.value.inbox, open_only=open_only, limit=limit, tenant=tenant)
        return await self.context.call(asked)

    async def requests_about(self, value: str, *, limit: int, tenant: str | None = None) -> list[RequestRow]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.requests_about, value, limit=limit, tenant=tenant))

    async def request(self, request_id: str) -> RequestRow | None:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.request, request_id))

    async def session_ids(self) -> list[str]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.session_ids))

    async def verify(self, session_id: str, known: Sequence[Head] = ()) -> list[str]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.verify, session_id, known))

    async def erased(self, session_id: str) -> list[int]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.erased, session_id))

    async def erase(self, session_id: str) -> int:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.erase, session_id))

    async def strays(self) -> Mapping[str, list[str]]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.strays))

    async def check_open(self) -> None:
        """See `ports.Store`."""
        await self.context.call(partial(self.context.value.check_open))

    async def file_problems(self) -> list[str]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.file_problems))

    async def chain_heads(self) -> list[Head]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.chain_heads))

    async def seal(self, session_id: str, *, unsealed: bool = False) -> list[str]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.seal, session_id, unsealed=unsealed))

    async def save_bundle(self, digest: str, files: Mapping[str, bytes], *, urgent: bool = False) -> None:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.save_bundle, digest, files, urgent=urgent))

    async def set_urgent(self, digest: str, urgent: bool) -> bool:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.set_urgent, digest, urgent))

    async def urgent_bundles(self, after: str | None = None) -> Sequence[str]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.urgent_bundles, after))

    async def bundles(self) -> list[str]:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.bundles))

    async def load_bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """See `ports.Store`."""
        return await self.context.call(partial(self.context.value.load_bundle, digest))


@asynccontextmanager
async def open_store(
    url: str, key: LogKey | None = None, *, make: bool = True, clock: Clock | None = None
) -> AsyncIterator[Store]:
    """See `engine.open_store`.  Raises BadStoreUrl, StoreFault, NewerStore."""
    opened = partial(stores.open_store, url, key, make=make, clock=clock)
    async with open_thread() as thread, hold(thread, opened) as context:
        yield ThreadStore(context)
