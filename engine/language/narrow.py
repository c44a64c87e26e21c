"""What a condition tells about the names in it, once it is known to hold or not to hold.

A path is the text of a name, field or index, such as `input.note`; a refinement gives it a narrower type.
A let tells what its own expression does.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from engine.language import types

Refined = dict[str, types.Type]


class Implications(Protocol):
    """What an expression tells of other names when it is true, and when it is false."""

    @property
    def if_true(self) -> Mapping[str, types.Type]:
        """Once it is known to hold."""

    @property
    def if_false(self) -> Mapping[str, types.Type]:
        """Once it is known not to hold."""


TypeOf = Callable[[ast.expr, Mapping[str, types.Type]], types.Type]


def path(node: ast.expr) -> str | None:
    """The path that a node reads, or None if it reads none; worked out once for each node, since many ask."""
    known: str | None
    try:
        known = node._path  # type: ignore[attr-defined]
    except AttributeError:
        known = node._path = _path(node)  # type: ignore[attr-defined]
    return known


def _path(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = path(node.value)
        return None if inner is None else f"{inner}.{node.attr}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "first":
        return ast.unparse(node) if all(path(argument) is not None for argument in node.args) else None
    if isinstance(node, ast.Subscript):
        inner = path(node.value)
        if inner is not None and (_constant(node.slice) or path(node.slice)):
            return f"{inner}[{ast.unparse(node.slice)}]"
    return None


def _constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant))


class Narrowing:
    """Reads conditions; `type_of` types a node under refinements, and says nothing about what is wrong with it."""

    def __init__(self, type_of: TypeOf, lets: Mapping[str, Implications]) -> None:
        self._type_of = type_of
        self._lets = lets

    def assume(self, node: ast.expr, truth: bool, known: Mapping[str, types.Type]) -> Refined:
        """What more is known when a condition is true, or false."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.assume(node.operand, not truth, known)
        if isinstance(node, ast.Name) and node.id in self._lets:
            told = self._lets[node.id]
            return dict(told.if_true if truth else told.if_false)
        if path(node) is not None:
            return self._among(node, [truth], True, known)
        if isinstance(node, ast.BoolOp):
            together = isinstance(node.op, ast.And) is truth
            return self._all(node.values, truth, known) if together else self._one_of(node.values, truth, known)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._comparison(node, truth, known)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "is_set" and node.args:
            return self._null(node.args[0], not truth, known)
        return {}

    def _all(self, operands: list[ast.expr], truth: bool, known: Mapping[str, types.Type]) -> Refined:
        found: Refined = {}
        for operand in operands:
            found |= self.assume(operand, truth, {**known, **found})
        return found

    def _one_of(self, operands: list[ast.expr], truth: bool, known: Mapping[str, types.Type]) -> Refined:
        """What each of the operands alone would tell, where all of them tell something of the same path."""
        before: Refined = {}
        each: list[Refined] = []
        for operand in operands:
            each.append(self.assume(operand, truth, {**known, **before}))
            before |= self.assume(operand, not truth, {**known, **before})
        common = set(each[0]).intersection(*each[1:])
        return {name: types.union(found[name] for found in each) for name in common}

    def _comparison(self, node: ast.Compare, truth: bool, known: Mapping[str, types.Type]) -> Refined:
        op, left, right = node.ops[0], node.left, node.comparators[0]
        if isinstance(op, ast.Eq | ast.NotEq):
            holds = isinstance(op, ast.Eq) is truth
            return {**self._equal(left, right, holds, known), **self._equal(right, left, holds, known)}
        if isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.List | ast.Tuple):
            values = [item.value for item in right.elts if isinstance(item, ast.Constant)]
            if len(values) == len(right.elts):
                return self._among(left, values, isinstance(op, ast.In) is truth, known)
        if isinstance(op, ast.In | ast.NotIn) and isinstance(op, ast.In) is truth:
            items = types.element_of(self._type_of(right, known))
            if not isinstance(items, types.Unknown) and not types.has_null(items):
                return self._null(left, False, known)
        return {}

    def _equal(self, node: ast.expr, other: ast.expr, holds: bool, known: Mapping[str, types.Type]) -> Refined:
        if path(node) is None:
            return {}
        if isinstance(other, ast.Constant):
            return self._among(node, [other.value], holds, known)
        if holds and not types.has_null(self._type_of(other, known)):
            return self._null(node, False, known)
        return {}

    def _null(self, node: ast.expr, is_null: bool, known: Mapping[str, types.Type]) -> Refined:
        name = path(node)
        if name is None:
            return {}
        found = self._type_of(node, known)
        if isinstance(found, types.Unknown):
            return {}
        return {name: types.NULL if is_null else types.without_null(found)}

    def _among(self, node: ast.expr, values: list[Any], holds: bool, known: Mapping[str, types.Type]) -> Refined:
        """A path whose value is one of some constants, or none of them."""
        name = path(node)
        if name is None:
            return {}
        found: Refined = {}
        narrowed = _keep(self._type_of(node, known), values, holds)
        if narrowed is not None:
            found[name] = narrowed
        if isinstance(node, ast.Attribute):
            found |= self._discriminated(node, values, holds, known)
        return found

    def _discriminated(
        self, node: ast.Attribute, values: list[Any], holds: bool, known: Mapping[str, types.Type]
    ) -> Refined:
        """A union of records, told apart by the field that was compared."""
        owner = path(node.value)
        options = types.options(self._type_of(node.value, known))
        if owner is None or len(options) < 2:
            return {}
        kept = []
        for option in options:
            declared = option.fields.get(node.attr) if isinstance(option, types.Record) else None
            if declared is None or _keep(declared.read, values, holds) != types.NEVER:
                kept.append(option)
        return {owner: types.union(kept)} if kept and len(kept) < len(options) else {}


def _keep(type_: types.Type, values: list[Any], holds: bool) -> types.Type | None:
    """What is left of a type when its value is (or is not) among some constants; None where nothing is learnt."""
    kept = [_narrowed(option, values, holds) for option in types.options(type_)]
    return None if kept == list(types.options(type_)) else types.union(kept)


def _narrowed(option: types.Type, values: list[Any], holds: bool) -> types.Type:
    """What is left of one alternative; `NEVER` where it is ruled out."""
    match option:
        case types.Unknown():
            return option
        case types.Null():
            return option if (None in values) is holds else types.NEVER
        case types.Boolean(only=only):
            left = {truth for truth in (True, False) if only in (None, truth) and (truth in _truths(values)) is holds}
            return types.NEVER if not left else option if len(left) == 2 else types.Boolean(left.pop())
        case types.Text(among=among):
            texts = frozenset(v for v in values if isinstance(v, str))
            if among is None:
                return option if texts or not holds else types.NEVER
            rest = among & texts if holds else among - texts
            return types.Text(rest) if rest else types.NEVER
        case types.Number(unit=unit, among=known):
            numbers = frozenset(v for v in values if isinstance(v, int | Decimal) and not isinstance(v, bool))
            if known is None:
                return option if numbers or not holds else types.NEVER
            left_ = known & numbers if holds else known - numbers
            return types.Number(unit, left_) if left_ else types.NEVER
        case _:
            return types.NEVER if holds else option


def _truths(values: list[Any]) -> list[bool]:
    return [value for value in values if isinstance(value, bool)]
