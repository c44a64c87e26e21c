"""The notifier: it looks how requests stand, keeps what is to be told, and tells it until it is taken.

Nothing is remembered but in the store.  What is due is found by how things stand, so that neither a crash nor a second
notifier on the same store loses or doubles a delivery; only the sending itself may happen twice, under the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import trio

from engine.notify.due import due_deliveries
from engine.notify.notification import Moment, Notification
from engine.notify.sender import NotTaken, Sender
from engine.ports.clock import Clock
from engine.ports.deliveries import Delivery, DeliveryState
from engine.ports.records import RequestRow
from engine.ports.store import Store

_log = logging.getLogger("engine.notify")

LOOK_EVERY = 2.0
# who has taken a delivery has it for so long; a try takes less
HELD = timedelta(seconds=60)
# how long is waited after each attempt: a day in all, and then it is given up
PAUSES = tuple(timedelta(seconds=one) for one in (5, 60, 300, 1800, 7200, 18000, 28800, 28800))
# so many are on their way at once
AT_ONCE = 8
# so many deliveries of before are looked at when a notifier starts
MOST_LOOKED_AT = 10_000


class Notifier:
    """Tells of the requests of a store."""

    def __init__(self, store: Store, clock: Clock, notifications: Sequence[Notification], sender: Sender) -> None:
        self._store = store
        self._clock = clock
        self._notifications: Mapping[str, Notification] = {one.name: one for one in notifications}
        self._sender = sender
        self._kept: set[str] = set()
        self._open: set[str] | None = None

    async def run(self, stopping: trio.Event) -> None:
        """Look and tell until it is to stop; what goes wrong is logged, and tried again."""
        while not stopping.is_set():
            try:
                await self.look()
                await self.tell()
            except Exception:
                _log.exception("notifications are not told now")
            with trio.move_on_after(LOOK_EVERY):
                await stopping.wait()

    async def look(self) -> None:
        """Keep what is to be told by how requests stand now."""
        now = self._clock.now()
        rows = await self._store.requests()
        there = {row.id for row in rows}
        before = self._open if self._open is not None else await self._told_of()
        ended = [row for id_ in sorted(before - there) if (row := await self._store.request(id_)) is not None]
        found: list[Delivery] = []
        for notification in self._notifications.values():
            meant = [row for row in rows if await self._is_of(notification, row)]
            gone = [row for row in ended if await self._is_of(notification, row)]
            found += due_deliveries(notification, meant, gone, now)
        new = [one for one in found if one.id not in self._kept]
        if new:
            await self._store.deliveries.add_deliveries(new)
            self._kept |= {one.id for one in new}
        self._open = there

    async def _told_of(self) -> set[str]:
        """The requests that somebody was told of, and not of their end: they may have ended while nobody looked."""
        known = await self._store.deliveries.deliveries(MOST_LOOKED_AT)
        over = {one.about for one in known if one.kind == Moment.ENDED}
        return {one.about for one in known} - over

    async def _is_of(self, notification: Notification, row: RequestRow) -> bool:
        if notification.tenant is None:
            return True
        return await self._store.access.tenant_of(row.session_id) == notification.tenant

    async def tell(self) -> None:
        """Try what is due."""
        now = self._clock.now()
        due = await self._store.deliveries.take_due(now, now + HELD, AT_ONCE)
        async with trio.open_nursery() as nursery:
            for one in due:
                nursery.start_soon(self._try, one)

    async def _try(self, delivery: Delivery) -> None:
        notification, now = self._notifications.get(delivery.notification), self._clock.now()
        row = await self._store.request(delivery.about)
        try:
            if notification is None:
                raise NotTaken("there is no notification of that name any more", final=True)
            if row is None:
                raise NotTaken("the request was erased", final=True)
            await self._sender.send(notification.target, delivery, row, now)
        except NotTaken as refused:
            # one that was given up and is tried by hand again has one attempt more
            pause = PAUSES[delivery.attempts - 1] if delivery.attempts <= len(PAUSES) else None
            dead = refused.final or pause is None
            state = DeliveryState.DEAD if dead else DeliveryState.PENDING
            due = now + pause if pause is not None else now
            await self._store.deliveries.settle(replace(delivery, state=state, problem=refused.problem, due_at=due))
            _log.warning("%s was not told to %s: %s", delivery.about, delivery.notification, refused.problem)
        else:
            await self._store.deliveries.settle(replace(delivery, state=DeliveryState.DELIVERED, problem=""))
