"""Every way out of the engine, as Protocols: one door for each kind of effect.

The core never comes here; the runtime walks through these doors and brings back replies.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from engine.errors import EngineError
from engine.session.bundle import NO_USAGE, Tool, Usage
from engine.session.event import Event
from engine.session.reply import Note
from engine.session.view import PlannerView
from engine.stored import AppendResult, Head, JobLease, JobRow, Lease, RequestRow, SessionRow, Take

# -- time and dice


class Clock(Protocol):
    """Tells the time; all times are aware and in UTC."""

    def now(self) -> datetime:
        """This moment."""
        ...


# -- planners


@dataclass(frozen=True, slots=True)
class Proposal:
    """A decision as plain JSON, unchecked, what asking for it took, and how it came about."""

    decision: Any
    usage: Usage = NO_USAGE
    notes: tuple[Note, ...] = ()


class PlannerError(EngineError):
    """A planner could not propose anything; the message says why, `usage` what it took all the same.

    `final` says that asking it again is no use: another planner of the chain is asked, or the session ends.
    """

    def __init__(
        self, message: str, usage: Usage = NO_USAGE, notes: tuple[Note, ...] = (), *, final: bool = False
    ) -> None:
        super().__init__(message)
        self.usage = usage
        self.notes = notes
        self.final = final


class Planner(Protocol):
    """Proposes the next decision."""

    async def propose(self, view: PlannerView) -> Any:
        """A decision as plain JSON, unchecked, or as a Proposal; raises PlannerError."""
        ...


Say = Callable[[str], None]


@runtime_checkable
class Reader(Protocol):
    """A planner that reads the session's log, and says what it is about to answer while it does."""

    async def consider(self, view: PlannerView, log: Sequence[Event], say: Say) -> Proposal:
        """A proposal; `say` is told the message so far, each time that there is more of it; raises PlannerError."""
        ...


# -- tools


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One run of one tool: checked input, the key under which it may act, whose session it is.

    `masked` gives a text without secrets, and `hidden` one without the sensitive values of the session.
    """

    tool: Tool
    input: Mapping[str, Any]
    attributes: Mapping[str, Any]
    idempotency_key: str | None
    session_id: str
    root: str
    masked: Callable[[str], str] = str
    hidden: Callable[[str], str] = str

    def told(self, text: str, most: int, *, end: bool = False) -> str:
        """The beginning (or the end) of what was said about a failure, of so many characters at most.

        What must not be told is looked for before the text is cut: a part of it would not be recognised.
        """
        text = self.masked(text)
        if len(text) <= most:
            return text
        text = self.hidden(text)
        return text[-most:] if end else text[:most]


class ToolError(EngineError):
    """A tool failed.

    `acted` is False only if nothing can have been done; `retryable` if trying again may help; `lost` if the work
    may be done and only the answer did not come.  `wait` are the seconds that it asks for before another try.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        retryable: bool = False,
        acted: bool = True,
        lost: bool = False,
        wait: Decimal | None = None,
    ) -> None:
        super().__init__(message)
        self.wait = wait
        self.lost = lost
        self.reason = reason
        self.message = message
        self.retryable = retryable
        self.acted = acted


class ToolAdapter(Protocol):
    """Acts for tools of one kind."""

    async def run(self, run: ToolRun) -> Any:
        """The tool's output, unchecked; raises ToolError.  Cancelling it leaves nothing running."""
        ...


@runtime_checkable
class Prepared(Protocol):
    """An adapter that can be made ready before a session needs it."""

    async def ready(self, tool: Tool) -> object:
        """Open what the tool needs, and compare it with what the bundle says; raises ToolError, MissingSecret."""
        ...


# -- the store


class Queue(Protocol):
    """Hands jobs to workers, each to one at a time; what enqueues and ends them are appends to their sessions.

    A queue of many machines (priorities, limits of each tenant) stands behind the same port.
    """

    async def lease_job(
        self, owner: str, now: datetime, until: datetime, *, but: Collection[str] = ()
    ) -> JobLease | None:
        """The job that has waited longest of those that are due, or whose lease has ended; None if there is none.

        Jobs whose id is in `but` are left to others.
        """
        ...

    async def release_job(self, lease: JobLease) -> None:
        """Give a job back that was not begun under this lease; does nothing if the lease is lost."""
        ...

    async def damaged_jobs(self) -> list[JobRow]:
        """The jobs that nobody is given, since their rows are damaged: `problem` says how."""
        ...

    async def renew_job(self, lease: JobLease, until: datetime) -> bool:
        """A heartbeat; False if the lease is lost."""
        ...

    async def next_job_at(self) -> datetime | None:
        """When the next job is due, or its lease ends; None if there is none."""
        ...

    async def jobs(self, status: str | None = None, session_id: str | None = None) -> list[JobRow]:
        """Jobs, oldest first."""
        ...

    async def job(self, job_id: str) -> JobRow | None:
        """One job, or None."""
        ...


class Store(Queue, Protocol):
    """Keeps sessions.  Whatever it says it has appended survives a crash of the machine."""

    @property
    def keeps_snapshots(self) -> bool:
        """Whether a snapshot is worth making: in one that no key seals, who writes the store could say anything."""
        ...

    async def append(
        self,
        session_id: str,
        after: int,
        events: Sequence[Event],
        *,
        epoch: int | None = None,
        take: Take | None = None,
        let_go: bool = False,
        job: JobLease | None = None,
    ) -> AppendResult:
        """Append all of the events or none; `after` 0 creates the session.

        In the same transaction, idempotency keys that `call_started` events carry are claimed, and what they
        reserve on shared meters is added, both settled by the results.  An `epoch` below the session's newest
        claim is refused as Fenced.

        `take` claims the session: Held while another owner's lease is live, Conflict if its epoch is not above
        the newest.  `let_go` gives the lease of `epoch` back.

        Jobs that `job_enqueued` events hand over are queued in the same transaction, and go on as later events of
        their calls say.  With `job` the append is refused as Fenced once that lease is lost.
        """
        ...

    async def meter_used(self, key: str, since: datetime | None) -> Any:
        """What calls of all sessions have added to a shared meter under a key: since a moment, or in all.

        What is in flight, or what nobody can vouch for, counts whenever it was, as it does in `append`.
        """
        ...

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """The events after a sequence number, in order; raises UnknownSession, CorruptLog."""
        ...

    async def heads(self, session_ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """The newest sequence number and epoch of each session that there is."""
        ...

    async def save_snapshot(self, session_id: str, seq: int, version: str, text: str) -> None:
        """Keep a state that the events up to `seq` add up to, in the place of an older one; it is a cache."""
        ...

    async def snapshot(self, session_id: str, version: str) -> str | None:
        """The newest state of that version, if it is the one that was kept for this log; else None."""
        ...

    async def renew(self, leases: Sequence[Lease], until: datetime) -> None:
        """Prolong those of the leases that are not lost or given back; `heads` tells of a newer epoch."""
        ...

    async def release(self, lease: Lease) -> None:
        """Let go of a session; does nothing if the lease is lost."""
        ...

    async def due_sessions(self, now: datetime) -> list[str]:
        """Sessions that nobody drives and that something has to be done for: left running, or a request expired."""
        ...

    async def sessions(self, limit: int | None = None, state: str | None = None) -> list[SessionRow]:
        """Sessions, newest first."""
        ...

    async def session(self, session_id: str) -> SessionRow:
        """One session; raises UnknownSession."""
        ...

    async def requests(self, *, session_id: str | None = None, open_only: bool = True) -> list[RequestRow]:
        """The inbox, oldest first."""
        ...

    async def request(self, request_id: str) -> RequestRow | None:
        """One request, or None."""
        ...

    async def session_ids(self) -> list[str]:
        """All sessions, in the order in which they began."""
        ...

    async def verify(self, session_id: str, known: Sequence[Head] = ()) -> list[str]:
        """What is wrong with a session, empty if it is whole; raises UnknownSession.

        That is its chain of events, its seal, and what stands beside the log.  With heads of it that were exported
        before, also whether it has those events still.
        """
        ...

    async def erased(self, session_id: str) -> list[int]:
        """The events of a session whose payload was erased: their chain is whole, and nobody can say what they said.

        Raises UnknownSession.
        """
        ...

    async def strays(self) -> Mapping[str, list[str]]:
        """What stands beside logs for sessions that there are not, by the session that it says it is of."""
        ...

    async def file_problems(self) -> list[str]:
        """What is wrong with the store as a whole, beyond what is wrong with its sessions and bundles."""
        ...

    async def chain_heads(self) -> list[Head]:
        """The heads of all sessions, in the order in which they began: what finds a rollback, kept elsewhere."""
        ...

    async def seal(self, session_id: str, *, unsealed: bool = False) -> list[str]:
        """Seal a head that an older key has sealed, or, if that is meant, one that is `unsealed`; or why not.

        Raises UnknownSession.
        """
        ...

    async def save_bundle(self, digest: str, files: Mapping[str, bytes], *, urgent: bool = False) -> None:
        """Keep a bundle's content under its digest, once; `urgent` if it judges beside those that were kept before."""
        ...

    async def urge_bundle(self, digest: str, urgent: bool) -> bool:
        """From now on a bundle judges beside all others that are kept, or beside none; False if there is none such."""
        ...

    async def urgent_bundles(self, after: str | None = None) -> Sequence[str]:
        """The digests of the bundles that judge beside others, or beside the one with the digest `after`.

        Those are the urgent ones that were kept, or urged, after it was kept; in that order.
        """
        ...

    async def bundles(self) -> list[str]:
        """The digests of all bundles that are kept, in the order in which they were."""
        ...

    async def load_bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """A bundle's content, or None; raises DamagedBundle."""
        ...
