"""Group commit: one thread takes the writes that many sessions want, and one commit makes them durable."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import outcome
import trio

from engine.store.sqlite_connection import SqliteConnection

T = TypeVar("T")
StoreTask = Callable[[SqliteConnection], Any]

MAX_BATCH = 1000


class _Ticket:
    """A job on its way, and what came of it."""

    __slots__ = ("done", "job", "result")

    def __init__(self, job: StoreTask) -> None:
        self.job = job
        self.done = trio.Event()
        self.result: outcome.Outcome[Any] | None = None


class CommitWriter:
    """Runs jobs in a thread of its own, all that wait in one transaction.

    A job refuses before it writes anything, so that a refusal needs no undoing.  If one raises, the batch is
    undone and its jobs are run again, each in a transaction of its own: none fails for another's sake.
    """

    def __init__(self, connection: SqliteConnection, check: Callable[[], None] = lambda: None) -> None:
        """Before each transaction `check` may raise what keeps it from being durable."""
        self._connection = connection
        self._check = check
        self._waiting: SimpleQueue[_Ticket | None] = SimpleQueue()
        self._loop = trio.lowlevel.current_trio_token()
        self._closed = False

    async def do(self, job: Callable[[SqliteConnection], T]) -> T:
        """Run a job and return when its transaction is durable; raises what the job or the commit raises."""
        if self._closed:
            raise trio.ClosedResourceError("the store is closed")
        ticket = _Ticket(job)
        self._waiting.put(ticket)
        await ticket.done.wait()
        assert ticket.result is not None
        result: T = ticket.result.unwrap()
        return result

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The thread, for the length of the context; it ends with all that was given to it."""
        thread = threading.Thread(target=self._work, name="engine-store-writer", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._closed = True
            self._waiting.put(None)
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(thread.join)

    def _work(self) -> None:
        while True:
            first = self._waiting.get()
            batch = [] if first is None else [first]
            last = first is None
            while not last and len(batch) < MAX_BATCH:
                try:
                    ticket = self._waiting.get_nowait()
                except Empty:
                    break
                if ticket is None:
                    last = True
                else:
                    batch.append(ticket)
            self._commit(batch)
            self._loop.run_sync_soon(_tell, batch)
            if last:
                return

    def _commit(self, batch: list[_Ticket]) -> None:
        if self._tried(batch) and len(batch) > 1:
            for ticket in batch:
                self._tried([ticket])

    def _tried(self, batch: list[_Ticket]) -> bool:
        """Run a batch; whether it was undone, the error then being every job's."""
        connection = self._connection
        try:
            self._check()
            connection.execute("BEGIN IMMEDIATE")
            for ticket in batch:
                ticket.result = outcome.Value(ticket.job(connection))
            connection.execute("COMMIT")
        except Exception as error:
            for ticket in batch:
                ticket.result = outcome.Error(error)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            return True
        return False


def _tell(batch: list[_Ticket]) -> None:
    for ticket in batch:
        ticket.done.set()
