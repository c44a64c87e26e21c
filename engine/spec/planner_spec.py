"""Planners of an agent: tables, scripts, models with their prices, clients, and what packages bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.language.arithmetic import add
from engine.language.expression import Expression
from engine.language.template import Template
from engine.language.value import number_of
from engine.spec.retry import Retry

# the kind of a planner whose decisions come from outside
CLIENT = "client"


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


# what no question takes: beyond it a number is a mistake
MOST = 10**15


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


def usage_problem(usage: Any) -> str:
    """Why what somebody says a question took can't be counted; empty if it can.

    Tokens are whole, the cost is finite, and nothing is given back.
    """
    if not isinstance(usage, Usage):
        return f"it must be a Usage, and this is {type(usage).__name__}"
    if type(usage.tokens) is not int or not 0 <= usage.tokens <= MOST:
        return f"tokens must be a whole number from 0 to {MOST}"
    cost = usage.cost_usd
    known = isinstance(cost, int | float | Decimal) and not isinstance(cost, bool)
    if not known or (isinstance(cost, Decimal) and not cost.is_finite()) or not 0 <= cost <= MOST:
        return f"cost_usd must be a number from 0 to {MOST}"
    return ""


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
