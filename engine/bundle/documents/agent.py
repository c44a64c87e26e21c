"""kind: Agent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from engine.bundle.documents.budgets import Budgets
from engine.bundle.documents.parts import (
    WEB_ADDRESS,
    Condition,
    DocumentModel,
    Expression,
    Name,
    Schema,
    SecretReference,
    SomeTime,
    Span,
    Text,
    ToolName,
)


class CallInRow(DocumentModel):
    """A call that a row proposes."""

    name: ToolName
    input: Annotated[dict[str, Expression], Field(description="An expression for each field.")] = {}


class Row(DocumentModel):
    """A row of a decision table; the first whose `when` holds is the decision."""

    when: Condition | None = None
    message: Text = ""
    tool_calls: list[CallInRow] = []
    done: bool = False


class RulesPlanner(DocumentModel):
    """Proposes by a decision table: no model, no network, no key."""

    kind: Literal["rules"]
    rows: Annotated[list[Row], Field(min_length=1)]


class Usage(DocumentModel):
    """What one question to a planner takes from the budget."""

    tokens: Annotated[int, Field(ge=0)] = 0
    cost_usd: Annotated[int | float, Field(ge=0)] = 0


class ScriptedPlanner(DocumentModel):
    """Proposes a fixed list of decisions, one a question."""

    kind: Literal["scripted"]
    decisions: Annotated[list[Any], Field(min_length=1, description="Taken as they are, right or wrong.")]
    when_exhausted: Literal["fail", "repeat"] = "fail"
    usage: Annotated[Usage | None, Field(description="What each decision is counted as, to try budgets out.")] = None


class ClientPlanner(DocumentModel):
    """Proposes nothing by itself: decisions come from a program outside, which is waited for."""

    kind: Literal["client"]


class ModelRetry(DocumentModel):
    """Further requests when the server fails: its time-outs, rate limits, 5xx and broken connections."""

    attempts: Annotated[int, Field(ge=1, le=10, description="All of them, the first among them.")] = 3
    delay: Annotated[Span, Field(description="Before the second; `Retry-After` may make it longer.")] = "500ms"
    factor: Annotated[int | float, Field(ge=1, le=10)] = 2
    max_delay: Annotated[Span, Field(description="A server that asks for more is not asked again.")] = "30s"
    jitter: Annotated[int | float, Field(ge=0, le=1)] = 0.5


class Model(DocumentModel):
    """What planners by models share."""

    model: Annotated[str, Field(min_length=1, description="As the server calls it.")]
    base_url: Annotated[str | None, Field(pattern=WEB_ADDRESS, description="The provider's own unless given.")] = None
    api_key: Annotated[
        SecretReference | None, Field(description="A reference such as `${secret:API_KEY}`; none if it needs none.")
    ] = None
    headers: Annotated[dict[str, str], Field(description="Further headers; values may refer to secrets.")] = {}
    strict: Annotated[bool, Field(description="With `json_schema`: the server's strict mode.")] = False
    temperature: Annotated[int | float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[int | float | None, Field(gt=0, le=1)] = None
    extra_body: Annotated[
        dict[str, Any], Field(description="Further keys of each request, for what a server has of its own.")
    ] = {}
    max_prompt_tokens: Annotated[int, Field(ge=500, description="A longer prompt is never sent.")] = 16_000
    max_answer_tokens: Annotated[int, Field(ge=16)] = 1_000
    max_text: Annotated[
        int | None,
        Field(
            ge=20,
            description="With `json_schema`: characters of any text, for models that fill whatever room there is.",
        ),
    ] = None
    history_tokens: Annotated[
        int, Field(ge=100, description="What the history may take; older steps are told in a line each.")
    ] = 6_000
    stream: bool = True
    timeout: Annotated[SomeTime, Field(description="Of one request.")] = "60s"
    retry: ModelRetry = ModelRetry()


Answers = Literal["json_schema", "tools"]


Server = Literal[
    "openai",
    "openai-reasoning",
    "azure",
    "azure-reasoning",
    "gemini",
    "mistral",
    "groq",
    "openrouter",
    "deepseek",
    "vllm",
    "llama.cpp",
    "ollama",
]


class OpenAIPlanner(Model):
    """Proposes what a model answers, by any server that speaks Chat Completions."""

    kind: Literal["openai"]
    answers: Annotated[
        Answers | None,
        Field(description="By a response format, or by tool calls; `json_schema` unless the server has another."),
    ] = None
    server: Annotated[
        Server | None, Field(description="What the usual servers take otherwise: defaults for what is not said here.")
    ] = None
    answer_limit: Annotated[
        Literal["max_tokens", "max_completion_tokens"] | None,
        Field(description="What the server calls the limit of an answer; `max_tokens` unless the server has another."),
    ] = None
    reasoning_effort: Annotated[str | None, Field(pattern="^[a-z]+$", description="Sent as it is.")] = None
    stream_usage: Annotated[
        bool | None, Field(description="Whether usage is asked for within a stream; true unless the server has none.")
    ] = None


class AnthropicPlanner(Model):
    """Proposes what a model answers, by the Messages API."""

    kind: Literal["anthropic"]
    answers: Annotated[Answers, Field(description="By one forced tool, or by tool calls.")] = "tools"


Planner = Annotated[
    RulesPlanner | ScriptedPlanner | OpenAIPlanner | AnthropicPlanner | ClientPlanner, Field(discriminator="kind")
]


class FollowUp(DocumentModel):
    """A promise to the user, kept by somebody."""

    reviewers: Name
    note: str


class Outcome(DocumentModel):
    """A declared end."""

    outcome: Name
    when: Condition | None = None
    on: Annotated[Literal["done", "step"], Field(description="Tried when the planner is done, or after each step.")] = (
        "done"
    )
    message: Annotated[Text, Field(description="What the user is told.")]
    follow_up: FollowUp | None = None


class End(DocumentModel):
    """An end that is no outcome."""

    message: Annotated[Text, Field(description="What the user is told.")]
    follow_up: FollowUp | None = None


class Ends(DocumentModel):
    """What the user is told when the session does not reach an outcome."""

    out_of_budget: End | None = None
    timed_out: End | None = None
    cancelled: End | None = None
    failed: End | None = None


class Agent(DocumentModel):
    """Who proposes, which tools may run, and when it is over."""

    kind: Literal["Agent"]
    name: Name
    description: str
    planner: Annotated[
        Name | list[Name],
        Field(
            min_length=1, description="Used unless `--planner` names another; of several each stands in for the last."
        ),
    ]
    planners: Annotated[dict[str, Planner], Field(min_length=1)]
    prompt: Annotated[Name | None, Field(description="prompts/NAME.md.j2, what a model planner is told.")] = None
    tools: Annotated[list[ToolName], Field(description="None unless listed.")] = []
    policies: Annotated[list[Name], Field(description="Without any, every write is denied.")] = []
    budgets: Budgets = Budgets()
    let: Annotated[
        dict[str, Expression],
        Field(description="Names for expressions, for rows of decision tables, `stop` and `ends`."),
    ] = {}
    stop: Annotated[list[Outcome], Field(min_length=1, description="Tried in order; the first match wins.")]
    ends: Ends = Ends()
    texts: Annotated[
        dict[str, Annotated[str, Field(min_length=1)]],
        Field(
            description="What the customer is told, by reason, of calls that did not do what was asked and of ends "
            "that `ends` does not tell; `{{ session.FIELD }}` may stand in it."
        ),
    ] = {}
    attributes: Annotated[Schema, Field(description="What a session must be started with.")] = {}
    requester: Annotated[
        Expression | None,
        Field(description="Who asks for what the session does, such as `session.user`: they approve none of it."),
    ] = None
    sealed_with: Annotated[
        SecretReference | list[SecretReference] | None,
        Field(
            min_length=1,
            description="The key under which values that schemas mark `x-sensitive` are stored; of several the first "
            "seals, and each of them opens.",
        ),
    ] = None
    sealed_for: Annotated[
        str | None,
        Field(
            min_length=1,
            description="The attribute that names the person a session is about, whose own key seals it: to destroy "
            "that key is to erase what is sealed.",
        ),
    ] = None
    compared_with: Annotated[
        SecretReference | None,
        Field(
            description="The key by which idempotency keys that hold sensitive values are compared, which stays when "
            "`sealed_with` changes; the last of `sealed_with` unless given."
        ),
    ] = None
