"""What the operators give, as types."""

from __future__ import annotations

import ast

from engine.language import types as t


def element(owner: t.Type, index: t.Type) -> t.Type | None:
    """The type of one element, or None where a value of this type has none."""
    match owner:
        case t.Unknown():
            return t.UNKNOWN
        case t.Record() if isinstance(index, t.Text) and index.among and index.among <= set(owner.fields):
            return t.union(owner.fields[name].read for name in index.among)
        case t.ListOf() if t.is_a(index, t.Number):
            return owner.item
        case t.MapOf() if t.is_a(index, t.Text):
            return owner.value
        case t.Record() if t.is_a(index, t.Text):
            return t.any_field(owner)
        case _:
            return None


def result(op: ast.operator, a: t.Type, b: t.Type) -> t.Type | None:
    """The type that an operator gives between two plain types, or None where it has no meaning."""
    if isinstance(a, t.Unknown) or isinstance(b, t.Unknown):
        return t.UNKNOWN
    if isinstance(a, t.Number) and isinstance(b, t.Number):
        return _counted(op, a, b)
    if isinstance(op, ast.Add) and isinstance(a, t.ListOf) and isinstance(b, t.ListOf):
        return t.ListOf(t.union((a.item, b.item)), a.bounded and b.bounded)
    if isinstance(op, ast.Add) and isinstance(a, t.Duration) and isinstance(b, t.Date | t.Datetime):
        return b
    if (
        isinstance(op, ast.Add | ast.Sub)
        and isinstance(a, t.Date | t.Datetime | t.Duration)
        and isinstance(b, t.Duration)
    ):
        return a
    if isinstance(op, ast.Sub) and type(a) is type(b) and isinstance(a, t.Date | t.Datetime):
        return t.DURATION
    return None


def _counted(op: ast.operator, a: t.Number, b: t.Number) -> t.Type | None:
    """What becomes of units: sums keep theirs, a ratio of equal ones has none, a product keeps the only one."""
    if isinstance(op, ast.Mult):
        return t.NUMBER if a.unit and b.unit else t.Number(a.unit or b.unit)
    if isinstance(op, ast.Div):
        return t.Number(a.unit) if not b.unit else t.NUMBER
    return t.Number(a.unit or b.unit) if t.same_unit(a, b) else None


def part(pair: t.Type, place: int) -> t.Type:
    """What stands at a place of a pair."""
    if not isinstance(pair, t.ListOf):
        return t.UNKNOWN
    return pair.parts[place] if place < len(pair.parts) else pair.item
