"""Group commit: one task takes the writes that many sessions want, and one commit makes them durable."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

import outcome
import trio

from engine.ports import Conflict, Fenced, KeyHeld, MeterFull

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], Any]

MAX_BATCH = 256


class _Ticket:
    """A job on its way, and what came of it."""

    __slots__ = ("done", "job", "result")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.done = trio.Event()
        self.result: outcome.Outcome[Any] | None = None


class Writer:
    """Runs jobs in a thread, each in its own savepoint, all of a batch in one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._send, self._receive = trio.open_memory_channel[_Ticket](MAX_BATCH)
        self._one_thread = trio.CapacityLimiter(1)

    async def do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job and return when its transaction is durable; raises what the job or the commit raises."""
        ticket = _Ticket(job)
        await self._send.send(ticket)
        await ticket.done.wait()
        assert ticket.result is not None
        result: T = ticket.result.unwrap()
        return result

    def close(self) -> None:
        """Take no more jobs; `work` ends with those that were given."""
        self._send.close()

    async def work(self) -> None:
        """The writing task, until `close`."""
        async for first in self._receive:
            batch = [first]
            while len(batch) < MAX_BATCH:
                try:
                    batch.append(self._receive.receive_nowait())
                except (trio.WouldBlock, trio.EndOfChannel):
                    break
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._commit, batch, limiter=self._one_thread)
            for ticket in batch:
                ticket.done.set()

    def _commit(self, batch: list[_Ticket]) -> None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for ticket in batch:
                connection.execute("SAVEPOINT job")
                ticket.result = outcome.capture(ticket.job, connection)
                undone = isinstance(ticket.result, outcome.Error) or not _keeps(ticket.result.value)
                if undone:
                    connection.execute("ROLLBACK TO job")
                connection.execute("RELEASE job")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for ticket in batch:
                ticket.result = outcome.Error(error)


def _keeps(value: Any) -> bool:
    """A refused append leaves nothing behind, not even a key that it claimed on the way."""
    return not isinstance(value, Conflict | Fenced | KeyHeld | MeterFull)
