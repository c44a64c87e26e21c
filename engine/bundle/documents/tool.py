"""kind: Tool, and kind: Database that sql tools act on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from engine.bundle.documents.parts import (
    Condition,
    DocumentModel,
    Expression,
    Name,
    Path,
    Schema,
    SomeTime,
    Span,
    Text,
    ToolName,
)


class Statement(DocumentModel):
    """One SQL statement; `:name` stands for a field of the input or a declared parameter."""

    sql: str
    changes: Annotated[
        int | None, Field(ge=0, description="How many rows it must change; otherwise all is undone.")
    ] = None


class SqlAdapter(DocumentModel):
    """Acts on a declared SQLite database; the statements are one transaction."""

    kind: Literal["sql"]
    database: Name
    sql: str | None = None
    statements: list[Statement] = []
    parameters: Annotated[
        dict[str, Expression], Field(description="Over `input`, `session`, `key` and `now`; beside the input's fields.")
    ] = {}
    max_rows: Annotated[int, Field(ge=1, le=100_000, description="More rows than that are an error.")] = 1000
    search: Annotated[
        list[str], Field(description="Parameters whose text becomes a full-text query for any of its words.")
    ] = []
    result: Annotated[
        Literal["row", "rows", "value", "json"],
        Field(
            description="The first row, all rows under `rows_as`, the first row's first column, "
            "or the JSON that this column holds."
        ),
    ] = "row"
    rows_as: str = "rows"
    count_as: Annotated[str | None, Field(description="A field of the output that counts the rows.")] = None
    absent: Annotated[
        dict[str, Expression] | None,
        Field(description="The output when there is no row (`value` and `json`: under `value`); else `not_found`."),
    ] = None


class PythonAdapter(DocumentModel):
    """Calls a function of a file in the bundle with the input's fields by name."""

    kind: Literal["python"]
    file: Path
    function: str


class HandoffAdapter(DocumentModel):
    """Asks a person; the answer is the output."""

    kind: Literal["handoff"]
    asks: Literal["input", "choice"] = "input"
    reviewers: Name
    question: Text


HttpOutcome = Literal["ok", "retryable", "rejected", "lost"]


class HttpAdapter(DocumentModel):
    """Sends a request; values reach it encoded for the place where they stand, and can't break out of it."""

    kind: Literal["http"]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: Annotated[Text, Field(description="Its host is written out; `{{ input.x }}` in its path or query is encoded.")]
    headers: Annotated[dict[str, Text], Field(description="Values may refer to secrets.")] = {}
    query: Annotated[dict[str, Text], Field(description="A list is the parameter repeated; null is left out.")] = {}
    body: Annotated[
        Any, Field(description="JSON with texts as templates; a text that is one `{{ expression }}` keeps its type.")
    ] = None
    idempotency_header: Annotated[str | None, Field(description="Carries the call's idempotency key.")] = None
    output: Annotated[
        dict[str, Expression] | Expression | None,
        Field(
            description="Fields, or the whole, over `response` (`status`, `headers`, `body`), `input` and `session`; "
            "else the body."
        ),
    ] = None
    outcomes: Annotated[
        dict[str, HttpOutcome],
        Field(
            description="By status, or class such as `4xx`. Else: 2xx `ok`; 429, and 503 with Retry-After, "
            "`retryable` (nothing was done); 408, other 5xx and redirects `lost` for a write; 408 and other 5xx "
            "`retryable` for a read; the rest `rejected`."
        ),
    ] = {}
    redirects: Annotated[int, Field(ge=0, le=10, description="How many are followed, within `hosts`.")] = 0
    hosts: Annotated[
        list[str],
        Field(
            description="Where redirects may lead beside the URL's own host and port: a host at its usual port, or "
            "`host:port`."
        ),
    ] = []
    allow_private: Annotated[bool, Field(description="Whether the host may be this machine or in its network.")] = False
    max_response: Annotated[int, Field(ge=1, le=50_000_000, description="Bytes.")] = 1_000_000


class McpAdapter(DocumentModel):
    """Calls a tool of a declared server of the Model Context Protocol."""

    kind: Literal["mcp"]
    server: Name
    tool: Annotated[str, Field(min_length=1, description="As the server calls it.")]
    pinned: Annotated[
        str | None,
        Field(description="The digest of the tool as the server lists it; a server that differs is an error."),
    ] = None
    result: Annotated[
        Literal["structured", "text", "content"],
        Field(description="The structured content, all text under `text`, or the blocks under `content`."),
    ] = "structured"


class CommandAdapter(DocumentModel):
    """Runs a program: a list of arguments and no shell, the input as JSON on its standard input."""

    kind: Literal["command"]
    argv: Annotated[
        list[Text], Field(min_length=1, description="The program is written out; each argument stays one argument.")
    ]
    stdin: Literal["input", "nothing"] = "input"
    stdout: Annotated[Literal["json", "text"], Field(description="`text` is the output's field `text`.")] = "json"
    environment: Annotated[
        dict[str, str | None],
        Field(description="All that it gets beside PATH; null passes the engine's own on, secrets may be named."),
    ] = {}
    directory: Annotated[
        Path | None, Field(description="Where it runs, from the bundle's root; a fresh folder unless given.")
    ] = None
    files: Annotated[list[Path], Field(description="Globs of content that is laid into the fresh folder.")] = []
    retryable_codes: Annotated[list[int], Field(description="Exit codes that say: nothing was done, try again.")] = []
    max_output: Annotated[int, Field(ge=1, le=50_000_000, description="Bytes.")] = 1_000_000


Adapter = Annotated[
    SqlAdapter | PythonAdapter | HandoffAdapter | HttpAdapter | McpAdapter | CommandAdapter,
    Field(discriminator="kind"),
]


class Idempotency(DocumentModel):
    """How one write is told apart from another."""

    key: Annotated[list[Expression], Field(min_length=1, description="Over `input` and `session`.")]
    honoured_by: Annotated[
        Literal["tool", "engine"], Field(description="`tool`: running it again under the same key is safe.")
    ]
    compare: Annotated[
        list[str],
        Field(description="Fields of the input that have to be as they were: the same key with others is a conflict."),
    ] = []
    window: Annotated[
        SomeTime | None, Field(description="How long a result counts for its key; for good unless given.")
    ] = None


class Probe(DocumentModel):
    """A read that finds out whether a write happened that was cut off; where it can't tell, a person is asked."""

    tool: ToolName
    input: Annotated[dict[str, Expression], Field(description="Over `input` and `session`.")] = {}
    happened: Annotated[Condition, Field(description="Over `output` (what the read gave), `input` and `session`.")]
    result: Annotated[
        dict[str, Expression] | None,
        Field(description="The write's output if it happened, over the same; else the read's own output."),
    ] = None


class Retry(DocumentModel):
    """Further attempts when a run fails; the agent's `retries_per_call` and `retries_per_session` are the ceiling."""

    attempts: Annotated[int, Field(ge=1, le=20, description="All of them, the first among them.")]
    on: Annotated[
        list[Literal["retryable", "timeout", "lost", "error"]],
        Field(
            min_length=1,
            description="Failures: those of which the adapter says that trying again may help, time-outs, "
            "answers that did not come, any other error.",
        ),
    ] = ["retryable"]
    delay: Annotated[Span, Field(description="Before the second attempt.")] = "200ms"
    factor: Annotated[int | float, Field(ge=1, le=10, description="How each delay grows from the one before.")] = 2
    max_delay: Span = "10s"
    jitter: Annotated[
        int | float, Field(ge=0, le=1, description="The part of each delay that chance may take off.")
    ] = 0.5


class Tool(DocumentModel):
    """Something that can be done."""

    kind: Literal["Tool"]
    name: ToolName
    description: str
    effect: Literal["read", "write"]
    sensitive: Annotated[bool, Field(description="A read that is denied unless a rule allows it.")] = False
    trust: Annotated[
        Literal["trusted", "untrusted"], Field(description="Whether its output can hold words of strangers.")
    ] = "untrusted"
    input: Schema
    output: Schema | None = None
    adapter: Adapter
    timeout: SomeTime = "30s"
    retry: Retry | None = None
    probe: Probe | None = None
    concurrency: Annotated[int | None, Field(ge=1, description="Runs at once, across the process.")] = None
    summary: Annotated[list[str], Field(description="Output fields that a trace line shows.")] = []
    says: Annotated[
        Text | None,
        Field(min_length=1, description="What a call does, over `input`, for people who are asked about it."),
    ] = None
    on_failure: Literal["continue", "cancel_siblings"] = "continue"
    mode: Annotated[
        Literal["inline", "job"],
        Field(description="`job`: the step ends at the hand-off, and a worker runs it; its result opens a new step."),
    ] = "inline"
    delay: Annotated[Span, Field(description="How long a job waits at the least before a worker may run it.")] = "0s"
    offered_to: Annotated[
        Literal["planner", "runtime"], Field(description="`runtime`: only facts use it, and no agent may list it.")
    ] = "planner"
    declares: Annotated[
        dict[str, Schema],
        Field(description="Arguments asked of the planner for the policy's sake; the adapter never gets them."),
    ] = {}
    idempotency: Idempotency | Literal["none"] | None = None


class Documents(DocumentModel):
    """Files that become rows of a table with the columns path, title and body."""

    table: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    files: Annotated[Path, Field(description="A glob from the bundle's root.")]


class Database(DocumentModel):
    """A SQLite file that sql tools act on."""

    kind: Literal["Database"]
    name: Name
    path: Annotated[Path, Field(pattern=r"(\.db|\})$")]
    init: Annotated[list[Path], Field(min_length=1, description="SQL that makes it when it is absent.")]
    documents: list[Documents] = []
    derived: Annotated[
        bool, Field(description="Made anew whenever the content it is made of changes; only reads use it.")
    ] = False
