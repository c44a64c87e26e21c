"""Group commit: one thread takes the writes that many sessions want, and one commit makes them durable."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

import outcome
import trio

T = TypeVar("T")
W = TypeVar("W")
# does what is wanted of it, of which each is answered
BatchJob = Callable[[Any, Sequence[Any]], Sequence[Any]]

# a batch of which nobody knows whether it was done is tried so often again
MOST_TRIES = 10


class Transactions(Protocol):
    """The transactions of one connection, of which one is open at a time; all of it belongs into one thread."""

    @property
    def connection(self) -> Any:
        """What jobs write with."""
        ...

    @property
    def most(self) -> int:
        """How many jobs one transaction is made of at the most."""
        ...

    def begin(self, names: Collection[str]) -> None:
        """Begin, and hold names until the end; raises what keeps it from being durable."""
        ...

    def commit(self) -> None:
        """Make durable what was written."""
        ...

    def roll_back(self) -> None:
        """Undo what was written, if anything is open; it raises nothing."""
        ...

    def again(self, error: Exception) -> bool:
        """Whether the same is to be tried again, since nobody knows if it was done, or somebody else was in the way.

        It may take as long as the database is waited for.
        """
        ...

    def told(self, error: Exception) -> Exception:
        """What whoever wants a write is told in the place of an error."""
        ...


class _Ticket:
    """What is wanted of a job, on its way, and what came of it."""

    __slots__ = ("done", "job", "names", "result", "wanted")

    def __init__(self, job: BatchJob, wanted: Any, names: Collection[str]) -> None:
        self.job = job
        self.wanted = wanted
        self.names = names
        self.done = trio.Event()
        self.result: outcome.Outcome[Any] | None = None


class CommitWriter:
    """Runs jobs in a thread of its own, all that wait in one transaction.

    A job refuses before it writes anything, so that a refusal needs no undoing.  If one raises, the batch is
    undone and its jobs are run again, each in a transaction of its own: none fails for another's sake.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._waiting: SimpleQueue[_Ticket | None] = SimpleQueue()
        self._loop = trio.lowlevel.current_trio_token()
        self._closed = False

    async def do(self, job: Callable[[Any], T], names: Collection[str] = ()) -> T:
        """Run a job and return when its transaction is durable; raises what the job or the commit raises."""
        return await self.do_each(lambda connection, _: [job(connection)], None, names)

    async def do_each(
        self, job: Callable[[Any, Sequence[W]], Sequence[T]], wanted: W, names: Collection[str] = ()
    ) -> T:
        """The same of a job that does all at once that is wanted of it in one transaction."""
        if self._closed:
            raise trio.ClosedResourceError("the store is closed")
        ticket = _Ticket(job, wanted, names)
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
            while not last and len(batch) < self._transactions.most:
                try:
                    ticket = self._waiting.get_nowait()
                except Empty:
                    break
                if ticket is None:
                    last = True
                else:
                    batch.append(ticket)
            if batch:
                self._commit(batch)
            self._loop.run_sync_soon(_tell, batch)
            if last:
                return

    def _commit(self, batch: list[_Ticket]) -> None:
        error, tries = self._tried(batch), MOST_TRIES
        while error is not None and tries and self._transactions.again(error):
            error, tries = self._tried(batch), tries - 1
        if error is None or len(batch) == 1:
            return
        for ticket in batch:
            error = self._tried([ticket])
            # who can be asked again, and was so often, is not away: it is one of them that takes the connection down
            if error is not None and not tries and self._transactions.again(error):
                self._tried([ticket])

    def _tried(self, batch: list[_Ticket]) -> Exception | None:
        """Run a batch; the error where it was undone, or where nobody knows, which then is every job's."""
        transactions = self._transactions
        try:
            transactions.begin([name for ticket in batch for name in ticket.names])
            together: dict[BatchJob, list[_Ticket]] = {}
            for ticket in batch:
                together.setdefault(ticket.job, []).append(ticket)
            for job, tickets in together.items():
                results = job(transactions.connection, [ticket.wanted for ticket in tickets])
                for ticket, result in zip(tickets, results, strict=True):
                    ticket.result = outcome.Value(result)
            transactions.commit()
        except Exception as error:
            transactions.roll_back()
            for ticket in batch:
                ticket.result = outcome.Error(transactions.told(error))
            return error
        return None


def _tell(batch: list[_Ticket]) -> None:
    for ticket in batch:
        ticket.done.set()
