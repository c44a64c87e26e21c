"""What a rule that keeps results goes by, so that two bundles' rules of one name can be told apart."""

from __future__ import annotations

from typing import Any

from engine.policy.fingerprint import meaning
from engine.policy.rule import Guard


def same_withholding(rule_id: str, one: Guard, other: Guard) -> bool:
    """Whether two guards keep the same results by a rule, as far as their texts tell."""
    found = [_release_rules(rule_id, guard) for guard in (one, other)]
    return bool(found[0]) and found[0] == found[1]


def _release_rules(rule_id: str, guard: Guard) -> list[Any]:
    for policy in guard.policies:
        for rule in policy.rules:
            if rule.id == rule_id and rule.release is not None:
                parts = (rule.condition, rule.release)
                return [rule.negated, *(meaning(part.tree, policy) if part is not None else None for part in parts)]
    return []
