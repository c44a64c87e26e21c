"""The frozen bundle: what a checked directory of YAML means to the core.

These are types only; the room `bundle` builds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.language.arithmetic import add
from engine.language.expression import Expression
from engine.language.template import Template
from engine.language.value import number_of
from engine.policy.rule import Guard
from engine.spec.limits import Limits

READ, WRITE = "read", "write"
HANDOFF = "handoff"

# the kind of a planner whose decisions come from outside
CLIENT = "client"

# says what is wrong with a value, a line for each problem; empty if it fits
Validator = Callable[[Any], list[str]]


@dataclass(frozen=True, slots=True)
class Idempotency:
    """How a write is told apart from another: its key's expressions, and who makes it happen once.

    The fields `compare` have to be as they were when the key was taken; after the `window` its result is forgotten.
    """

    key: tuple[Expression, ...]
    honoured_by: str
    compare: tuple[str, ...] = ()
    window: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """What a tool asks for when a run of it fails; the agent's budget is the ceiling.

    `attempts` are all of them, `on` the kinds of failure, `jitter` the part of each delay that chance may take off.
    """

    attempts: int
    on: frozenset[str]
    delay: timedelta
    factor: Decimal
    max_delay: timedelta
    jitter: Decimal

    def delay_after(self, attempt: int, dice: Decimal) -> timedelta:
        """How long to wait after an attempt has failed; `dice` is at least 0 and less than 1."""
        longest = self.max_delay // _MICRO
        grown = min(Decimal(self.delay // _MICRO) * self.factor ** (attempt - 1), Decimal(longest))
        return int(grown * (1 - self.jitter * dice)) * _MICRO


_MICRO = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Probe:
    """A read that finds out whether a write happened that nobody can vouch for, and what its output then was."""

    tool: str
    input: Mapping[str, Expression]
    happened: Expression
    result: Mapping[str, Expression] | None


@dataclass(frozen=True, slots=True)
class Job:
    """A tool that workers run after the step that asked for it is over, not before `delay` has passed."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class Adapter:
    """Which adapter acts for a tool, and its linked settings."""

    kind: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the runtime sees it."""

    name: str
    description: str
    effect: str
    sensitive: bool
    trust: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    check_input: Validator = field(repr=False)
    check_output: Validator = field(repr=False)
    adapter: Adapter
    timeout: timedelta
    concurrency: int | None
    summary: tuple[str, ...]
    on_failure: str
    idempotency: Idempotency | None
    digest: str
    declared: tuple[str, ...] = ()
    retry: Retry | None = None
    job: Job | None = None
    probe: Probe | None = None

    @property
    def connection(self) -> str:
        """What the tool acts on; part of the scope of its idempotency keys."""
        return f"{self.adapter.kind}:{self.adapter.settings.get('database', '')}"

    @property
    def honours_key(self) -> bool:
        """Whether running the tool again under the same key is safe."""
        return self.idempotency is not None and self.idempotency.honoured_by == "tool"


@dataclass(frozen=True, slots=True)
class ProposedCall:
    """A call in a decision table: a tool and an expression for each field of its input."""

    name: str
    input: Mapping[str, Expression]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a decision table; without `when` it always matches."""

    when: Expression | None
    message: Template
    tool_calls: tuple[ProposedCall, ...]
    done: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """What a question to a planner takes from the budget: tokens read and written, and their cost in USD."""

    tokens: int = 0
    cost_usd: Any = 0

    def __bool__(self) -> bool:
        return bool(self.tokens or self.cost_usd)

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(self.tokens + other.tokens, add(self.cost_usd, other.cost_usd)) if other else self

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {"tokens": self.tokens, "cost_usd": self.cost_usd}


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in USD for a million tokens.

    Tokens that are read from a cache cost `cached_input`, those that are put into one `cache_write`.  A part without a
    price of its own is never taken for cheaper than it may be: a read costs what any input does, a write the double.
    """

    input_usd: Any
    output_usd: Any
    cached_input: Any = None
    cache_write: Any = None

    def of(self, fresh: int, out: int, cached: int = 0, written: int = 0) -> Any:
        """The cost of a request in USD, exactly: of tokens read anew, written, read from a cache, and put into one."""
        each = Decimal(self.input_usd)
        read = each if self.cached_input is None else Decimal(self.cached_input)
        kept = 2 * each if self.cache_write is None else Decimal(self.cache_write)
        return number_of((each * fresh + Decimal(self.output_usd) * out + read * cached + kept * written) / 1_000_000)

    def most(self, tokens_in: int, tokens_out: int) -> Any:
        """The most that so many tokens cost as far as the prices tell, however they are read."""
        ways = [self.of(tokens_in, tokens_out), self.of(0, tokens_out, tokens_in)]
        ways += [self.of(0, tokens_out, 0, tokens_in)] if self.cache_write is not None else []
        return max(ways)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model behind a server: how it is reached and asked, and the bounds of a question.

    Secrets are references; `answers` is `json_schema` or `tools`; `price` is None where nobody knows it.  `limit_key`
    is what the server calls the limit of an answer, `stream_usage` whether it is asked for usage within a stream.
    Some servers take only `short_ids` of calls, no turn of the user behind another (`tail_in_last`), or want something
    `beside_calls` of a history.
    """

    model: str
    base_url: str | None
    api_key: str | None
    headers: Mapping[str, str]
    answers: str
    strict: bool
    temperature: Any
    max_prompt_tokens: int
    max_answer_tokens: int
    max_text: int | None
    history_tokens: int
    stream: bool
    timeout: timedelta
    retry: Retry
    price: Price | None
    top_p: Any = None
    reasoning_effort: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    limit_key: str = "max_tokens"
    stream_usage: bool = True
    short_ids: bool = False
    tail_in_last: bool = False
    beside_calls: Mapping[str, Any] = field(default_factory=dict)

    @property
    def usage(self) -> Usage:
        """The most that one request takes."""
        tokens = self.max_prompt_tokens + self.max_answer_tokens
        cost = self.price.most(self.max_prompt_tokens, self.max_answer_tokens) if self.price else 0
        return Usage(tokens, cost)

    @property
    def sampling(self) -> dict[str, Any]:
        """How the model is to choose its words, as far as the planner says."""
        said = {
            "temperature": None if self.temperature is None else float(self.temperature),
            "top_p": None if self.top_p is None else float(self.top_p),
            "reasoning_effort": self.reasoning_effort,
        }
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class PlannerSpec:
    """A planner that an agent may use: a decision table, a script of decisions, a model, or what a package brings.

    `usage` is the most that one question takes: it is reserved before the question is asked.  `settings` are those of a
    kind that a package brings.
    """

    kind: str
    rows: tuple[Row, ...] = ()
    decisions: tuple[Any, ...] = ()
    when_exhausted: str = "fail"
    usage: Usage = NO_USAGE
    model: ModelSpec | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A promise made to the user at the end of a session: who keeps it."""

    reviewers: str
    note: str


@dataclass(frozen=True, slots=True)
class StopRule:
    """A declared end: `on` says whether it is tried when the planner is done, or after every step."""

    outcome: str
    when: Expression | None
    on: str
    message: Template
    follow_up: FollowUp | None = None


@dataclass(frozen=True, slots=True)
class End:
    """What the user is told in an end that is no declared outcome."""

    message: Template
    follow_up: FollowUp | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """A business quantity that calls of some tools add to, in one session or, by `per` and `window`, across them.

    `amount` and `per` are by tool: each is typed against its own input.
    """

    name: str
    amount: Mapping[str, Expression]
    limit: Decimal
    crossing: str
    per: Mapping[str, Expression] = field(default_factory=dict)
    window: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Seal:
    """What an agent's sensitive values are sealed with, as references to secrets.

    The first key seals, and each of them opens; `comparing` is for what the store compares, and never opens.
    Where an attribute names the `person` that a session is about, what is sealed of it has a key of that person's,
    and these wrap it.
    """

    keys: tuple[str, ...]
    comparing: str
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent: who proposes, what may run, and when it is over; `texts` by the reasons that they tell of."""

    name: str
    description: str
    planner: str
    planners: Mapping[str, PlannerSpec]
    prompt: str | None
    tools: tuple[str, ...]
    guards: Mapping[str, Guard]
    limits: Limits
    stop: tuple[StopRule, ...]
    ends: Mapping[str, End]
    attributes: Mapping[str, Any]
    check_attributes: Validator = field(repr=False)
    meters: tuple[Meter, ...] = ()
    fallback: tuple[str, ...] = ()
    seal: Seal | None = None
    texts: Mapping[str, Template] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Database:
    """A SQLite file of the bundle, created from its content when absent."""

    name: str
    path: str
    init: tuple[str, ...]
    documents: Mapping[str, tuple[str, ...]]
    derived: bool


@dataclass(frozen=True, slots=True)
class Server:
    """A server of the Model Context Protocol: a command that speaks it over its pipes, or a URL.

    Values of `environment` and `headers` may refer to secrets.  Without an `optional` one a session runs all the same.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    url: str | None
    headers: Mapping[str, str]
    allow_private: bool
    start_timeout: timedelta
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """A loosening that somebody answers for; `flip` is its name, such as `refund-threshold:approval→allow`."""

    flip: str
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked, linked and frozen bundle, known by its digest; `files` is its content by path.

    One that is `urgent` judges beside the bundles that older sessions stand under.  `root` is the directory that it was
    loaded from, where that is known.
    """

    digest: str
    agents: Mapping[str, Agent]
    tools: Mapping[str, Tool]
    reviewers: Mapping[str, tuple[str, ...]]
    databases: Mapping[str, Database]
    files: Mapping[str, bytes] = field(repr=False)
    servers: Mapping[str, Server] = field(default_factory=dict)
    accepted: tuple[Accepted, ...] = ()
    urgent: bool = False
    root: str = ""

    def guard(self, agent: str, tool: str) -> Guard | None:
        """What judges an agent's calls of a tool; None if it has no such agent, or that no such tool."""
        known = self.agents.get(agent)
        return known.guards.get(tool) if known is not None else None
