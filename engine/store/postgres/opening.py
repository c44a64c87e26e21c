"""A store on a PostgreSQL server, opened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import trio

from engine.ports.clock import Clock
from engine.store.backup import stopped_at
from engine.store.faults import BadStoreUrl, StoreFault
from engine.store.log_key import LogKey, Voucher
from engine.store.postgres.address import PostgresAddress, address_of, one_line
from engine.store.postgres.clock import ServerClock
from engine.store.postgres.connection import PostgresConnection
from engine.store.postgres.database import PostgresDatabase, PostgresTransactions
from engine.store.postgres.schema import migrate
from engine.store.sql_store import SqlStore
from engine.store.strays import UnidentifiedStore, store_id
from engine.store.writer import CommitWriter


@asynccontextmanager
async def open_store(
    url: str, key: LogKey | None = None, *, make: bool = True, clock: Clock | None = None
) -> AsyncIterator[SqlStore]:
    """The store that a URL names, made if it may be; its clock is the server's, unless another is given.

    Raises BadStoreUrl, StoreFault, NewerStore.
    """
    address, server = address_of(url), ServerClock()
    try:
        voucher, stopped = await trio.to_thread.run_sync(_prepared, address, key, make, server)
        transactions = await trio.to_thread.run_sync(PostgresTransactions, address, server)
    except psycopg.Error as error:
        raise StoreFault(f"the store {address.shown} can't be used: {one_line(error)}") from None
    except UnidentifiedStore as error:
        raise StoreFault(f"the store {address.shown} can't be used with a key: {error}") from None
    writer = CommitWriter(transactions)
    database = PostgresDatabase(address, writer)
    try:
        async with writer.working():
            yield SqlStore(database, clock or server, voucher, stopped=stopped)
    finally:
        transactions.close()
        database.close()


def _prepared(
    address: PostgresAddress, key: LogKey | None, make: bool, clock: ServerClock
) -> tuple[Voucher | None, str | None]:
    """What vouches for the store, and whether it is stopped; it is brought to this version before."""
    with address.connect("engine opening") as raw:
        migrate(raw, address.schema, address.lock("migrations"), make, lambda: BadStoreUrl(
            f"there is no store in the schema `{address.schema}` of {address.shown}; `engine run` makes one"
        ))  # fmt: skip
        connection = PostgresConnection(raw)
        clock.learn(connection.execute("SELECT clock_timestamp()").fetchone()[0])
        voucher = Voucher(store_id(connection), key) if key is not None else None
        return voucher, stopped_at(connection)
