"""What the gate says of one call, with every rule that took part and the values it saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from engine.language.value import duration_text
from engine.policy.approvals import Demand, groups_asked
from engine.policy.rule import Attention, Effect, Rule

# a rule as it was judged: whether it matched, the values that it read, its error, and what it says if it matched
Judged = tuple[Rule, bool, dict[str, Any], str | None, str]


class RuleTrace(NamedTuple):
    """One rule's part in a verdict; `error` is set where its condition had no value."""

    rule: str
    policy: str
    effect: Effect
    matched: bool
    place: str
    values: dict[str, Any]
    error: str | None = None


def trace_of(judged: Judged) -> RuleTrace:
    """A rule's part as whoever explains a verdict reads it."""
    rule, matched, values, error, _ = judged
    return RuleTrace(rule.id, rule.policy, rule.effect, matched, rule.place, values, error)


@dataclass(frozen=True, slots=True)
class Ask:
    """A rule that asks, the groups any member of which may say yes, and how many people have to.

    Of the groups in `names` only the people there are asked; that is nobody where it could not be told who.
    """

    rule: str
    approvers: tuple[str, ...]
    reason: str
    message: str
    values: dict[str, Any]
    people: int = 1
    distinct: bool = False
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # as of the rule (see `Rule`)
    note: bool = False
    second: Decimal = Decimal(0)
    settle_delay: timedelta = timedelta(0)
    attention: Attention | None = None

    @property
    def demand(self) -> Demand:
        """Whose yes it needs."""
        asked = groups_asked(self.approvers, self.names)
        return Demand(asked, self.people, self.distinct, self.note, self.second, self.settle_delay)

    @property
    def more(self) -> dict[str, Any]:
        """What it takes beside one person of the groups, as JSON; empty where that is all."""
        several = {"people": self.people, "distinct": self.distinct} if self.people > 1 or self.distinct else {}
        noted = {"note": True} if self.note else {}
        delayed = {"settle_delay": duration_text(self.settle_delay)} if self.settle_delay else {}
        return several | noted | ({"second": self.second} if self.second else {}) | delayed


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement of one call."""

    effect: Effect
    reason: str
    message: str
    rule: str | None
    asks: tuple[Ask, ...]
    judged: tuple[Judged, ...]
    policy_error: bool

    @property
    def rules(self) -> tuple[RuleTrace, ...]:
        """Every rule's part, made when it is asked for."""
        return tuple(map(trace_of, self.judged))

    def payload(self) -> dict[str, Any]:
        """As JSON, for the log."""
        rules = []
        for rule, matched, values, error, _ in self.judged:
            part = rule.record.copy()
            part["matched"], part["values"] = matched, values
            if error:
                part["error"] = error
            rules.append(part)
        told: dict[str, Any] = {
            "verdict": self.effect.value,
            "rule": self.rule,
            "reason": self.reason,
            "message": self.message,
            "policy_error": self.policy_error,
            "approvers": sorted({group for ask in self.asks for group in ask.approvers}),
            "rules": rules,
        }
        apart = {ask.rule: ask.more for ask in self.asks if ask.more}
        if apart:
            told["demands"] = apart
        named = {
            ask.rule: {group: list(people) for group, people in ask.names.items()} for ask in self.asks if ask.names
        }
        if named:
            told["names"] = named
        return told
