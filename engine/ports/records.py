"""What a store says of an append, the rows that it lists, and what it can't give."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from engine.errors import EngineError


@dataclass(frozen=True, slots=True)
class Appended:
    """The events are durable."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another writer was first: the session stands at another event than `after`."""

    seq: int


@dataclass(frozen=True, slots=True)
class Fenced:
    """A driver with a higher epoch holds the session."""

    epoch: int


# what became of the call that holds a key: under way, ended well, unknown, ended well and erased; or nobody holds it,
# and results under it have expired before
IN_FLIGHT, OK, UNKNOWN, ERASED, FREE = "in_flight", "ok", "unknown", "erased", "free"


@dataclass(frozen=True, slots=True)
class HeldKey:
    """An idempotency key that the events would claim has a holder; nothing was appended."""

    key: str
    status: str
    output: Any
    holder: str
    compared: Mapping[str, Any] | None = None


def session_of(holder: str) -> str:
    """The session of a call that holds a key, or that has added to a meter."""
    return holder.partition("/")[0]


@dataclass(frozen=True, slots=True)
class ExpiredKey:
    """Results under an idempotency key have expired so often, and the events say otherwise; nothing was appended."""

    key: str
    generation: int


@dataclass(frozen=True, slots=True)
class FullMeter:
    """A shared meter that a call would go beyond; nothing was appended."""

    holder: str
    meter: str
    used: Any
    limit: Any


@dataclass(frozen=True, slots=True)
class HeldSession:
    """Somebody else's lease is live; nothing was appended."""

    owner: str
    until: datetime


@dataclass(frozen=True, slots=True)
class JobLease:
    """The right to run a job for a while, unless it is renewed; `epoch` counts the leases of this job."""

    job_id: str
    session_id: str
    call_id: str
    owner: str
    epoch: int


# what `JobRow.status` can be
JOB_STATUSES = ("queued", "leased", "held", "done", "dead", "unknown", "discarded", "cancelled")


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as the queue keeps it: `queued`, `leased`, `held`, `done`, `dead`, `unknown`, `discarded`, `cancelled`.

    Where the stored row is damaged `problem` says so.
    """

    id: str
    session_id: str
    call_id: str
    tool: str
    status: str
    attempts: int
    run_at: datetime | None
    enqueued_at: datetime | None
    owner: str | None
    lease_until: datetime | None
    epoch: int
    reason: str
    problem: str = ""


AppendResult = Appended | Conflict | Fenced | HeldKey | ExpiredKey | FullMeter | HeldSession


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drive a session for a while, unless it is renewed; the store's clock says for how long."""

    session_id: str
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease that an append takes with it, unless another owner's is live; it holds for a while from then on."""

    lease: Lease
    duration: timedelta


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session in a listing; a time is None where the store holds none that can be read."""

    id: str
    agent: str
    state: str
    outcome: str
    bundle: str
    seq: int
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a session's chain: its newest event's number and link, and the seal of the log's key, if any."""

    session_id: str
    seq: int
    hash: str
    hmac: str | None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request in the inbox; `payload` is the event that opened it.

    It is open still where a yes was said that counts at `counts_at`.  Where the stored row is damaged `problem` says
    so, and the payload is empty.
    """

    id: str
    kind: str
    session_id: str
    status: str
    opened_at: datetime | None
    expires_at: datetime | None
    payload: Mapping[str, Any]
    problem: str = ""
    counts_at: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """When time alone changes something: a yes counts, or else the question expires."""
        return self.counts_at if self.counts_at is not None else self.expires_at


def call_values(row: RequestRow) -> Collection[Any]:
    """The values of the call that a request is about; of an input that is sensitive as a whole there are none."""
    given = row.payload.get("input")
    return given.values() if isinstance(given, Mapping) else ()


@dataclass(frozen=True, slots=True)
class InboxPage:
    """The first rows of a list of requests, and how many the list has in all."""

    rows: Sequence[RequestRow]
    count: int


class UnknownSession(EngineError):
    """There is no session with that id in the store."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"there is no session {session_id}")
        self.session_id = session_id


class CorruptLog(EngineError):
    """A session's stored events can't be read; nothing of it was changed."""

    def __init__(self, session_id: str, problem: str) -> None:
        super().__init__(f"the log of {session_id} is damaged: {problem}; see: engine sessions verify {session_id}")
        self.session_id = session_id


class NewerLog(CorruptLog):
    """A log that a later version of the engine has gone on with: it is whole, and only that version can read it."""

    def __init__(self, session_id: str, problem: str) -> None:
        Exception.__init__(self, f"the log of {session_id} goes on where a later version runs: {problem}")
        self.session_id = session_id


class DamagedRow(CorruptLog):
    """What is stored beside a session's log says what it can't say, or something else than the log."""

    def __init__(self, session_id: str, table: str, problem: str) -> None:
        told = f"a row of {session_id} in the table `{table}` is damaged: {problem}; see: engine sessions verify"
        Exception.__init__(self, told)
        self.session_id = session_id


class StoreMoved(EngineError):
    """What is in the store goes on in another, or is not wholly here yet: whatever was written here would be lost."""


class SealedLog(EngineError):
    """A log that a key vouches for can't go on without it; nothing of it was changed."""

    def __init__(self, session_id: str) -> None:
        told = f"the head of {session_id} is sealed, and what is added without the log's key would have no seal"
        super().__init__(f"{told}: give the key in ENGINE_LOG_KEY or ENGINE_LOG_KEY_FILE")
        self.session_id = session_id


class DamagedBundle(EngineError):
    """What is stored as a bundle can't be read."""

    def __init__(self, digest: str, problem: str) -> None:
        super().__init__(f"the stored bundle {digest} is damaged: {problem}")
