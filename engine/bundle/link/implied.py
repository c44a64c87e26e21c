"""Which rules match whenever another one does, and which never do: as far as the forms of their conditions tell."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.policy import types as t
from engine.policy.arithmetic import is_number
from engine.policy.conditions import MIRRORED, constant
from engine.policy.meaning import meaning
from engine.policy.rule import Effect, PolicyRules, Rule

_OPPOSITE = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt}


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison with a known number: of what, whether it has to be more, and whether the number itself is out."""

    of: Any
    more: bool
    number: Any
    open: bool

    def implies(self, other: Bound) -> bool:
        """Whether what is within this bound is within the other."""
        if self.of != other.of or self.more is not other.more:
            return False
        if self.number == other.number:
            return self.open or not other.open
        return bool(self.number > other.number) is self.more

    def excludes(self, other: Bound) -> bool:
        """Whether nothing is within both."""
        if self.of != other.of or self.more is other.more:
            return False
        low, high = (self, other) if self.more else (other, self)
        return bool(low.number > high.number) or (low.number == high.number and (low.open or high.open))


class Conditions:
    """A rule's condition as the parts that all have to hold, under the numbers of `params` if `dials` count."""

    def __init__(self, rule: Rule, policy: PolicyRules, *, dials: bool = True) -> None:
        self._rule = rule
        self._policy = policy
        self._params = policy.params if dials else {}

    @cached_property
    def parts(self) -> list[tuple[bool, Any, Bound | None]]:
        """Each with whether its opposite is meant, what it means, and its bound if it is one."""
        if self._rule.condition is None:
            return []
        found = _conjuncts(self._rule.condition.tree, self._rule.negated)
        left = [(not_, node) for not_, node in found if not _holds(node, not_)]
        return [(not_, meaning(node, self._policy), self._bound(node, not_)) for not_, node in left]

    @cached_property
    def whole(self) -> Any:
        """What the condition means, and whether its opposite is meant."""
        condition = self._rule.condition
        return None if condition is None else (self._rule.negated, meaning(condition.tree, self._policy))

    @property
    def never(self) -> bool:
        """Whether nothing can fulfil it."""
        condition = self._rule.condition
        if condition is None:
            return False
        told = condition.if_false if self._rule.negated else condition.if_true
        if t.NEVER in told.values():
            return True
        if any(_holds(node, not not_) for not_, node in _conjuncts(condition.tree, self._rule.negated)):
            return True
        bounds = [bound for _, _, bound in self.parts if bound is not None]
        if any(one.excludes(other) for one in bounds for other in bounds):
            return True
        told_parts = [(not_, said) for not_, said, _ in self.parts]
        return any((not not_, said) in told_parts for not_, said in told_parts)

    def beyond(self, known: Iterable[tuple[Bound, str]]) -> str:
        """What is said of one of the known bounds that keeps it from being fulfilled; empty if there is none."""
        own = [bound for _, _, bound in self.parts if bound is not None]
        return next((said for one, said in (known if own else ()) if any(one.excludes(bound) for bound in own)), "")

    def _bound(self, node: ast.expr, not_: bool) -> Bound | None:
        if not isinstance(node, ast.Compare) or len(node.ops) > 1 or type(node.ops[0]) not in _OPPOSITE:
            return None
        left, op, right = node.left, type(node.ops[0]), node.comparators[0]
        number = _number(right, self._params)
        if number is None:
            number, left, op = _number(left, self._params), right, MIRRORED[op]
        if number is None:
            return None
        op = _OPPOSITE[op] if not_ else op
        return Bound(meaning(left, self._policy), op in (ast.Gt, ast.GtE), number, op in (ast.Gt, ast.Lt))


def outvotes(deny: Conditions, rule: Conditions, effect: Effect) -> bool:
    """Whether a deny matches whenever a rule does.

    A rule that asks also matches where its condition has no value: there the two have to say the same.
    """
    if not deny.parts:
        return not deny.never
    if effect is not Effect.ALLOW:
        return bool(deny.whole == rule.whole)
    return all(any(_implied(part, other) for other in rule.parts) for part in deny.parts)


def _implied(part: tuple[bool, Any, Bound | None], by: tuple[bool, Any, Bound | None]) -> bool:
    if part[:2] == by[:2]:
        return True
    return part[2] is not None and by[2] is not None and by[2].implies(part[2])


def _conjuncts(node: ast.expr, not_: bool) -> Iterator[tuple[bool, ast.expr]]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield from _conjuncts(node.operand, not not_)
    elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or if not_ else ast.And):
        for value in node.values:
            yield from _conjuncts(value, not_)
    else:
        yield not_, node


def _holds(node: ast.expr, not_: bool) -> bool:
    """Whether a part is a constant that fulfils what is meant."""
    return isinstance(node, ast.Constant) and node.value is (not not_)


def _number(node: ast.expr, params: Mapping[str, Any]) -> Any:
    value = constant(node, params)
    return value if is_number(value) else None
