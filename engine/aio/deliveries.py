"""Deliveries, for asyncio programs: each call crosses over to the thread in which the store lives."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from engine.aio.thread import ThreadContext
from engine.ports.deliveries import Delivery, DeliveryState, DeliveryStore
from engine.ports.store import Store


class ThreadDeliveries:
    """See `ports.DeliveryStore`; `context` is where the store lives."""

    def __init__(self, context: ThreadContext[Store]) -> None:
        self._context = context

    @property
    def _deliveries(self) -> DeliveryStore:
        return self._context.value.deliveries

    async def add_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """See `ports.DeliveryStore`."""
        return await self._context.call(partial(self._deliveries.add_deliveries, deliveries))

    async def take_due(self, notification: str, now: datetime, until: datetime, limit: int = 20) -> list[Delivery]:
        """See `ports.DeliveryStore`."""
        return await self._context.call(partial(self._deliveries.take_due, notification, now, until, limit))

    async def settle(self, delivery: Delivery) -> None:
        """See `ports.DeliveryStore`."""
        return await self._context.call(partial(self._deliveries.settle, delivery))

    async def deliveries(self, limit: int = 200, state: DeliveryState | None = None) -> list[Delivery]:
        """See `ports.DeliveryStore`."""
        return await self._context.call(partial(self._deliveries.deliveries, limit, state))
