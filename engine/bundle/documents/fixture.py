"""kind: Fixture."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from engine.bundle.documents.parts import ON_ENTRY, DocumentModel, MomentText, Name, Path, SomeTime, Span

RequestKind = Literal["approval", "input", "choice", "settle", "follow_up"]
State = Literal[
    "running",
    "awaiting_human_review",
    "awaiting_confirmation",
    "awaiting_job",
    "awaiting_planner",
    "awaiting_message",
    "done",
    "out_of_budget",
    "timed_out",
    "cancelled",
    "failed",
]


class StubbedCall(DocumentModel):
    """What a stub does for some calls: those whose input has these fields."""

    input: dict[str, Any] = {}
    output: Any = None
    error: str | None = None


class Stub(DocumentModel):
    """Stands in for a tool's adapter: give an output, fail, or take time."""

    output: Any = None
    calls: Annotated[
        list[StubbedCall], Field(description="What it does for calls with some input; the first that fits counts.")
    ] = []
    error: str | None = None
    fails: Annotated[
        int | None, Field(ge=1, description="How often it fails before it gives its output; always unless given.")
    ] = None
    retryable: Annotated[bool, Field(description="Whether its error says that trying again may help.")] = False
    after: Annotated[Span, Field(description="How long it takes.")] = "0s"


class Approve(DocumentModel):
    """Approve the oldest open approval."""

    by: str
    roles: Annotated[list[str], Field(description="What they identified with, beside their name.")] = []
    edit: dict[str, Any] = {}
    note: Annotated[str, Field(description="Why, as a rule with `note: required` wants it.")] = ""


class Deny(DocumentModel):
    """Deny the oldest open approval."""

    by: str
    roles: list[str] = []
    note: str = ""


class Reply(DocumentModel):
    """Answer the oldest open question."""

    by: str
    roles: list[str] = []
    value: Any


class CustomerConfirmation(DocumentModel):
    """A call that the customer says yes to before it is proposed."""

    tool: str
    input: dict[str, Any] = {}


class Sql(DocumentModel):
    """Change a database from outside, as the world does."""

    database: Name
    run: str


class Work(DocumentModel):
    """A worker that does not live for long."""

    dies_after: Annotated[
        SomeTime, Field(description="What it ran is found by another worker once its lease has ended.")
    ]


class Happening(DocumentModel):
    """One thing that happens after the session waits or is over; exactly one key."""

    approve: Approve | None = None
    deny: Deny | None = None
    answer: Reply | None = None
    take_back: Annotated[
        str | None, Field(description="Who takes their yes back while it does not count yet (`settle_delay`).")
    ] = None
    confirm: bool | None = None
    confirmed: Annotated[
        CustomerConfirmation | None, Field(description="The customer says yes to a call beforehand.")
    ] = None
    send: str | None = None
    sql: Sql | None = None
    wait: Span | None = None
    resume: Literal[True] | None = None
    work: Annotated[
        Literal[True] | Work | None, Field(description="A worker runs what is due, and wakes sessions.")
    ] = None
    cancel: str | None = None
    again: Annotated[Literal[True] | None, Field(description="The same session once more, as a new one.")] = None
    refused: Annotated[str | None, Field(description="The happening before this one is refused, for this reason.")] = (
        None
    )


class Rows(DocumentModel):
    """What a database holds afterwards: a query, which can change nothing."""

    database: Name
    sql: str
    gives: Annotated[list[list[Any]], Field(description="The rows, each a list of its columns.")]


class CallCount(DocumentModel):
    """How often a tool ran, counted where it acts."""

    tool: str
    times: Annotated[int, Field(ge=0, json_schema_extra={ON_ENTRY: ["minimum"]})]


class CallEnd(DocumentModel):
    """The last result of a tool's calls."""

    tool: str
    status: Literal["ok", "retryable_error", "blocked", "terminal_error", "unknown"] | None = None
    reason: str | None = None
    rule: Annotated[str | None, Field(description="The rule that decided.")] = None
    output: Annotated[dict[str, Any], Field(description="Fields that the output has, among others.")] = {}


class Expect(DocumentModel):
    """What must come out; only what is given is looked at."""

    state: State | None = None
    outcome: str | None = None
    exit_code: int | None = None
    message_contains: list[str] = []
    calls: Annotated[list[CallEnd], Field(description="How calls ended.")] = []
    ran: Annotated[list[CallCount], Field(description="How often tools ran.")] = []
    never_ran: list[str] = []
    rows: list[Rows] = []
    events: Annotated[
        list[dict[str, Any]], Field(description="Entries of the trace, in this order, others between.")
    ] = []
    requests: Annotated[list[RequestKind], Field(description="Kinds of requests that are open.")] | None = None
    steps_at_most: Annotated[int, Field(ge=1, json_schema_extra={ON_ENTRY: ["minimum"]})] | None = None


class Fixture(DocumentModel):
    """A pathway that must come out as declared."""

    kind: Literal["Fixture"]
    name: Name
    description: str = ""
    agent: Name
    message: str
    attributes: dict[str, Any] = {}
    started_by: str | None = None
    now: Annotated[
        MomentText | None, Field(description="When its session begins, with a zone; 2026-01-01T09:00:00Z unless given.")
    ] = None
    planner: Annotated[Name | None, Field(description="One of the agent's planners.")] = None
    decisions: Annotated[list[Any] | None, Field(description="A scripted planner of the fixture's own.")] = None
    when_exhausted: Literal["fail", "repeat"] = "fail"
    cassette: Annotated[
        Path | None, Field(description="A folder of the bundle with recorded answers of models, see `run --record`.")
    ] = None
    stubs: Annotated[dict[str, Stub], Field(description="Tools that do not act for real.")] = {}
    live: Annotated[
        list[str],
        Field(
            description="Tools that act for real, and planners that ask their models; nothing else leaves a fixture."
        ),
    ] = []
    setup: Annotated[list[Sql], Field(description="Changes of the fresh databases before the session.")] = []
    then: Annotated[list[Happening], Field(description="What happens afterwards, in order.")] = []
    expect: Expect
