"""The frozen bundle: what a checked directory of YAML means to the core.

These are types only; the room `bundle` builds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from engine.language import value
from engine.language.expression import Expression
from engine.language.template import Template
from engine.policy.rule import Guard
from engine.spec.limits import Limits
from engine.spec.planner_spec import PlannerSpec
from engine.spec.retry import Retry


class ToolEffect(StrEnum):
    """Whether a tool only looks or may change something; of a call of a tool that there is not, nobody knows."""

    READ = "read"
    WRITE = "write"
    UNKNOWN = "unknown"


READ: Final = ToolEffect.READ
WRITE: Final = ToolEffect.WRITE
HANDOFF = "handoff"


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
    effect: ToolEffect
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
    # what a call does, in a sentence for who is asked about it
    says: Template | None = None
    # what its documents name of the environment, and what that gave; None where it is not set
    variables: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def connection(self) -> str:
        """What the tool acts on, of which the environment is a part; part of the scope of its idempotency keys."""
        where = f":{value.digest(dict(self.variables))[:16]}" if self.variables else ""
        return f"{self.adapter.kind}:{self.adapter.settings.get('database', '')}{where}"

    @property
    def honours_key(self) -> bool:
        """Whether running the tool again under the same key is safe."""
        return self.idempotency is not None and self.idempotency.honoured_by == "tool"


@dataclass(frozen=True, slots=True)
class ReviewerGroup:
    """People who may be asked: those listed, and those who identify with one of the roles."""

    members: tuple[str, ...]
    roles: frozenset[str] = frozenset()

    def has(self, person: str, roles: frozenset[str] = frozenset()) -> bool:
        """Whether a person, who identified with these roles, belongs to it."""
        return person in self.members or bool(roles & self.roles)


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
    lets: Mapping[str, Expression] = field(default_factory=dict)
    requester: Expression | None = None
    # by planner what it names of the environment, and what that gave
    variables: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)


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
class AcceptedLoosening:
    """A loosening that somebody answers for; `flip` is its name, such as `refund-threshold:approval→allow`."""

    flip: str
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked, linked and frozen bundle, known by its digest; `files` is its content by path.

    One that is `urgent` judges beside the bundles that older sessions stand under.  `root` is the directory that it was
    loaded from, where that is known.  `variables` are what it names of the environment, with what that gave here; the
    digest knows their names alone.
    """

    digest: str
    agents: Mapping[str, Agent]
    tools: Mapping[str, Tool]
    reviewers: Mapping[str, ReviewerGroup]
    databases: Mapping[str, Database]
    files: Mapping[str, bytes] = field(repr=False)
    servers: Mapping[str, Server] = field(default_factory=dict)
    accepted: tuple[AcceptedLoosening, ...] = ()
    urgent: bool = False
    root: str = ""
    variables: Mapping[str, str | None] = field(default_factory=dict)

    def guard(self, agent: str, tool: str) -> Guard | None:
        """What judges an agent's calls of a tool; None if it has no such agent, or that no such tool."""
        known = self.agents.get(agent)
        return known.guards.get(tool) if known is not None else None
