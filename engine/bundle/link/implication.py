"""Which rules match whenever another one does, and which never do: as far as the forms of their conditions tell."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from engine.bundle.link.exclusion import Bound, Excluding, ValueClaim
from engine.language import types
from engine.language.expression import Expression
from engine.policy.fingerprint import meaning
from engine.policy.rule import Effect, PolicyRules


class Conditions:
    """A condition, or its opposite if `negated`, as parts that all have to hold; params count if `dials`."""

    def __init__(
        self, condition: Expression | None, policy: PolicyRules, *, negated: bool = False, dials: bool = True
    ) -> None:
        self._condition = condition
        self._negated = negated
        self._policy = policy
        self._params = policy.params if dials else {}

    @cached_property
    def parts(self) -> list[tuple[bool, Any, Bound | None]]:
        """Each with whether its opposite is meant, what it means, and its bound if it is one."""
        if self._condition is None:
            return []
        found = _conjuncts(self._condition.tree, self._negated)
        left = [(not_, node) for not_, node in found if not _holds(node, not_)]
        return [(not_, meaning(node, self._policy), self._bound(node, not_)) for not_, node in left]

    @cached_property
    def whole(self) -> Any:
        """What the condition means, and whether its opposite is meant."""
        condition = self._condition
        return None if condition is None else (self._negated, meaning(condition.tree, self._policy))

    @property
    def never(self) -> bool:
        """Whether nothing can fulfil it."""
        if self._condition is None:
            return False
        told = self._condition.if_false if self._negated else self._condition.if_true
        return types.NEVER in told.values() or self.contradictory

    @property
    def contradictory(self) -> bool:
        """Whether its parts exclude each other, whatever the types are."""
        return self._why(()) is not None

    def beyond(self, known: Iterable[tuple[ValueClaim, str]]) -> str:
        """What is said of one of the known claims that keeps it from being fulfilled; empty if there is none."""
        return self._why(tuple(known)) or ""

    def _why(self, known: Sequence[tuple[ValueClaim, str]]) -> str | None:
        if self._condition is None:
            return None
        return Excluding(self._policy, self._params).why([(self._condition.tree, self._negated)], known)

    def _bound(self, node: ast.expr, not_: bool) -> Bound | None:
        claims = Excluding(self._policy, self._params).claims(node, not_)
        return next((claim for claim in claims if isinstance(claim, Bound)), None)


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
