"""The queue of jobs of the store in memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from engine.ports.clock import Clock
from engine.ports.records import JobLease, JobRow
from engine.store.projection import Enqueue, MoveJob


class MemoryQueue:
    """See `ports.Queue`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._jobs: dict[str, JobRow] = {}

    def put(self, session_id: str, change: Enqueue) -> None:
        """A job is handed over, for the first time or again."""
        before = self._jobs.get(change.job_id)
        attempts, epoch, at = (before.attempts, before.epoch, before.enqueued_at) if before else (0, 0, change.at)
        self._jobs[change.job_id] = JobRow(
            change.job_id,
            session_id,
            change.call_id,
            change.tool,
            "queued",
            attempts,
            change.run_at,
            at,
            None,
            None,
            epoch,
            "",
        )

    def move(self, change: MoveJob) -> None:
        """A job goes on."""
        row = self._jobs.get(change.job_id)
        if row is None:
            return
        stays = change.status == "leased"
        self._jobs[row.id] = replace(
            row,
            status=change.status,
            reason=change.reason,
            run_at=change.run_at or row.run_at,
            attempts=row.attempts if change.attempt is None else change.attempt,
            owner=row.owner if stays else None,
            lease_until=row.lease_until if stays else None,
        )

    def holds(self, lease: JobLease) -> bool:
        """Whether a lease is not lost."""
        row = self._jobs.get(lease.job_id)
        return row is not None and row.status == "leased" and row.epoch == lease.epoch

    async def lease_job(self, owner: str, duration: timedelta, *, but: Collection[str] = ()) -> JobLease | None:
        """See `ports.Queue`."""
        now = self.clock.now()
        due = [
            row for row in self._jobs.values() if (at := _due_at(row)) is not None and at <= now and row.id not in but
        ]
        if not due:
            return None
        row = min(due, key=lambda row: (row.run_at, row.id))
        self._jobs[row.id] = replace(row, status="leased", owner=owner, lease_until=now + duration, epoch=row.epoch + 1)
        return JobLease(row.id, row.session_id, row.call_id, owner, row.epoch + 1)

    async def release_job(self, lease: JobLease) -> None:
        """See `ports.Queue`."""
        if self.holds(lease):
            row = self._jobs[lease.job_id]
            self._jobs[row.id] = replace(row, status="queued", owner=None, lease_until=None)

    async def damaged_jobs(self) -> list[JobRow]:
        """See `ports.Queue`: nobody else writes here."""
        return []

    async def renew_job(self, lease: JobLease, duration: timedelta) -> bool:
        """See `ports.Queue`."""
        if not self.holds(lease):
            return False
        self._jobs[lease.job_id] = replace(self._jobs[lease.job_id], lease_until=self.clock.now() + duration)
        return True

    async def next_job_at(self) -> datetime | None:
        """See `ports.Queue`."""
        return min((at for row in self._jobs.values() if (at := _due_at(row)) is not None), default=None)

    async def jobs(self, status: str | None = None, session_id: str | None = None) -> list[JobRow]:
        """See `ports.Queue`."""
        rows = [
            row
            for row in self._jobs.values()
            if (status is None or row.status == status) and (session_id is None or row.session_id == session_id)
        ]
        return sorted(rows, key=lambda row: (row.enqueued_at, row.id))

    async def job(self, job_id: str) -> JobRow | None:
        """See `ports.Queue`."""
        return self._jobs.get(job_id)


def _due_at(row: JobRow) -> datetime | None:
    """When a job may be leased."""
    return {"queued": row.run_at, "leased": row.lease_until}.get(row.status)
