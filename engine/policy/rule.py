"""Policies as the gate reads them: params, facts and rules, linked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any

from engine.language.expression import Expression
from engine.language.template import Template
from engine.language.types import UNKNOWN, Type

CUSTOMER = "customer"


class Effect(StrEnum):
    """What a rule that matches asks for, and what a verdict says."""

    ALLOW = "allow"
    REQUIRE_APPROVAL = "require_approval"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Fact:
    """A read that rules need: which tool, with which input, and how old its result may be.

    With `for_each` it is one read for each combination of the variables, and a list of records that hold
    them and, under `result`, the output; more than `at_most` of them are an error.  None of the
    fields `needed` may be null.
    """

    name: str
    tool: str
    input: Mapping[str, Expression]
    max_age: timedelta
    for_each: tuple[tuple[str, Expression], ...] = ()
    result: str = ""
    at_most: int = 0
    needed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LearnedFrom:
    """Where an established value comes from: a path of the session, or a successful call of a tool."""

    call: str | None
    value: Expression


@dataclass(frozen=True, slots=True)
class EstablishedValue:
    """A value that is learnt once and then kept, such as who the customer is; null until then.

    What is not of its type was never learnt.
    """

    name: str
    keep_first: bool
    sources: tuple[LearnedFrom, ...]
    type: Type = UNKNOWN


@dataclass(frozen=True, slots=True)
class Time:
    """What `now` is, where an attribute of the session says so, and the zone that days begin in."""

    now: Expression | None = None
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Attention:
    """Whose attention a question gets while nobody answers: when its people are reminded, and which of them when.

    The groups in `escalate` are told once so long has passed; they may answer all the time.
    """

    remind: tuple[timedelta, ...] = ()
    escalate: tuple[tuple[str, timedelta], ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it applies to one tool; without a condition it always matches.

    One that asks needs `people` different approvers, who are `distinct` from all that other rules ask about the call.
    """

    id: str
    policy: str
    effect: Effect
    condition: Expression | None
    negated: bool
    facts: frozenset[str]
    reason: str
    message: Template | None
    approvers: tuple[str, ...]
    place: str
    source: str = ""
    release: Expression | None = None
    disclose: bool = True
    people: int = 1
    distinct: bool = False
    # whether a yes has to say why, of how many in a hundred calls another person has to say yes as well, and how long a
    # yes can be taken back before it counts
    note: bool = False
    second: Decimal = Decimal(0)
    settle_delay: timedelta = timedelta(0)
    attention: Attention | None = None
    # of which of the groups only those are asked whom an expression names
    names_of: tuple[tuple[str, Expression], ...] = ()
    # what the log says of it in every verdict, with room for what it judged
    record: dict[str, Any] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        told: dict[str, Any] = {"rule": self.id, "policy": self.policy, "effect": self.effect.value}
        told |= {"place": self.place, "matched": None, "values": None}
        object.__setattr__(self, "record", told)

    @property
    def reading(self) -> tuple[Expression | None, ...]:
        """What reads the words of its policy when a call is judged."""
        return (self.condition, *(expression for _, expression in self.names_of))

    @property
    def people_by_text(self) -> Mapping[str, tuple[str, ...]]:
        """By group the text of what names the people of it."""
        return {group: (expression.text,) for group, expression in self.names_of}


@dataclass(frozen=True, slots=True)
class Guarantee:
    """A promise about every verdict on the calls of one tool: `never` holds of none."""

    id: str
    policy: str
    never: Expression
    place: str


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """The rules of one policy that cover one tool, with the words they may use, and what it promises.

    `shared_meters` are those of which its expressions read what all sessions have added.
    """

    name: str
    params: Mapping[str, Any]
    facts: Mapping[str, Fact]
    rules: tuple[Rule, ...]
    no_rule_allows: str
    lets: Mapping[str, Expression] = field(default_factory=dict)
    established: Mapping[str, EstablishedValue] = field(default_factory=dict)
    session: Mapping[str, str] = field(default_factory=dict)
    time: Time = Time()
    guarantees: tuple[Guarantee, ...] = ()
    shared_meters: frozenset[str] = frozenset()
    at_once: tuple[Rule, ...] = field(init=False, compare=False, repr=False)
    after_facts: tuple[Rule, ...] = field(init=False, compare=False, repr=False)
    releasing: tuple[Rule, ...] = field(init=False, compare=False, repr=False)
    # the functions that judge these two, made when they are first asked for (see `rule_function`)
    functions: dict[bool, Any] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """The rules by name: those that judge a call without a fact and with one, and those about its result."""
        by_name = sorted(self.rules, key=lambda rule: rule.id)
        asked = [rule for rule in by_name if rule.release is None]
        object.__setattr__(self, "releasing", tuple(rule for rule in by_name if rule.release is not None))
        object.__setattr__(self, "at_once", tuple(rule for rule in asked if not rule.facts))
        object.__setattr__(self, "after_facts", tuple(rule for rule in asked if rule.facts))
        object.__setattr__(self, "functions", {})


@dataclass(frozen=True, slots=True)
class Guard:
    """All that judges the calls of one tool by one agent; `promising` are policies that only promise something."""

    tool: str
    needs_allow: bool
    policies: tuple[PolicyRules, ...]
    promising: tuple[PolicyRules, ...] = ()
    by_seen: bool = field(init=False, default=False)
    by_name: tuple[PolicyRules, ...] = field(init=False, default=(), compare=False, repr=False)
    needs_facts: bool = field(init=False, default=False, compare=False)

    def __post_init__(self) -> None:
        """`by_seen`: some rule, or a word of its policy, reads what the runtime itself has read.

        `needs_facts`: something may have to be read before the call can be judged.
        """
        needs = any(policy.after_facts or policy.releasing for policy in self.policies)
        object.__setattr__(self, "needs_facts", needs)
        object.__setattr__(self, "by_name", tuple(sorted(self.policies, key=lambda policy: policy.name)))
        expressions = (
            e for p in self.policies for e in (*p.lets.values(), *(one for rule in p.rules for one in rule.reading))
        )
        object.__setattr__(self, "by_seen", any(e is not None and "seen" in e.reads for e in expressions))

    @property
    def releases(self) -> bool:
        """Whether some rule decides over what a read gave."""
        return any(policy.releasing for policy in self.policies)
