"""`in`: what may stand on its sides, and values in a row that were meant to be a list."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Protocol

from engine.language import types
from engine.language.syntax import Kind
from engine.language.unparse import to_source

_GATHERED = (types.ListOf, types.SetOf, types.MapOf, types.Record)


class Typing(Protocol):
    """Types nodes, and says what is wrong."""

    def quietly(self, node: ast.expr, known: Mapping[str, types.Type]) -> types.Type:
        """The type of a node, without a word about what is wrong."""

    def not_null(self, node: ast.expr, found: types.Type) -> types.Type:
        """The type of what is used; saying so where it may be null."""

    def say(
        self, kind: Kind, node: ast.AST | tuple[int, int], message: str, help_: str = "", *, on_entry: bool = False
    ) -> types.Type:
        """Say what is wrong with a node, whose type is unknown then."""


def check_membership(
    checker: Typing, sides: tuple[ast.expr, ast.expr], left: types.Type, right: types.Type, whole: tuple[int, int]
) -> None:
    """What is asked for can be in what it is looked for in; `whole` is where both stand."""
    node, items = sides[1], list[types.Type]()
    for option in types.options(checker.not_null(node, right)):
        if isinstance(option, types.ListOf | types.SetOf):
            items.append(option.item)
        elif isinstance(option, types.MapOf | types.Record):
            items.append(types.TEXT)
        elif isinstance(option, types.Unknown):
            items.append(types.UNKNOWN)
    if not items:
        help_ = "for text in text write `contains(text, part)`" if types.is_a(right, types.Text) else ""
        if isinstance(node, ast.Constant):
            help_ = f"write `[{to_source(node)}]`"
        checker.say(Kind.OPERAND, node, f"`in` needs a list, a set or a map, and this is {types.name(right)}", help_)
    elif not types.only(right, *_GATHERED):
        message = f"`in` needs a list, a set or a map, and this may be {types.name(right)}"
        checker.say(Kind.OPERAND, node, message, on_entry=True)
    elif not any(types.can_equal(left, item) for item in items):
        checker.say(
            Kind.COMPARISON, whole, f"{types.name(left)} is never in a list of {types.name(types.union(items))}"
        )
    elif not types.is_a(left, *_GATHERED, types.Never) and (inner := _gathered(types.union(items))):
        message = f"{types.name(left)} never equals {types.name(inner)} that stands in this list"
        checker.say(Kind.COMPARISON, node, message, _apart(checker, *sides), on_entry=True)


def _gathered(item: types.Type) -> types.Type | None:
    """What of the elements of a list is no simple value."""
    return next((option for option in types.options(item) if isinstance(option, _GATHERED)), None)


def _apart(checker: Typing, left: ast.expr, right: ast.expr) -> str:
    """A list of values and lists as a condition for each of them."""
    if not isinstance(right, ast.List | ast.Tuple):
        return ""
    lists = [item for item in right.elts if _gathered(checker.quietly(item, {}))]
    values = ", ".join(to_source(item) for item in right.elts if item not in lists)
    asked = [*map(to_source, lists), *([f"[{values}]"] if values else [])]
    return f"write `{' or '.join(f'{to_source(left)} in {one}' for one in asked)}`"


def of_row(values: Sequence[ast.expr], *, alike: bool = True) -> str:
    """How to ask for one of several values, of a comparison and values behind it; empty for anything else."""
    first, rest = values[0], values[1:]
    op = ast.Eq if alike else ast.NotEq
    if not isinstance(first, ast.Compare) or len(first.ops) != 1 or not isinstance(first.ops[0], op):
        return ""
    if not all(isinstance(value, ast.Constant) and not isinstance(value.value, bool) for value in rest):
        return ""
    listed = ", ".join(map(to_source, [first.comparators[0], *rest]))
    return f"write `{to_source(first.left)} {'in' if alike else 'not in'} [{listed}]`"
