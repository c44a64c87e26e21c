"""What comes in from outside: answers to effects, and what people send.  Each carries its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.spec.planner_spec import NO_USAGE, Usage
from engine.spec.retry import FailureKind


@dataclass(frozen=True, slots=True)
class SessionRequested:
    """Somebody starts a session; `started_by` is None for the customer, `fallback` the planners after the first.

    `handle_key` was drawn for it: what stands for its sensitive values is made with it, and the marks of messages.
    `environment` has a digest of each value of the environment that its bundle reaches the world by.  A machine that
    starts one `stands_for` the people who made its token.
    """

    session_id: str
    agent: str
    planner: str
    attributes: Mapping[str, Any]
    message: str
    started_by: str | None
    root: str
    at: datetime
    fallback: tuple[str, ...] = ()
    handle_key: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    stands_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionClaimed:
    """A driver holds the session under a new epoch."""

    owner: str
    epoch: int
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionReleased:
    """The driver lets go without ending anything."""

    owner: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Time has passed."""

    at: datetime


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request to a model's server, whatever came of it.

    `status` is `ok` or the name of the fault, `cost_usd` None where the model has no price, `seconds` how long it
    took, `retry_in` after how many seconds it was asked again, None if it was not.  Of `tokens_in` so many came from
    the server's cache (`cached`), and so many were put into it (`cache_write`).  `repairs` tell how the answer
    deviated from its protocol, harmlessly.
    """

    planner: str
    model: str
    status: str
    attempt: int
    prompt_digest: str
    request_id: str | None
    tokens_in: int
    tokens_out: int
    cost_usd: Any
    seconds: Any
    finish_reason: str | None
    message: str = ""
    retry_in: Any = None
    cached: int = 0
    cache_write: int = 0
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannerFellBack:
    """A planner had nothing to propose, and the next one of the chain was asked."""

    planner: str
    to: str
    reason: str


Note = ModelCall | PlannerFellBack


@dataclass(frozen=True, slots=True)
class PlannerAnswered:
    """The planner proposed something; `raw` is unchecked, `notes` tell how it came to it."""

    ask: int
    raw: Any
    at: datetime
    usage: Usage = NO_USAGE
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannerFailed:
    """The planner proposed nothing; `final` if asking it again is no use."""

    ask: int
    problem: str
    at: datetime
    usage: Usage = NO_USAGE
    notes: tuple[Note, ...] = ()
    final: bool = False


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """A tool's run brought an output, not checked yet; `mark` was drawn for it, to fence it where models read it."""

    call_id: str
    attempt: int
    output: Any
    at: datetime
    mark: str = ""


@dataclass(frozen=True, slots=True)
class ToolFailed:
    """A tool's run ended otherwise.

    `acted` is False only where the adapter vouches that nothing was done.  `dice` is at least 0 and less than 1.
    `wait` are the seconds that the tool asks for before another try.
    """

    call_id: str
    attempt: int
    failure: FailureKind
    reason: str
    message: str
    acted: bool
    at: datetime
    dice: Decimal = Decimal(0)
    wait: Decimal | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True)
class ToolNotBegun:
    """A started call whose tool never began: what it needs is not there where the session is driven."""

    call_id: str
    attempt: int
    problem: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FactReturned:
    """A fact read brought an output, not checked yet."""

    key: str
    gate: int
    output: Any
    started: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class FactFailed:
    """A fact could not be read."""

    key: str
    gate: int
    problem: str
    started: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class KeyTaken:
    """The store refused a `call_started`, since its idempotency key is held: by a recorded result, or in flight."""

    key: str
    status: str
    output: Any
    holder: str
    at: datetime
    compared: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class KeyExpired:
    """The store refused a `call_started`: results under its idempotency key have expired `generation` times."""

    key: str
    generation: int
    at: datetime


@dataclass(frozen=True, slots=True)
class MeterFull:
    """The store refused a `call_started`: with what others have added a shared meter would go beyond its limit."""

    call_id: str
    meter: str
    used: Any
    limit: Any
    at: datetime


@dataclass(frozen=True, slots=True)
class MessageSent:
    """The user says something more."""

    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """A person answers a request; `action` is `approve`, `deny` or `answer`.

    `roles` are what they identified with, which may make them a member of a group.
    """

    request_id: str
    action: str
    by: str
    note: str
    value: Any
    edit: Mapping[str, Any] | None
    at: datetime
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequestCommented:
    """A person says something about a request to others who are asked; it answers nothing."""

    request_id: str
    by: str
    text: str
    at: datetime


# why a yes is taken back by nobody who said it: whoever did may have been somebody else
TOKEN_REVOKED = "token_revoked"


@dataclass(frozen=True, slots=True)
class YesTakenBack:
    """Who said a yes that does not count yet takes it back; the question is open again.

    `why` says what else has taken it back than their own wish.
    """

    request_id: str
    by: str
    at: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class ActionConfirmed:
    """The customer says yes to an action before it is proposed; it counts for this exact call, once."""

    tool: str
    input: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class DecisionProposed:
    """A client proposes the next decision, having read up to the event `after`; `raw` is unchecked."""

    after: int
    raw: Any
    by: str
    at: datetime
    usage: Usage = NO_USAGE


@dataclass(frozen=True, slots=True)
class JobLeased:
    """A worker has a job; `epoch` counts the leases of this job."""

    call_id: str
    owner: str
    epoch: int
    at: datetime


@dataclass(frozen=True, slots=True)
class JobReleased:
    """A worker lets go of a job that it has not finished; `acted` is False if its tool can't have done anything."""

    call_id: str
    acted: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class JobRetryRequested:
    """Somebody wants a job that failed for good to run once more."""

    call_id: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class JobDiscardRequested:
    """Somebody gives a job up."""

    call_id: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants the session to end."""

    by: str
    at: datetime


Input = (
    SessionClaimed
    | SessionReleased
    | TimePassed
    | PlannerAnswered
    | PlannerFailed
    | ToolReturned
    | ToolFailed
    | ToolNotBegun
    | FactReturned
    | FactFailed
    | KeyTaken
    | KeyExpired
    | MeterFull
    | MessageSent
    | RequestAnswered
    | RequestCommented
    | YesTakenBack
    | ActionConfirmed
    | DecisionProposed
    | CancelRequested
    | JobLeased
    | JobReleased
    | JobRetryRequested
    | JobDiscardRequested
)


# what somebody sends, once it is known when
InputAt = Callable[[datetime], Input]


@dataclass(frozen=True, slots=True)
class InputRefused:
    """An act that a person may not do now; nothing is recorded."""

    reason: str
    message: str
