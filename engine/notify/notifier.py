"""The notifier: it looks how requests stand, keeps what is to be told, and tells it until it is taken.

Nothing is remembered but in the store.  What is due is found by how things stand, so that neither a crash nor a second
notifier on the same store loses or doubles a delivery; only the sending itself may happen twice, under the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import trio

from engine.notify.due import due_deliveries
from engine.notify.message import moment_of
from engine.notify.notification import Moment, Notification
from engine.notify.sender import NotTaken, Sender
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

    def __init__(self, store: Store, notifications: Sequence[Notification], sender: Sender) -> None:
        self._store = store
        self._clock = store.clock
        self._notifications = notifications
        self._sender = sender
        self._kept: set[str] = set()
        # by notification the requests that it told of, or saw open
        self._open: dict[str, set[str]] = {}
        self._looked = trio.Event()

    async def run(self, stopping: trio.Event) -> None:
        """Look and tell until it is to stop; what goes wrong is logged, and tried again."""
        async with trio.open_nursery() as nursery:
            for one in self._notifications:
                nursery.start_soon(self._keep_telling, one)
            nursery.start_soon(self._keep_looking)
            await stopping.wait()
            nursery.cancel_scope.cancel()

    async def _keep_looking(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                _log.exception("what is to be told is not known now")
            self._looked.set()
            self._looked = trio.Event()
            await trio.sleep(LOOK_EVERY)

    async def _keep_telling(self, notification: Notification) -> None:
        """Each by itself: one that is not taken keeps no other waiting."""
        while True:
            looked = self._looked
            try:
                more = await self.tell(notification)
            except Exception:
                _log.exception("%s is not told now", notification.name)
                more = False
            if not more:
                with trio.move_on_after(LOOK_EVERY):
                    await looked.wait()

    async def look(self) -> None:
        """Keep what is to be told by how requests stand now."""
        now = self._clock.now()
        rows = await self._store.requests()
        found: list[Delivery] = []
        for notification in self._notifications:
            meant = [row for row in rows if await self._is_of(notification, row)]
            ended = await self._ended(notification, {row.id for row in meant})
            found += due_deliveries(notification, meant, ended, now)
        new = [one for one in found if one.id not in self._kept]
        if new:
            await self._store.deliveries.add_deliveries(new)
        self._kept = {one.id for one in found}

    async def _ended(self, notification: Notification, there: set[str]) -> list[RequestRow]:
        """The requests that a notification told of, or saw open, and that are open no more."""
        if Moment.ENDED not in notification.moments:
            return []
        if notification.name not in self._open:
            # they may have ended while nobody looked
            known = await self._store.deliveries.deliveries(MOST_LOOKED_AT)
            own = [one for one in known if one.notification == notification.name]
            over = {one.about for one in own if one.kind == Moment.ENDED}
            self._open[notification.name] = {one.about for one in own} - over
        before = self._open[notification.name]
        gone = [row for id_ in sorted(before - there) if (row := await self._store.request(id_)) is not None]
        self._open[notification.name] = there
        return gone

    async def _is_of(self, notification: Notification, row: RequestRow) -> bool:
        if notification.tenant is None:
            return True
        return await self._store.access.tenant_of(row.session_id) == notification.tenant

    async def tell(self, notification: Notification) -> bool:
        """Try what is due of a notification; whether there may be more."""
        now = self._clock.now()
        due = await self._store.deliveries.take_due(notification.name, now, now + HELD, AT_ONCE)
        async with trio.open_nursery() as nursery:
            for one in due:
                nursery.start_soon(self._try, notification, one)
        return len(due) == AT_ONCE

    async def _try(self, notification: Notification, delivery: Delivery) -> None:
        """Send one, and keep what came of it: whatever that is, it is no other's affair."""
        now = self._clock.now()
        try:
            await self._send(notification, delivery)
        except NotTaken as refused:
            problem, final = refused.problem, refused.final
        except Exception as error:
            # what it says may hold a secret of the address
            problem, final = f"it can't be sent: {type(error).__name__}", True
        else:
            await self._store.deliveries.settle(replace(delivery, state=DeliveryState.DELIVERED, problem=""))
            return
        # one that was given up and is tried by hand again has one attempt more
        pause = PAUSES[delivery.attempts - 1] if delivery.attempts <= len(PAUSES) else None
        dead = final or pause is None
        state = DeliveryState.DEAD if dead else DeliveryState.PENDING
        due = now + pause if pause is not None else now
        await self._store.deliveries.settle(replace(delivery, state=state, problem=problem, due_at=due))
        _log.warning("%s was not told to %s: %s", delivery.about, delivery.notification, problem)

    async def _send(self, notification: Notification, delivery: Delivery) -> None:
        row = await self._store.request(delivery.about)
        if row is None:
            raise NotTaken("the request was erased", final=True)
        if row.status != "open" and moment_of(delivery) is not Moment.ENDED:
            raise NotTaken("it is open no more, and nobody waits for an answer", final=True)
        await self._sender.send(notification.target, delivery, row, self._clock.now())
