"""An evaluation that tells what it saw on its way: each condition's value, and both sides of each comparison.

It is the reference evaluator's, so what it tells is what the gate goes by.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.language.arithmetic import EvaluationError
from engine.language.conditions import Span, conditions
from engine.language.evaluate import COMPARE, Evaluator
from engine.language.expression import Expression
from engine.language.syntax import span
from engine.policy.bindings import Bindings, Fresh
from engine.policy.rule import PolicyRules, Rule


@dataclass(slots=True)
class Observation:
    """What one evaluation saw of one expression: by place, the values of its conditions and of compared sides.

    `error` is set where it had no value.
    """

    sides: dict[Span, list[bool]] = field(default_factory=dict)
    pairs: dict[tuple[Span, int], list[tuple[Any, Any]]] = field(default_factory=dict)
    reads: dict[Span, list[Any]] = field(default_factory=dict)
    value: Any = None
    error: str | None = None


Tell = Callable[[str, str, Expression, Observation], None]


def observe(expression: Expression, names: Mapping[str, Any]) -> Observation:
    """Evaluate, and tell; an expression without a value has its error in what is told."""
    seen = Observation()
    watcher = _Watcher(names, expression, seen)
    try:
        seen.value = watcher.run(expression.text, expression.tree)
    except EvaluationError as error:
        seen.error = str(error)
    return seen


class _Watcher(Evaluator):
    """The reference evaluator, with a note of what it comes by."""

    def __init__(self, names: Mapping[str, Any], expression: Expression, into: Observation) -> None:
        super().__init__(names, expression.optional, expression.watched, None, expression.zone)
        self._into = into
        self._conditions = {span(node) for node in conditions(expression)}

    def _eval(self, node: ast.expr) -> Any:
        value = self._compared(node) if isinstance(node, ast.Compare) else super()._eval(node)
        place = span(node)
        if isinstance(value, bool) and place in self._conditions:
            self._into.sides.setdefault(place, []).append(value)
        if place in self.optional:
            self._into.reads.setdefault(place, []).append(value)
        return value

    def _compared(self, node: ast.Compare) -> bool:
        left = self._eval(node.left)
        for index, (op, comparator) in enumerate(zip(node.ops, node.comparators, strict=True)):
            right = self._eval(comparator)
            self._into.pairs.setdefault((span(node), index), []).append((left, right))
            if not COMPARE[type(op)](left, right):
                return False
            left = right
        return True


class WatchedWords(Bindings):
    """The words of a policy, whose lets tell what they saw when they were made."""

    def __init__(self, policy: PolicyRules, names: Mapping[str, Any], fresh: Fresh, tell: Tell) -> None:
        super().__init__(policy, names, fresh)
        self._tell = tell

    def _let(self, name: str, expression: Expression) -> Any:
        seen = observe(expression, self)
        self._tell("let", name, expression, seen)
        if seen.error is not None:
            raise EvaluationError(seen.error)
        return seen.value


def watch_rule(rule: Rule, words: Mapping[str, Any], tell: Tell) -> bool | None:
    """Judge one rule and tell what it saw: whether it matches, None for an error."""
    if rule.condition is None:
        return True
    seen = observe(rule.condition, words)
    tell("rule", rule.id, rule.condition, seen)
    return None if seen.error is not None else seen.value is not rule.negated
