"""The shop's database, filled with recorded users, products and orders."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.language.value import canonical

Row = dict[str, Any]

_PLACE = ("address1", "address2", "city", "state", "country", "zip")


def rows(db: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Row]]:
    """Every row of the database, with the name of its table; owners come before what they own."""
    for user in db["users"].values():
        yield from _of_user(user)
    for product in db["products"].values():
        yield from _of_product(product)
    place = {order: n for user in db["users"].values() for n, order in enumerate(user["orders"])}
    for order in db["orders"].values():
        yield from _of_order(order, place.get(order["order_id"], 0))


def fill(path: Path, schema: str, db: Mapping[str, Mapping[str, Any]]) -> None:
    """Make the database at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.executescript(f"BEGIN;\n{schema}\n;COMMIT;")
        connection.execute("BEGIN")
        for table, row in rows(db):
            connection.execute(
                f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
            )
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def statements(db: Mapping[str, Mapping[str, Any]]) -> str:
    """The same rows as SQL text."""
    return "\n".join(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(_literal(v) for v in row.values())});"
        for table, row in rows(db)
    )


def content(path: Path) -> list[str]:
    """All that the database holds, as text."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def _of_user(user: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    address = {name: user["address"][name] for name in _PLACE}
    yield "users", {"user_id": user["user_id"], **user["name"], "email": user["email"], **address}
    for position, method in enumerate(user["payment_methods"].values(), 1):
        yield (
            "payment_methods",
            {
                "method_id": method["id"],
                "user_id": user["user_id"],
                "position": position,
                "source": method["source"],
                "brand": method.get("brand"),
                "last_four": method.get("last_four"),
                "balance_cents": _cents(method["balance"]) if "balance" in method else None,
            },
        )


def _of_product(product: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    yield "products", {"product_id": product["product_id"], "name": product["name"]}
    for position, variant in enumerate(product["variants"].values(), 1):
        yield (
            "variants",
            {
                "item_id": variant["item_id"],
                "product_id": product["product_id"],
                "position": position,
                "options": canonical(variant["options"]),
                "available": int(variant["available"]),
                "price_cents": _cents(variant["price"]),
            },
        )


def _of_order(order: Mapping[str, Any], place: int) -> Iterator[tuple[str, Row]]:
    id_ = order["order_id"]
    address = {name: order["address"][name] for name in _PLACE}
    head = {"order_id": id_, "user_id": order["user_id"], "position": place}
    yield "orders", {**head, **address, "status": order["status"]}
    for position, item in enumerate(order["items"], 1):
        told = {name: item[name] for name in ("item_id", "product_id", "name")}
        more = {"options": canonical(item["options"]), "price_cents": _cents(item["price"])}
        yield "order_items", {"order_id": id_, "position": position, **told, **more}
    for position, sent in enumerate(order["fulfillments"], 1):
        lists = {"tracking_id": canonical(sent["tracking_id"]), "item_ids": canonical(sent["item_ids"])}
        yield "fulfillments", {"order_id": id_, "position": position, **lists}
    for position, payment in enumerate(order["payment_history"], 1):
        money = {"amount_cents": _cents(payment["amount"]), "method_id": payment["payment_method_id"]}
        kind = {"transaction_type": payment["transaction_type"]}
        yield "payments", {"order_id": id_, "position": position, **kind, **money}


def _cents(amount: int | Decimal) -> int:
    return round(Decimal(amount) * 100)


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
