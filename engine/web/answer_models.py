"""What the routes answer with, as the OpenAPI document tells it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class AnswerBody(BaseModel):
    """Fields may be added later: whoever reads one passes over what it does not know."""

    model_config = ConfigDict(extra="allow")


class ProblemBody(AnswerBody):
    """What went wrong, as RFC 9457 has it; `code` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str


class SessionStanding(AnswerBody):
    """How a session stands; `seq` is its newest event."""

    id: str
    state: str
    seq: int


class SessionListed(AnswerBody):
    """A session as lists show it."""

    id: str
    agent: str
    state: str
    outcome: str | None
    bundle: str
    events: int
    created_at: datetime | None
    updated_at: datetime | None


class SessionPage(AnswerBody):
    """A page of sessions; `next_cursor` asks for the next one, and is null on the last."""

    items: list[SessionListed]
    next_cursor: str | None


class SessionShown(AnswerBody):
    """A session: what it was told, its calls and requests, what it used of its budget."""

    id: str
    agent: str
    state: str
    outcome: str | None
    message: str
    seq: int
    attributes: dict[str, Any]
    messages: list[str]
    calls: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    used: dict[str, Any]


class BatchPage(AnswerBody):
    """What came of each session of a batch: a status, and the session or a code."""

    items: list[dict[str, Any]]


class EventPage(AnswerBody):
    """Events of a session, each with its `seq`, `kind` and the fields of its kind."""

    items: list[dict[str, Any]]
    next_cursor: str | None


class VerifyReport(AnswerBody):
    """What is wrong with a session's log; empty if it is whole."""

    id: str
    problems: list[str]


class VerdictShown(AnswerBody):
    """What the rules said of a call; `text` says it for people."""

    seq: int
    call_id: str
    tool: str
    verdict: str
    rule: str | None
    text: str


class VerdictPage(AnswerBody):
    """All verdicts of a session, the oldest first."""

    items: list[VerdictShown]
    next_cursor: str | None


class WebhookShown(AnswerBody):
    """Where another system's deliveries start sessions; of its secret nothing is told."""

    name: str
    path: str
    agent: str | None
    tenant: str | None


class WebhookPage(AnswerBody):
    """All webhooks, by name."""

    items: list[WebhookShown]
    next_cursor: str | None


class ErasureDone(AnswerBody):
    """How many events of a session say nothing any more."""

    id: str
    erased: int


class RequestShown(AnswerBody):
    """What somebody is asked; `digest` is what an answer names."""

    id: str
    kind: str
    session_id: str
    status: str


class RequestPage(AnswerBody):
    """A page of requests."""

    items: list[RequestShown]
    next_cursor: str | None


class ClaimKept(AnswerBody):
    """Who is at a request, and until when."""

    id: str
    claimed_by: str
    claimed_until: str


class AbsenceShown(AnswerBody):
    """Who is away, from when to when, and who looks at what they are asked meanwhile."""

    model_config = ConfigDict(extra="allow", serialize_by_alias=True)

    id: str
    person: str
    begins: str = Field(alias="from")
    to: str
    delegate: str | None


class AbsencePage(AnswerBody):
    """All absences that are not over."""

    items: list[AbsenceShown]
    next_cursor: str | None


class ConfirmationLinkMade(AnswerBody):
    """A link by which the customer answers a request, once, until it expires."""

    request_id: str
    url: str
    expires_at: str


class CommentKept(AnswerBody):
    """A comment as it was recorded."""

    id: str
    by: str
    text: str


class AnswerGiven(AnswerBody):
    """An answer as it was recorded, when it counts if that is not at once, and how its session stands."""

    id: str
    answer: str
    by: str
    counts_at: datetime | None
    session: SessionStanding


class JobShown(AnswerBody):
    """A job as the queue has it."""

    id: str
    session_id: str
    call_id: str
    tool: str
    status: str
    attempts: int


class JobPage(AnswerBody):
    """A page of jobs."""

    items: list[JobShown]
    next_cursor: str | None


class JobAccepted(AnswerBody):
    """A job whose retry or end is recorded."""

    id: str
    session_id: str


class TokenShown(AnswerBody):
    """A token; of its secret nothing is told."""

    id: str
    name: str
    role: str
    state: str


class TokenMade(TokenShown):
    """A token that was made, with its secret, which is told this once."""

    secret: str


class TokenPage(AnswerBody):
    """All tokens."""

    items: list[TokenShown]
    next_cursor: str | None


class DeliveryShown(AnswerBody):
    """Something that is told to others, and how that stands."""

    id: str
    notification: str
    kind: str
    about: str
    state: str
    attempts: int
    problem: str


class ScheduledStart(AnswerBody):
    """The newest time of a schedule that began a session."""

    at: str
    session_id: str


class ScheduleShown(AnswerBody):
    """When which sessions begin."""

    id: str
    cron: str
    zone: str
    agent: str | None
    tenant: str | None
    misfire: str
    overlap: str
    next_at: str | None
    last: ScheduledStart | None


class UsageShown(AnswerBody):
    """What sessions of a tenant and an agent used on a day; holds, failures and stops by budgets are told apart."""

    day: str
    tenant: str | None
    agent: str
    started: int
    ended: dict[str, int]
    steps: int
    calls: int
    model_calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    holds: int
    failures: dict[str, int]
    budget_stops: dict[str, int]


class UsagePage(AnswerBody):
    """A page of what sessions used, the oldest day first."""

    items: list[UsageShown]
    next_cursor: str | None


class PrincipalShown(AnswerBody):
    """Who asks, and what they may do."""

    id: str
    name: str
    role: str
    person: str | None
    tenant: str | None
    groups: list[str]
    rights: list[str]


class SchedulePage(AnswerBody):
    """What begins by the clock."""

    items: list[ScheduleShown]
    next_cursor: str | None


class DeliveryPage(AnswerBody):
    """What was told, and what is to be."""

    items: list[DeliveryShown]
    next_cursor: str | None


class AuditPage(AnswerBody):
    """What was done, the oldest first."""

    items: list[dict[str, Any]]
    next_cursor: str | None


class Health(AnswerBody):
    """Whether the process lives, or can be asked."""

    status: str


class Version(AnswerBody):
    """Which engine this is."""

    version: str
