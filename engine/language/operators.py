"""What the operators give, as types."""

from __future__ import annotations

import ast

from engine.language import types


def element(owner: types.Type, index: types.Type) -> types.Type | None:
    """The type of one element, or None where a value of this type has none."""
    match owner:
        case types.Unknown():
            return types.UNKNOWN
        case types.Record() if isinstance(index, types.Text) and index.among and index.among <= set(owner.fields):
            return types.union(owner.fields[name].read for name in index.among)
        case types.ListOf() if types.is_a(index, types.Number):
            return owner.item
        case types.MapOf() if types.is_a(index, types.Text):
            return owner.value
        case types.Record() if types.is_a(index, types.Text):
            return types.any_field(owner)
        case _:
            return None


def result(op: ast.operator, a: types.Type, b: types.Type) -> types.Type | None:
    """The type that an operator gives between two plain types, or None where it has no meaning."""
    if isinstance(a, types.Unknown) or isinstance(b, types.Unknown):
        return types.UNKNOWN
    if isinstance(a, types.Number) and isinstance(b, types.Number):
        return _counted(op, a, b)
    if isinstance(op, ast.Add) and isinstance(a, types.ListOf) and isinstance(b, types.ListOf):
        return types.ListOf(types.union((a.item, b.item)), a.bounded and b.bounded)
    if isinstance(op, ast.Add) and isinstance(a, types.Duration) and isinstance(b, types.Date | types.Datetime):
        return b
    if (
        isinstance(op, ast.Add | ast.Sub)
        and isinstance(a, types.Date | types.Datetime | types.Duration)
        and isinstance(b, types.Duration)
    ):
        return a
    if isinstance(op, ast.Sub) and type(a) is type(b) and isinstance(a, types.Date | types.Datetime):
        return types.DURATION
    return None


def _counted(op: ast.operator, a: types.Number, b: types.Number) -> types.Type | None:
    """What becomes of units: sums keep theirs, a ratio of equal ones has none, a product keeps the only one."""
    if isinstance(op, ast.Mult):
        return types.NUMBER if a.unit and b.unit else types.Number(a.unit or b.unit)
    if isinstance(op, ast.Div):
        return types.Number(a.unit) if not b.unit else types.NUMBER
    return types.Number(a.unit or b.unit) if types.same_unit(a, b) else None


def part(pair: types.Type, place: int) -> types.Type:
    """What stands at a place of a pair."""
    if not isinstance(pair, types.ListOf):
        return types.UNKNOWN
    return pair.parts[place] if place < len(pair.parts) else pair.item
