"""Deliveries in the tables of a store: see `ports.deliveries`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from engine.language.value import timestamp
from engine.ports.deliveries import Delivery, DeliveryState
from engine.store.database import SqlConnection, SqlDatabase

_DELIVERY = "id, notification, kind, about, made_at, due_at, attempts, state, problem"


class SqlDeliveries:
    """See `ports.DeliveryStore`."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def add_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """See `ports.DeliveryStore`."""
        rows = [
            (one.id, one.notification, one.kind, one.about, timestamp(one.made_at), timestamp(one.due_at),
             one.attempts, one.state.value, one.problem)
            for one in deliveries
        ]  # fmt: skip
        sql = f"INSERT INTO deliveries ({_DELIVERY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        await self._database.write(lambda c: c.executemany(sql, rows))

    async def take_due(self, notification: str, now: datetime, until: datetime, limit: int = 20) -> list[Delivery]:
        """See `ports.DeliveryStore`."""

        def take(connection: SqlConnection) -> list[Delivery]:
            sql = (
                "SELECT id FROM deliveries WHERE state = ? AND notification = ? AND due_at <= ?"
                " ORDER BY due_at, id LIMIT ?"
            )
            given = (DeliveryState.PENDING.value, notification, timestamp(now), limit)
            due = [id_ for (id_,) in connection.execute(sql, given)]
            taken = "UPDATE deliveries SET due_at = ?, attempts = attempts + 1 WHERE id = ?"
            connection.executemany(taken, [(timestamp(until), id_) for id_ in due])
            one = f"SELECT {_DELIVERY} FROM deliveries WHERE id = ?"
            return [_delivery(connection.execute(one, (id_,)).fetchone()) for id_ in due]

        return await self._database.write(take, f"deliveries:{notification}")

    async def settle(self, delivery: Delivery) -> None:
        """See `ports.DeliveryStore`."""
        sql = "UPDATE deliveries SET state = ?, problem = ?, due_at = ? WHERE id = ?"
        values = (delivery.state.value, delivery.problem, timestamp(delivery.due_at), delivery.id)
        await self._database.write(lambda c: c.execute(sql, values))

    async def deliveries(self, limit: int = 200, state: DeliveryState | None = None) -> list[Delivery]:
        """See `ports.DeliveryStore`."""
        sql = f"SELECT {_DELIVERY} FROM deliveries WHERE (state = ?1 OR ?1 IS NULL) ORDER BY made_at DESC, id LIMIT ?2"
        given = state.value if state is not None else None
        rows = await self._database.read(lambda c: c.execute(sql, (given, limit)).fetchall())
        return [_delivery(row) for row in rows]


def _delivery(row: tuple[Any, ...]) -> Delivery:
    id_, notification, kind, about, made, due, attempts, state, problem = row
    moments = datetime.fromisoformat(made), datetime.fromisoformat(due)
    return Delivery(id_, notification, kind, about, *moments, attempts, DeliveryState(state), problem)
