"""Where sessions are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from engine.ports.access import AccessStore
from engine.ports.clock import Clock
from engine.ports.deliveries import DeliveryStore
from engine.ports.deployments import DeploymentStore
from engine.ports.queue import Queue
from engine.ports.records import AppendResult, Claim, Head, InboxPage, JobLease, Lease, RequestRow, SessionRow
from engine.session.state.event import Event


class PastSessions(Protocol):
    """What a store tells those who only read what was: what-if, coverage by sessions, promotion."""

    async def sessions(
        self,
        limit: int | None = None,
        state: str | None = None,
        *,
        since: datetime | None = None,
        agent: str | None = None,
        before: str | None = None,
        tenant: str | None = None,
    ) -> list[SessionRow]:
        """Sessions, newest first: of a state, begun no earlier, of an agent, begun before a session, for a tenant."""
        ...

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """The events after a sequence number, in order; raises UnknownSession, CorruptLog."""
        ...

    async def load_bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """A bundle's content, or None; raises DamagedBundle."""
        ...


# opens what is past, for the length of the context.  A process of its own is given this, and never what is open:
# then it can be pickled, as a `functools.partial` of `open_past` with a URL
OpenPast = Callable[[], AbstractAsyncContextManager[PastSessions]]


class Store(PastSessions, Queue, Protocol):
    """Keeps sessions.  Whatever it says it has appended survives a crash of the machine.

    Its clock is that of all who work with it: leases, deadlines and the times of events go by it, whatever the clocks
    of their machines say.
    """

    @property
    def clock(self) -> Clock:
        """The time as the store has it."""
        ...

    @property
    def access(self) -> AccessStore:
        """What the service keeps: tokens, who began which session, what people did."""
        ...

    @property
    def deployments(self) -> DeploymentStore:
        """Which bundle new sessions begin with, and who brought which."""
        ...

    @property
    def deliveries(self) -> DeliveryStore:
        """What others are told of."""
        ...

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
        take: Claim | None = None,
        release_lease: bool = False,
        job: JobLease | None = None,
    ) -> AppendResult:
        """Append all of the events or none; `after` 0 creates the session.

        In the same transaction, idempotency keys that `call_started` events carry are claimed, and what they
        reserve on shared meters is added, both settled by the results.  An `epoch` below the session's newest
        claim is refused as Fenced.

        `take` claims the session: Held while another owner's lease is live, Conflict if its epoch is not above
        the newest.  `release_lease` gives the lease of `epoch` back.

        Jobs that `job_enqueued` events hand over are queued in the same transaction, and go on as later events of
        their calls say.  With `job` the append is refused as Fenced once that lease is lost.
        """
        ...

    async def meter_used(self, key: str, since: datetime | None) -> Any:
        """What calls of all sessions have added to a shared meter under a key: since a moment, or in all.

        What is in flight, or what nobody can vouch for, counts whenever it was, as it does in `append`.
        """
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

    async def renew(self, leases: Sequence[Lease], duration: timedelta) -> None:
        """Have those of the leases last so long from now on that are not lost or given back.

        `heads` tells of a newer epoch.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Let go of a session; does nothing if the lease is lost."""
        ...

    async def due_sessions(self) -> list[str]:
        """Sessions that nobody drives and that something has to be done for: left running, or a request expired."""
        ...

    async def session(self, session_id: str) -> SessionRow:
        """One session; raises UnknownSession."""
        ...

    async def requests(
        self,
        *,
        session_id: str | None = None,
        open_only: bool = True,
        after: str | None = None,
        limit: int | None = None,
        tenant: str | None = None,
    ) -> list[RequestRow]:
        """What people are asked, oldest first, and not what waits for a client to propose.

        Of a session, behind a request that was `after` in the order, for a tenant.
        """
        ...

    async def inbox(self, *, open_only: bool = True, limit: int | None = None, tenant: str | None = None) -> InboxPage:
        """What people are asked, what expires first at the head and what never does at the end, for a tenant."""
        ...

    async def requests_about(self, value: str, *, limit: int, tenant: str | None = None) -> list[RequestRow]:
        """Those about a call that has a text as one of its values, open or not, the newest first, for a tenant."""
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

    async def erase(self, session_id: str) -> int:
        """Erase what a session said, and what stands beside its log; how many payloads that were.

        The chain still verifies, and what was done once stays done.  Raises UnknownSession; whether it may be erased is
        for the caller to know.
        """
        ...

    async def strays(self) -> Mapping[str, list[str]]:
        """What stands beside logs for sessions that there are not, by the session that it says it is of."""
        ...

    async def check_open(self) -> None:
        """Raise StoreMoved where nothing can be written, since the store goes on elsewhere or is not wholly here."""
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

    async def set_urgent(self, digest: str, urgent: bool) -> bool:
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
