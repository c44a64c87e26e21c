"""What the gate says of one call, with every rule that took part and the values it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.policy.rule import Effect


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """One rule's part in a verdict; `error` is set where its condition had no value."""

    rule: str
    policy: str
    effect: Effect
    matched: bool
    place: str
    values: dict[str, Any]
    error: str | None = None

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule,
            "policy": self.policy,
            "effect": self.effect.value,
            "matched": self.matched,
            "place": self.place,
            "values": self.values,
            **({"error": self.error} if self.error else {}),
        }


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
