"""What others are told of: each delivery is kept until it was taken, or nobody will try it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class DeliveryState(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing that one notification tells: `kind` of a request, `about` its id.

    The id is the same whoever makes the delivery, so that it is made once; who takes it may know it by that again.
    """

    id: str
    notification: str
    kind: str
    about: str
    made_at: datetime
    due_at: datetime
    attempts: int = 0
    state: DeliveryState = DeliveryState.PENDING
    problem: str = ""


class DeliveryStore(Protocol):
    """Keeps them; they survive a crash as the sessions do."""

    async def add_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """Keep those that are new by their ids."""
        ...

    async def take_due(self, notification: str, now: datetime, until: datetime, limit: int = 20) -> list[Delivery]:
        """Those of a notification that are due, with one attempt more: nobody else is given them before `until`."""
        ...

    async def settle(self, delivery: Delivery) -> None:
        """Keep how a delivery stands now: its state, its problem, when it is due again."""
        ...

    async def deliveries(self, limit: int = 200, state: DeliveryState | None = None) -> list[Delivery]:
        """The newest first."""
        ...
