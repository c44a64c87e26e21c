"""What of a store's port goes to the store below as it is.

A layer over a store says of each method of the port what it does: it stands here, or in the layer.  What stands in
neither is no `Store` to mypy, and fails a test.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from engine.ports.access import AccessStore
from engine.ports.clock import Clock
from engine.ports.deliveries import DeliveryStore
from engine.ports.deployments import DeploymentStore
from engine.ports.records import Head, InboxPage, JobLease, JobRow, Lease, RequestRow, SessionRow
from engine.ports.store import Store


class PassThrough:
    """The methods that hold no value of a session, or tell it as it is stored."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner

    @property
    def clock(self) -> Clock:
        """See `ports.Store`."""
        return self._inner.clock

    @property
    def access(self) -> AccessStore:
        """See `ports.Store`."""
        return self._inner.access

    @property
    def deployments(self) -> DeploymentStore:
        """See `ports.Store`."""
        return self._inner.deployments

    @property
    def deliveries(self) -> DeliveryStore:
        """See `ports.Store`."""
        return self._inner.deliveries

    @property
    def keeps_snapshots(self) -> bool:
        """See `ports.Store`."""
        return self._inner.keeps_snapshots

    async def lease_job(self, owner: str, duration: timedelta, *, but: Collection[str] = ()) -> JobLease | None:
        """See `ports.Queue`."""
        return await self._inner.lease_job(owner, duration, but=but)

    async def release_job(self, lease: JobLease) -> None:
        """See `ports.Queue`."""
        await self._inner.release_job(lease)

    async def damaged_jobs(self) -> list[JobRow]:
        """See `ports.Queue`."""
        return await self._inner.damaged_jobs()

    async def renew_job(self, lease: JobLease, duration: timedelta) -> bool:
        """See `ports.Queue`."""
        return await self._inner.renew_job(lease, duration)

    async def next_job_at(self) -> datetime | None:
        """See `ports.Queue`."""
        return await self._inner.next_job_at()

    async def erase(self, session_id: str) -> int:
        """See `ports.Store`."""
        return await self._inner.erase(session_id)

    async def jobs(self, status: str | None = None, session_id: str | None = None) -> list[JobRow]:
        """See `ports.Queue`."""
        return await self._inner.jobs(status, session_id)

    async def job(self, job_id: str) -> JobRow | None:
        """See `ports.Queue`."""
        return await self._inner.job(job_id)

    async def meter_used(self, key: str, since: datetime | None) -> Any:
        """See `ports.Store`."""
        return await self._inner.meter_used(key, since)

    async def heads(self, session_ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """See `ports.Store`."""
        return await self._inner.heads(session_ids)

    async def snapshot(self, session_id: str, version: str) -> str | None:
        """See `ports.Store`."""
        return await self._inner.snapshot(session_id, version)

    async def renew(self, leases: Sequence[Lease], duration: timedelta) -> None:
        """See `ports.Store`."""
        await self._inner.renew(leases, duration)

    async def release(self, lease: Lease) -> None:
        """See `ports.Store`."""
        await self._inner.release(lease)

    async def due_sessions(self) -> list[str]:
        """See `ports.Store`."""
        return await self._inner.due_sessions()

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
        return await self._inner.sessions(limit, state, since=since, agent=agent, before=before, tenant=tenant)

    async def session(self, session_id: str) -> SessionRow:
        """See `ports.Store`."""
        return await self._inner.session(session_id)

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
        return await self._inner.requests(
            session_id=session_id, open_only=open_only, after=after, limit=limit, tenant=tenant
        )

    async def inbox(self, *, open_only: bool = True, limit: int | None = None, tenant: str | None = None) -> InboxPage:
        """See `ports.Store`."""
        return await self._inner.inbox(open_only=open_only, limit=limit, tenant=tenant)

    async def requests_about(self, value: str, *, limit: int, tenant: str | None = None) -> list[RequestRow]:
        """See `ports.Store`."""
        return await self._inner.requests_about(value, limit=limit, tenant=tenant)

    async def request(self, request_id: str) -> RequestRow | None:
        """See `ports.Store`."""
        return await self._inner.request(request_id)

    async def session_ids(self) -> list[str]:
        """See `ports.Store`."""
        return await self._inner.session_ids()

    async def verify(self, session_id: str, known: Sequence[Head] = ()) -> list[str]:
        """See `ports.Store`."""
        return await self._inner.verify(session_id, known)

    async def strays(self) -> Mapping[str, list[str]]:
        """See `ports.Store`."""
        return await self._inner.strays()

    async def check_open(self) -> None:
        """See `ports.Store`."""
        await self._inner.check_open()

    async def file_problems(self) -> list[str]:
        """See `ports.Store`."""
        return await self._inner.file_problems()

    async def chain_heads(self) -> list[Head]:
        """See `ports.Store`."""
        return await self._inner.chain_heads()

    async def seal(self, session_id: str, *, unsealed: bool = False) -> list[str]:
        """See `ports.Store`."""
        return await self._inner.seal(session_id, unsealed=unsealed)

    async def save_bundle(self, digest: str, files: Mapping[str, bytes], *, urgent: bool = False) -> None:
        """See `ports.Store`."""
        await self._inner.save_bundle(digest, files, urgent=urgent)

    async def set_urgent(self, digest: str, urgent: bool) -> bool:
        """See `ports.Store`."""
        return await self._inner.set_urgent(digest, urgent)

    async def urgent_bundles(self, after: str | None = None) -> Sequence[str]:
        """See `ports.Store`."""
        return await self._inner.urgent_bundles(after)

    async def bundles(self) -> list[str]:
        """See `ports.Store`."""
        return await self._inner.bundles()

    async def load_bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """See `ports.Store`."""
        return await self._inner.load_bundle(digest)
