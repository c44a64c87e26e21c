"""What a rule that keeps results goes by, so that two bundles' rules of one name can be told apart."""

from __future__ import annotations

import ast
from typing import Any

from engine.policy.expression import Expression
from engine.policy.rule import Fact, Guard, PolicyRules, Rule


def same_withholding(rule_id: str, one: Guard, other: Guard) -> bool:
    """Whether two guards keep the same results by a rule, as far as their texts tell."""
    found = [_found(rule_id, guard) for guard in (one, other)]
    return all(found) and found[0] == found[1]


def _found(rule_id: str, guard: Guard) -> dict[str, Any]:
    for policy in guard.policies:
        for rule in policy.rules:
            if rule.id == rule_id and rule.release is not None:
                return _goes_by(rule, policy)
    return {}


def _goes_by(rule: Rule, policy: PolicyRules) -> dict[str, Any]:
    """The texts of a rule, and of all that they mention, down to the params' values."""
    told: dict[str, Any] = {"negated": rule.negated}
    left = [("when", rule.condition), ("release_unless", rule.release)]
    while left:
        name, expression = left.pop()
        if expression is None or name in told:
            continue
        told[name] = expression.text
        told |= {f"params.{used}": policy.params.get(used) for used in _params(expression)}
        for read in expression.reads:
            if read in policy.lets:
                left.append((read, policy.lets[read]))
            elif read in policy.facts:
                told[f"fact {read}"] = policy.facts[read].tool
                left += [(f"{read}: {part}", found) for part, found in _parts(policy.facts[read])]
            elif read in policy.established:
                told[f"established {read}"] = [s.call for s in policy.established[read].sources]
                sources = policy.established[read].sources
                left += [(f"{read}: {number}", source.value) for number, source in enumerate(sources)]
    return told


def _parts(fact: Fact) -> list[tuple[str, Expression]]:
    return [*fact.input.items(), *fact.for_each]


def _params(expression: Expression) -> set[str]:
    return {
        node.attr
        for node in ast.walk(expression.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params"
    }
