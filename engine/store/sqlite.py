"""The store in a SQLite file: WAL, synchronous=FULL, one writer that commits what many sessions append."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TypeVar

import trio

from engine.ports.clock import Clock
from engine.store.backup import stopped_at
from engine.store.database import SqlConnection
from engine.store.file import empty_wal, opened
from engine.store.file_problems import file_problems
from engine.store.log_key import LogKey, Voucher
from engine.store.move_mark import ASK, check_open
from engine.store.sql_store import SqlStore
from engine.store.sqlite_connection import SqliteConnection, one_moment
from engine.store.strays import store_id
from engine.store.wake import WakeSender
from engine.store.writer import CommitWriter
from engine.trio_clock import TrioClock

T = TypeVar("T")
W = TypeVar("W")
R = TypeVar("R")


@asynccontextmanager
async def open_store(
    path: Path, key: LogKey | None = None, *, make: bool = True, clock: Clock | None = None
) -> AsyncIterator[SqlStore]:
    """The store in a file, which is made if it may be, open for the length of the context; a key vouches for it.

    Its clock is the machine's, unless another is given.
    Raises UnidentifiedStore where there is a key and the store has no id that heads are sealed for.
    """
    writing, reading, check = await trio.to_thread.run_sync(opened, path, make)
    try:
        voucher = Voucher(store_id(reading), key) if key is not None else None
        with closing(WakeSender(path)) as sender:
            writer = CommitWriter(SqliteTransactions(writing, check, sender.tell))
            database = SqliteDatabase(writer, reading, check, path)
            async with writer.working():
                yield SqlStore(database, clock or TrioClock(), voucher, stopped=stopped_at(reading))
    finally:
        reading.close()
        writing.close()


class SqliteTransactions:
    """See `writer.Transactions`: nobody else writes to the file while one is open, whatever it names."""

    most = 1000

    def __init__(
        self,
        connection: SqliteConnection,
        check: Callable[[], None] = lambda: None,
        tell: Callable[[Sequence[str]], None] = lambda session_ids: None,
    ) -> None:
        """Before each transaction `check` may raise what keeps it from being durable; `tell` is of what is by then."""
        self.connection = connection
        self._check = check
        self._tell = tell

    def begin(self, names: Collection[str]) -> None:
        """See `writer.Transactions`; raises StoreMoved."""
        self._check()
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.changed_sessions.clear()
        check_open(self.connection.execute(ASK).fetchone())

    def commit(self) -> None:
        """See `writer.Transactions`."""
        self.connection.execute("COMMIT")
        self._tell(self.connection.changed_sessions)

    def roll_back(self) -> None:
        """See `writer.Transactions`."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def again(self, error: Exception) -> bool:
        """See `writer.Transactions`: what was not committed was not done."""
        return False

    def told(self, error: Exception) -> Exception:
        """See `writer.Transactions`."""
        return error


class SqliteDatabase:
    """See `store.SqlDatabase`: one connection that writes, for all processes one at a time, and one that reads."""

    def __init__(self, writer: CommitWriter, reading: SqliteConnection, check: Callable[[], None], file: Path) -> None:
        """`check` raises where the file is not the one that was opened any more."""
        self._writer = writer
        self._reading = reading
        self._check = check
        self._file = file
        self._one_reader = trio.CapacityLimiter(1)

    async def read(self, job: Callable[[SqlConnection], T]) -> T:
        """See `store.SqlDatabase`."""

        def look() -> T:
            self._check()
            with one_moment(self._reading):
                return job(self._reading)

        return await trio.to_thread.run_sync(look, limiter=self._one_reader)

    async def write(self, job: Callable[[SqlConnection], T], *names: str) -> T:
        """See `store.SqlDatabase`: nothing else is written meanwhile, whatever it names."""
        return await self._writer.do(job)

    async def write_each(self, job: Callable[[SqlConnection, Sequence[W]], Sequence[R]], wanted: W, *names: str) -> R:
        """See `store.SqlDatabase`."""
        return await self._writer.do_each(job, wanted)

    def table_of(self, error: Exception) -> str:
        """See `store.SqlDatabase`."""
        return str(error).rpartition(" ")[2].partition(".")[0] if isinstance(error, sqlite3.IntegrityError) else ""

    async def overwritten(self) -> None:
        """Whatever was deleted is nowhere any more when this returns."""
        await trio.to_thread.run_sync(empty_wal, self._file)

    async def problems(self) -> list[str]:
        """See `store.SqlDatabase`."""

        def look() -> list[str]:
            with one_moment(self._reading):
                return file_problems(self._reading)

        return await trio.to_thread.run_sync(look, limiter=self._one_reader)
