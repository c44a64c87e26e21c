"""kind: Tool, and kind: Database that sql tools act on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from engine.bundle.documents.parts import Condition, Expression, Name, Path, Schema, Shape, Span, Text, ToolName


class Statement(Shape):
    """One SQL statement; `:name` stands for a field of the input or a declared parameter."""

    sql: str
    changes: Annotated[
        int | None, Field(ge=0, description="How many rows it must change; otherwise all is undone.")
    ] = None


class SqlAdapter(Shape):
    """Acts on a declared SQLite database; the statements are one transaction."""

    kind: Literal["sql"]
    database: Name
    sql: str | None = None
    statements: list[Statement] = []
    parameters: Annotated[
        dict[str, Expression], Field(description="Over `input`, `session`, `key` and `now`; beside the input's fields.")
    ] = {}
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


class PythonAdapter(Shape):
    """Calls a function of a file in the bundle with the input's fields by name."""

    kind: Literal["python"]
    file: Path
    function: str


class HandoffAdapter(Shape):
    """Asks a person; the answer is the output."""

    kind: Literal["handoff"]
    asks: Literal["input", "choice"] = "input"
    reviewers: Name
    question: Text


Adapter = Annotated[SqlAdapter | PythonAdapter | HandoffAdapter, Field(discriminator="kind")]


class Idempotency(Shape):
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
        Span | None, Field(description="How long a result counts for its key; for good unless given.")
    ] = None


class Probe(Shape):
    """A read that finds out whether a write happened that was cut off; where it can't tell, a person is asked."""

    tool: ToolName
    input: Annotated[dict[str, Expression], Field(description="Over `input` and `session`.")] = {}
    happened: Annotated[Condition, Field(description="Over `output` (what the read gave), `input` and `session`.")]
    result: Annotated[
        dict[str, Expression] | None,
        Field(description="The write's output if it happened, over the same; else the read's own output."),
    ] = None


class Retry(Shape):
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


class Tool(Shape):
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
    timeout: Span = "30s"
    retry: Retry | None = None
    probe: Probe | None = None
    concurrency: Annotated[int | None, Field(ge=1, description="Runs at once, across the process.")] = None
    summary: Annotated[list[str], Field(description="Output fields that a trace line shows.")] = []
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


class Documents(Shape):
    """Files that become rows of a table with the columns path, title and body."""

    table: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    files: Annotated[Path, Field(description="A glob from the bundle's root.")]


class Database(Shape):
    """A SQLite file that sql tools act on."""

    kind: Literal["Database"]
    name: Name
    path: Annotated[Path, Field(pattern=r"\.db$")]
    init: Annotated[list[Path], Field(min_length=1, description="SQL that makes it when it is absent.")]
    documents: list[Documents] = []
    derived: Annotated[
        bool, Field(description="Made anew whenever the content it is made of changes; only reads use it.")
    ] = False
