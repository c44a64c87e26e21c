"""Policies as the gate reads them: params, facts and rules, linked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from engine.policy.expression import Expression
from engine.policy.template import Template

CUSTOMER = "customer"


class Effect(StrEnum):
    """What a rule that matches asks for, and what a verdict says."""

    ALLOW = "allow"
    REQUIRE_APPROVAL = "require_approval"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Fact:
    """A read that rules need: which tool, with which input, and how old its result may be."""

    name: str
    tool: str
    input: Mapping[str, Expression]
    max_age: timedelta


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it applies to one tool; without a condition it always matches."""

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


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """The rules of one policy that cover one tool, with the params and facts they may use."""

    name: str
    params: Mapping[str, Any]
    facts: Mapping[str, Fact]
    rules: tuple[Rule, ...]
    no_rule_allows: str


@dataclass(frozen=True, slots=True)
class Guard:
    """All that judges the calls of one tool by one agent."""

    tool: str
    needs_allow: bool
    policies: tuple[PolicyRules, ...]
