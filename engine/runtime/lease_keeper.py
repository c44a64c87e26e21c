"""Keeps the leases of all sessions that one process drives, and looks for what others appended to them.

One task does it for all drivers, in one read a second and one write every three: a task of each driver stands in line
for the turn, so that it ends with the last of them.

What holds: a lease that is renewed in time belongs to nobody else, and one that was not can be taken by anybody,
whose epoch is higher.  The store refuses every append of the lower epoch, so that two drivers may believe in their
lease and only one writes.  Renewing spares others the waiting; it is never what keeps a session safe.

What can go wrong: the process stands still for longer than a lease (somebody takes its sessions, and it finds out at
its next look or append); the store can't be reached (its drivers stop while nobody else can have their sessions yet).
How long a lease lasts the store's clock says; a process counts it by its own from before it asked for it, so that no
two clocks have to agree.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

import trio

from engine.ports.records import Lease
from engine.ports.store import Store

LEASE = timedelta(seconds=10)
# what runs under a lease that nobody confirms is cut so long before others can have it, in seconds
GRACE = 2.0
RENEW_EVERY = 3.0
LOOK_EVERY = 1.0


class LeaseHolder(Protocol):
    """A driver, as its keeper knows it; until `good_until` its lease is its own for certain, by Trio's clock."""

    good_until: float

    @property
    def lease(self) -> Lease:
        """The lease that it drives under."""
        ...

    @property
    def seq(self) -> int:
        """The newest event that it knows."""
        ...

    def nudge(self) -> None:
        """Look at the log."""
        ...

    def lose(self) -> None:
        """Somebody else drives the session now."""
        ...


class LeaseKeeper:
    """The drivers of a process, by session."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = trio.Lock()
        self._drivers: dict[str, LeaseHolder] = {}
        self._look_at = 0.0
        self._renew_at = 0.0

    async def keep(self, driver: LeaseHolder) -> None:
        """Stand in line to keep all drivers, this one among them, until cancelled."""
        session_id = driver.lease.session_id
        if not self._drivers:
            self._look_at = trio.current_time() + LOOK_EVERY
            self._renew_at = trio.current_time() + RENEW_EVERY
        self._drivers[session_id] = driver
        try:
            async with self._turn:
                while True:
                    await trio.sleep_until(self._look_at)
                    # whoever has the turn finishes its look, however soon its own session ends
                    with trio.CancelScope(deadline=self._answer_by(), shield=True):
                        await self._look()
                    self._let_go()
        finally:
            if self._drivers.get(session_id) is driver:
                del self._drivers[session_id]

    def _answer_by(self) -> float:
        """How long a look may take: one that began too late, after a standstill, gets a moment all the same."""
        now = trio.current_time()
        good_until = min((driver.good_until for driver in self._drivers.values()), default=now)
        return max(now + LOOK_EVERY, min(now + RENEW_EVERY, good_until - GRACE))

    def _let_go(self) -> None:
        """Stop those whose leases nobody has confirmed for too long: others can have them soon."""
        for driver in self._drivers.values():
            if trio.current_time() >= driver.good_until - GRACE:
                driver.lose()

    async def _look(self) -> None:
        now = trio.current_time()
        self._look_at = now + LOOK_EVERY
        renewed: dict[str, Lease] = {}
        if now >= self._renew_at:
            self._renew_at = now + RENEW_EVERY
            renewed = {id_: driver.lease for id_, driver in self._drivers.items()}
            await self._store.renew(list(renewed.values()), LEASE)
        heads = await self._store.heads(list(self._drivers))
        for session_id, (seq, epoch) in heads.items():
            driver = self._drivers.get(session_id)
            if driver is None:
                continue
            if epoch > driver.lease.epoch:
                driver.lose()
                continue
            if renewed.get(session_id) == driver.lease:
                driver.good_until = now + LEASE.total_seconds()
            if seq > driver.seq:
                driver.nudge()
