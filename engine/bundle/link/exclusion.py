"""What comparisons with constants claim of a value, and whether claims that all have to hold leave none."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.language.arithmetic import is_number
from engine.language.conditions import MIRRORED, constant
from engine.policy.fingerprint import meaning
from engine.policy.rule import PolicyRules

_OPPOSITE = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt}
_EQUAL, _WITHIN = (ast.Eq, ast.NotEq), (ast.In, ast.NotIn)

# a part of a condition, and whether its opposite has to hold
Part = tuple[ast.expr, bool]

# lets may stand in each other, twice each time
_MOST = 2000


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

    def excludes(self, other: ValueClaim) -> bool:
        """Whether no number is within both."""
        if isinstance(other, Among):
            return other.excludes(self)
        if self.of != other.of or self.more is other.more:
            return False
        low, high = (self, other) if self.more else (other, self)
        return bool(low.number > high.number) or (low.number == high.number and (low.open or high.open))

    def takes(self, number: Any) -> bool:
        """Whether a number is within it."""
        return bool(number > self.number) is self.more if number != self.number else not self.open


@dataclass(frozen=True, slots=True)
class Among:
    """A comparison with constants: the value has to be one of them, or none if it does not hold."""

    of: Any
    values: tuple[Any, ...]
    holds: bool = True

    def excludes(self, other: ValueClaim) -> bool:
        """Whether no value is as both say."""
        if self.of != other.of:
            return False
        if isinstance(other, Bound):
            return self.holds and all(is_number(one) and not other.takes(one) for one in self.values)
        if not self.holds:
            return other.holds and other.excludes(self)
        known = [_key(one) for one in other.values]
        return all((_key(one) in known) is not other.holds for one in self.values)


ValueClaim = Bound | Among


def _key(value: Any) -> tuple[str, Any]:
    return ("number" if is_number(value) else type(value).__name__), value


class Excluding:
    """Looks for parts of a condition that exclude each other, or what is known besides; `params` count as constants."""

    def __init__(self, policy: PolicyRules, params: Mapping[str, Any]) -> None:
        self._policy = policy
        self._params = params
        self._left = _MOST

    def why(self, parts: Sequence[Part], known: Sequence[tuple[ValueClaim, str]]) -> str | None:
        """What is said of a claim that keeps the parts from all holding, empty if it is one of theirs; else None."""
        claims, said = list(known), list[tuple[bool, Any]]()
        options: list[list[Part]] = []
        left = list(parts)
        while left:
            node, not_ = left.pop(0)
            self._left -= 1
            if self._left < 0:
                return None
            if isinstance(node, ast.Constant) and node.value is not_:
                return ""
            together, inner = self._taken_apart(node, not_)
            if inner:
                left, options = ([*left, *inner], options) if together else (left, [*options, inner])
            own = (not_, meaning(node, self._policy))
            if (not not_, own[1]) in said:
                return ""
            said.append(own)
            for claim in self.claims(node, not_):
                for other, words in claims:
                    if claim.excludes(other):
                        return words
                claims.append((claim, ""))
        for one in options:
            why = [self.why([part], claims) for part in one]
            if None not in why:
                return next((words for words in why if words), "")
        return None

    def _taken_apart(self, node: ast.expr, not_: bool) -> tuple[bool, list[Part]]:
        """The parts that a part is made of, and whether all of them have to hold, or one; none if it is not made so."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return True, [(node.operand, not not_)]
        if isinstance(node, ast.BoolOp):
            return isinstance(node.op, ast.And) is not not_, [(value, not_) for value in node.values]
        if isinstance(node, ast.Name) and node.id in self._policy.lets:
            return True, [(self._policy.lets[node.id].tree, not_)]
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            return not not_, [(pair, not_) for pair in _pairs(node)]
        return True, []

    def claims(self, node: ast.expr, not_: bool) -> Iterator[ValueClaim]:
        """What a comparison with constants says of the other side."""
        if not isinstance(node, ast.Compare) or len(node.ops) > 1:
            return
        left, op, right = node.left, type(node.ops[0]), node.comparators[0]
        if op in _WITHIN and isinstance(right, ast.List | ast.Tuple):
            values = [self._constant(one) for one in right.elts]
            if None not in values:
                yield Among(self._of(left), tuple(one[0] for one in values if one), (op is ast.In) is not not_)
            return
        if op not in _EQUAL and op not in _OPPOSITE:
            return
        value = self._constant(right)
        if value is None:
            value, left, op = self._constant(left), right, MIRRORED.get(op, op)
        if value is None:
            return
        if op in _EQUAL:
            yield Among(self._of(left), value, (op is ast.Eq) is not not_)
        elif is_number(value[0]):
            op = _OPPOSITE[op] if not_ else op
            yield Bound(self._of(left), op in (ast.Gt, ast.GtE), value[0], op in (ast.Gt, ast.Lt))

    def _of(self, node: ast.expr) -> Any:
        return meaning(node, self._policy)

    def _constant(self, node: ast.expr) -> tuple[Any] | None:
        if isinstance(node, ast.Constant):
            return (node.value,)
        value = constant(node, self._params)
        return (value,) if is_number(value) else None


def _pairs(node: ast.Compare) -> Iterator[ast.Compare]:
    """The comparisons of a chain."""
    sides = [node.left, *node.comparators]
    for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
        yield ast.copy_location(ast.Compare(left, [op], [right]), node)
