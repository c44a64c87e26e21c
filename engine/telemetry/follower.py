"""Follows the logs of a store: what is new in each session is counted once, from the first event on.

Each session is followed by its own sequence numbers.  A growing number over all sessions would lose what one writer
commits behind another.
"""

from __future__ import annotations

import logging

import trio

from engine.ports.records import CorruptLog, SessionRow, UnknownSession
from engine.ports.store import Store
from engine.telemetry.counts import EventCounts
from engine.telemetry.usage import UsageCounts

_log = logging.getLogger("engine.telemetry")


class LogFollower:
    """Counts of a store; `refresh` brings them up to what stands in it now."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, int] = {}
        self._damaged: set[str] = set()  # each is told of once
        self._lock = trio.Lock()
        self.counts = EventCounts()
        self.usage = UsageCounts()

    async def refresh(self) -> None:
        """Count what has happened since the last time; a session whose log is damaged is passed over, and said."""
        async with self._lock:
            for row in reversed(await self._store.sessions()):
                await self._count(row)

    async def count(self, row: SessionRow) -> None:
        """The same of one session, as before it is erased."""
        async with self._lock:
            await self._count(row)

    async def _count(self, row: SessionRow) -> None:
        done = self._read.get(row.id, 0)
        if row.seq <= done:
            return
        try:
            events = await self._store.load(row.id, done)
            tenant = await self._store.access.tenant_of(row.id) if not done else None
        except (CorruptLog, UnknownSession) as error:
            if row.id not in self._damaged:
                _log.warning("%s is not counted: %s", row.id, error)
            self._damaged.add(row.id)
            return
        # nothing is waited for from here on: whoever asked may leave, and nothing is counted twice
        self.counts.add(events)
        self.usage.add(events, tenant)
        self._read[row.id] = done + len(events)
