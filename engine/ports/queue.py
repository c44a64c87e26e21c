"""The queue of jobs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Protocol

from engine.ports.records import JobLease, JobRow


class Queue(Protocol):
    """Hands jobs to workers, each to one at a time; what enqueues and ends them are appends to their sessions.

    What is due, and which lease has ended, the store's clock says.

    A queue of many machines (priorities, limits of each tenant) stands behind the same port.
    """

    async def lease_job(self, owner: str, duration: timedelta, *, but: Collection[str] = ()) -> JobLease | None:
        """The job that has waited longest of those that are due, or whose lease has ended; None if there is none.

        Jobs whose id is in `but` are left to others.
        """
        ...

    async def release_job(self, lease: JobLease) -> None:
        """Give a job back that was not begun under this lease; does nothing if the lease is lost."""
        ...

    async def damaged_jobs(self) -> list[JobRow]:
        """The jobs that nobody is given, since their rows are damaged: `problem` says how."""
        ...

    async def renew_job(self, lease: JobLease, duration: timedelta) -> bool:
        """A heartbeat: the lease holds for the duration from now on; False if it is lost."""
        ...

    async def next_job_at(self) -> datetime | None:
        """When the next job is due, or its lease ends; None if there is none."""
        ...

    async def jobs(self, status: str | None = None, session_id: str | None = None) -> list[JobRow]:
        """Jobs, oldest first."""
        ...

    async def job(self, job_id: str) -> JobRow | None:
        """One job, or None."""
        ...
