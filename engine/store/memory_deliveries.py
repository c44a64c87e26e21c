"""Deliveries in memory: see `ports.deliveries`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from engine.ports.deliveries import Delivery, DeliveryState


class MemoryDeliveries:
    """See `ports.DeliveryStore`; gone with the process."""

    def __init__(self) -> None:
        self._deliveries: dict[str, Delivery] = {}

    async def add_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """See `ports.DeliveryStore`."""
        for one in deliveries:
            self._deliveries.setdefault(one.id, one)

    async def take_due(self, notification: str, now: datetime, until: datetime, limit: int = 20) -> list[Delivery]:
        """See `ports.DeliveryStore`."""
        own = [one for one in self._deliveries.values() if one.notification == notification]
        pending = [one for one in own if one.state is DeliveryState.PENDING and one.due_at <= now]
        due = sorted(pending, key=lambda one: (one.due_at, one.id))[:limit]
        taken = [replace(one, due_at=until, attempts=one.attempts + 1) for one in due]
        self._deliveries |= {one.id: one for one in taken}
        return taken

    async def settle(self, delivery: Delivery) -> None:
        """See `ports.DeliveryStore`."""
        known = self._deliveries[delivery.id]
        self._deliveries[delivery.id] = replace(
            known, state=delivery.state, problem=delivery.problem, due_at=delivery.due_at
        )

    async def deliveries(self, limit: int = 200, state: DeliveryState | None = None) -> list[Delivery]:
        """See `ports.DeliveryStore`."""
        found = [one for one in self._deliveries.values() if state in (None, one.state)]
        return sorted(sorted(found, key=lambda one: one.id), key=lambda one: one.made_at, reverse=True)[:limit]
