"""The shop as a conversation has left it: what violations are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.retail.conversation import Conversation

Record = Mapping[str, Any]

PENDING, DELIVERED = "pending", "delivered"


@dataclass(frozen=True, slots=True)
class World:
    """The documents of the shop, newest first known; `user` is whom the conversation is with."""

    db: Mapping[str, Mapping[str, Any]]
    users: Mapping[str, Record]
    orders: Mapping[str, Record]
    user: Record

    def own(self, *statuses: str) -> Iterator[Record]:
        """The customer's orders in some status."""
        for order_id in self.user["orders"]:
            if self.orders[order_id]["status"] in statuses:
                yield self.orders[order_id]

    def of_others(self, *statuses: str) -> Iterator[Record]:
        """Other users' orders in some status."""
        for order in self.orders.values():
            if order["user_id"] != self.user["user_id"] and order["status"] in statuses:
                yield order

    def others(self) -> Iterator[Record]:
        """Other users."""
        return (user for user in self.users.values() if user["user_id"] != self.user["user_id"])

    def methods(self, *sources: str) -> list[Record]:
        """The customer's payment methods from some sources; all without any."""
        found = self.user["payment_methods"].values()
        return [method for method in found if not sources or method["source"] in sources]

    def variants(self, item: Record, *, available: bool = True) -> list[Record]:
        """Other variants of the product that an item of an order is of, the dearest first."""
        known = self.db["products"][item["product_id"]]["variants"].values()
        found = [v for v in known if v["available"] is available and v["item_id"] != item["item_id"]]
        return sorted(found, key=lambda variant: variant["price"], reverse=True)

    def strange_to(self, order: Record, item: Record) -> Record:
        """An available variant of another product than an item's, which is not in the order either."""
        inside = {other["item_id"] for other in order["items"]}
        return next(
            variant
            for product in self.db["products"].values()
            if product["product_id"] != item["product_id"]
            for variant in product["variants"].values()
            if variant["available"] and variant["item_id"] not in inside
        )


def world_before(db: Mapping[str, Mapping[str, Any]], told: Conversation, turn: int) -> World:
    """What is known when a turn begins: what was recorded of an order or a user replaces what the database had."""
    users, orders = dict(db["users"]), dict(db["orders"])
    for earlier in told.turns[:turn]:
        for call in earlier.calls:
            if isinstance(call.output, Mapping) and "payment_history" in call.output:
                orders[call.output["order_id"]] = call.output
            elif isinstance(call.output, Mapping) and "payment_methods" in call.output:
                users[call.output["user_id"]] = call.output
    return World(db, users, orders, users[told.user_id])
