"""What the gate says of one call, with every rule that took part and the values it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.policy.rule import Effect


class RuleTrace(NamedTuple):
    """One rule's part in a verdict; `error` is set where its condition had no value.

    A tuple, since one is made for each rule at every verdict, and that costs a fifth of a frozen dataclass.
    """

    rule: str
    policy: str
    effect: Effect
    matched: bool
    place: str
    values: dict[str, Any]
    error: str | None = None

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        told = {
            "rule": self.rule,
            "policy": self.policy,
            "effect": self.effect.value,
            "matched": self.matched,
            "place": self.place,
            "values": self.values,
        }
        if self.error:
            told["error"] = self.error
        return told


@dataclass(frozen=True, slots=True)
class Ask:
    """A rule that asks, and the groups any member of which may say yes."""

    rule: str
    approvers: tuple[str, ...]
    reason: str
    message: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement of one call."""

    effect: Effect
    reason: str
    message: str
    rule: str | None
    asks: tuple[Ask, ...]
    rules: tuple[RuleTrace, ...]
    policy_error: bool

    def payload(self) -> dict[str, Any]:
        """As JSON, for the log."""
        return {
            "verdict": self.effect.value,
            "rule": self.rule,
            "reason": self.reason,
            "message": self.message,
            "policy_error": self.policy_error,
            "approvers": sorted({group for ask in self.asks for group in ask.approvers}),
            "rules": [trace.payload() for trace in self.rules],
        }
