"""A store on PostgreSQL as one end of a move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg

from engine.store.faults import BadStoreUrl, StoreFault
from engine.store.move import MoveEnd
from engine.store.postgres.address import PostgresAddress, address_of, one_line
from engine.store.postgres.connection import PostgresConnection
from engine.store.postgres.database import MOVE
from engine.store.postgres.schema import migrate


@contextmanager
def open_end(url: str, *, make: bool) -> Iterator[MoveEnd]:
    """See `store.move_ends`."""
    address = address_of(url)
    absent = BadStoreUrl(f"there is no store in the schema `{address.schema}` of {address.shown}")
    try:
        with address.connect("engine move") as raw:
            migrate(raw, address.schema, address.lock("migrations"), make, lambda: absent)
            yield MoveEnd(
                address.url,
                PostgresConnection(raw, address.channel),
                lambda: _alone(raw, address),
                lambda: _now(raw),
            )
    except psycopg.Error as error:
        raise StoreFault(f"the store {address.shown}: {one_line(error)}") from None


@contextmanager
def _alone(raw: psycopg.Connection[Any], address: PostgresAddress) -> Iterator[None]:
    with raw.transaction():
        # whoever writes holds it too, beside each other
        raw.execute(b"SELECT pg_advisory_xact_lock(%d)" % address.lock(MOVE))
        yield


def _now(raw: psycopg.Connection[Any]) -> datetime:
    row = raw.execute(b"SELECT clock_timestamp()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now
