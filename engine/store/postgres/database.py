"""A PostgreSQL database: one connection that writes for all of a process, and a few that read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
import trio

from engine.store.database import SqlConnection, SqlRows
from engine.store.faults import StoreFault
from engine.store.move_mark import ASK, check_open
from engine.store.postgres.address import NETWORK, PostgresAddress, one_line
from engine.store.postgres.clock import ServerClock
from engine.store.postgres.connection import PostgresConnection
from engine.store.strays import UnidentifiedStore, store_id
from engine.store.writer import CommitWriter

T = TypeVar("T")
W = TypeVar("W")
R = TypeVar("R")

# connections that read at once, and how long a server that went away is waited for, in seconds
READERS, PATIENCE = 4, 20.0
_PAUSES = (0.05, 0.1, 0.2, 0.5)
# it shuts down, has crashed, starts, or has too many connections
_SOON = {"57P01", "57P02", "57P03", "53300"}


# what whoever moves a store holds alone
MOVE = "move"
# the locks are taken in the order in which they are given
_TAKE_LOCKS = (
    "SELECT pg_advisory_xact_lock_shared(?),"
    " (SELECT count(pg_advisory_xact_lock(value::bigint)) FROM json_array_elements_text(?::json))"
)


class PostgresTransactions:
    """See `writer.Transactions`.  A name that a job holds is a lock of the server's until its transaction is over.

    Locks are taken before anything else, and in one order: no two processes wait for each other.
    """

    # the server keeps so many thousand locks in all, and a job may hold several
    most = 200

    def __init__(self, address: PostgresAddress, clock: ServerClock) -> None:
        self._address = address
        self._clock = clock
        self.connection = self._connected()
        # whether the store takes writes, as it was asked of the server last
        self._asked: SqlRows | None = None

    def _connected(self) -> PostgresConnection:
        # who stands still in the middle of a transaction loses it before those who wait for its locks give up
        return PostgresConnection(self._address.connect("engine writer", idle=NETWORK), self._address.channel)

    def begin(self, names: Collection[str]) -> None:
        """See `writer.Transactions`: it is sent with the first question of a job."""
        connection = self.connection
        connection.begin_pipeline()
        connection.execute("BEGIN")
        locks = sorted({self._address.lock(name) for name in names})
        connection.execute(_TAKE_LOCKS, (self._address.lock(MOVE), json.dumps(locks)))
        self._asked = connection.execute(ASK)

    def commit(self) -> None:
        """See `writer.Transactions`: it is sent with what the jobs have written last; raises StoreMoved."""
        assert self._asked is not None
        check_open(self._asked.fetchone())
        self.connection.execute("COMMIT")
        told = self.connection.execute("SELECT clock_timestamp()")
        self.connection.end_pipeline()
        self._clock.learn(told.fetchone()[0])

    def roll_back(self) -> None:
        """See `writer.Transactions`."""
        with suppress(psycopg.Error):
            self.connection.end_pipeline()
        with suppress(psycopg.Error):
            self.connection.raw.execute(b"ROLLBACK")

    def again(self, error: Exception) -> bool:
        """See `writer.Transactions`: where the server is away it is waited for."""
        if isinstance(error, psycopg.errors.DeadlockDetected):
            return True
        lost = isinstance(error, psycopg.OperationalError) and is_away(error)
        if not self.connection.raw.closed and not lost:
            return False
        until = time.monotonic() + PATIENCE
        for pause in (*_PAUSES, *[1.0] * int(PATIENCE)):
            with suppress(psycopg.Error):
                self.connection.raw.close()
                self.connection = self._connected()
                return True
            if time.monotonic() + pause > until:
                break
            time.sleep(pause)
        return False

    def told(self, error: Exception) -> Exception:
        """See `writer.Transactions`."""
        return fault(error, self._address) if isinstance(error, psycopg.Error) else error

    def close(self) -> None:
        """Let go of the connection."""
        self.connection.raw.close()


def is_away(error: psycopg.Error) -> bool:
    """Whether the server can't be asked at all, and may be soon: it restarts, or has no connection to spare."""
    state = error.sqlstate
    return state is None or state.startswith("08") or state in _SOON


def fault(error: psycopg.Error, address: PostgresAddress) -> Exception:
    """What is said of a server that did not do what it was asked; a row that is there already is nobody's fault."""
    if isinstance(error, psycopg.IntegrityError):
        return error
    if isinstance(error, psycopg.errors.QueryCanceled | psycopg.errors.LockNotAvailable):
        told = "is busy"
    elif isinstance(error, psycopg.errors.ProgramLimitExceeded):
        told = "can't hold a value that is so long"
    elif isinstance(error, psycopg.errors.InsufficientPrivilege):
        told = "refuses it to this role"
    elif isinstance(error, psycopg.OperationalError):
        told = "can't be reached"
    else:
        told = "did not take it"
    return StoreFault(f"the store {address.shown} {told}: {one_line(error)}")


class PostgresDatabase:
    """See `store.SqlDatabase`."""

    def __init__(self, address: PostgresAddress, writer: CommitWriter) -> None:
        self._address = address
        self._writer = writer
        self._free: list[psycopg.Connection[Any]] = []
        self._readers = trio.CapacityLimiter(READERS)
        self._closed = False
        # since when no question came through, of Python's monotonic clock
        self._away_since: float | None = None

    async def read(self, job: Callable[[SqlConnection], T]) -> T:
        """See `store.SqlDatabase`.

        Who can't wait for an answer any more goes on without it: a driver has to stop what it does before its lease
        ends, also while nobody hears from the server.
        """
        return await trio.to_thread.run_sync(self._asked, job, limiter=self._readers, abandon_on_cancel=True)

    def _asked(self, job: Callable[[SqlConnection], T]) -> T:
        """Ask, and wait for a server that went away; where it has been for long nobody waits for it any more."""
        for pause in (*_PAUSES, *[1.0] * int(PATIENCE), 0.0):
            try:
                found = self._asked_once(job)
                self._away_since = None
                return found
            except psycopg.OperationalError as error:
                if not is_away(error):
                    raise fault(error, self._address) from error
                now = time.monotonic()
                since = self._away_since = self._away_since or now
                if not pause or now + pause > since + PATIENCE:
                    raise fault(error, self._address) from error
                time.sleep(pause)
            except psycopg.Error as error:
                raise fault(error, self._address) from error
        raise AssertionError("the last try returns or raises")

    def _asked_once(self, job: Callable[[SqlConnection], T]) -> T:
        # one that has waited may be a connection to a server that went away since
        while self._free:
            raw = self._free.pop()
            try:
                return self._in_one_moment(raw, job)
            except psycopg.OperationalError:
                if not raw.closed:
                    raise
            finally:
                self._keep(raw)
        raw = self._address.connect("engine reader")
        try:
            return self._in_one_moment(raw, job)
        finally:
            self._keep(raw)

    def _keep(self, raw: psycopg.Connection[Any]) -> None:
        if self._closed:
            raw.close()
        elif not raw.closed:
            self._free.append(raw)

    @staticmethod
    def _in_one_moment(raw: psycopg.Connection[Any], job: Callable[[SqlConnection], T]) -> T:
        raw.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            return job(PostgresConnection(raw))
        finally:
            with suppress(psycopg.Error):
                raw.execute(b"ROLLBACK")

    async def write(self, job: Callable[[SqlConnection], T], *names: str) -> T:
        """See `store.SqlDatabase`."""
        return await self._writer.do(job, names)

    async def write_each(self, job: Callable[[SqlConnection, Sequence[W]], Sequence[R]], wanted: W, *names: str) -> R:
        """See `store.SqlDatabase`."""
        return await self._writer.do_each(job, wanted, names)

    def table_of(self, error: Exception) -> str:
        """See `store.SqlDatabase`."""
        return str(error.diag.table_name) if isinstance(error, psycopg.errors.UniqueViolation) else ""

    async def overwritten(self) -> None:
        """See `store.SqlDatabase`: the server's own vacuum does it, and its write-ahead log goes with time."""

    async def problems(self) -> list[str]:
        """See `store.SqlDatabase`."""

        def look(connection: SqlConnection) -> list[str]:
            try:
                store_id(connection)
            except UnidentifiedStore as error:
                return [str(error)]
            return []

        return await self.read(look)

    def close(self) -> None:
        """Let go of the connections; one at which somebody still waits is let go of then."""
        self._closed = True
        while self._free:
            self._free.pop().close()
