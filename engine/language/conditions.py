"""The conditions that an expression is made of: what can be true or false by itself, and what is compared in order."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from engine.language import types
from engine.language.arithmetic import is_number, subtract
from engine.language.expression import Expression
from engine.language.syntax import span

Span = tuple[int, int]

ORDERINGS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
# the same comparison with its sides exchanged
MIRRORED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}
_COUNTING = frozenset({"any", "all", "count"})


def conditions(expression: Expression) -> list[ast.expr]:
    """The parts that are true or false by themselves, in the order of the text: no `and`, `or`, `not`, no constant."""
    boolean = expression.type != types.NULL and types.only(expression.type, types.Boolean)
    found = {span(node): node for node in _conditions(expression.tree, boolean=boolean)}
    return [found[place] for place in sorted(found)]


def _conditions(node: ast.expr, *, boolean: bool) -> Iterator[ast.expr]:
    if isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _conditions(value, boolean=True)
        return
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield from _conditions(node.operand, boolean=True)
        return
    if isinstance(node, ast.IfExp):
        yield from _conditions(node.test, boolean=True)
        yield from _conditions(node.body, boolean=boolean)
        yield from _conditions(node.orelse, boolean=boolean)
        return
    if isinstance(node, ast.Compare) or (boolean and not isinstance(node, ast.Constant)):
        yield node
    yield from _inside(node)


def _inside(node: ast.expr) -> Iterator[ast.expr]:
    """The conditions in the parts of a node, which is itself none that has boolean parts."""
    counts = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _COUNTING
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.GeneratorExp | ast.ListComp):
            yield from _of_loop(child, boolean=counts)
        elif isinstance(child, ast.keyword):
            yield from _conditions(child.value, boolean=False)
        elif isinstance(child, ast.expr) and not (isinstance(node, ast.Call) and child is node.func):
            yield from _conditions(child, boolean=False)
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        yield from _of_loop(node, boolean=False)


def _of_loop(loop: ast.GeneratorExp | ast.ListComp, *, boolean: bool) -> Iterator[ast.expr]:
    for generator in loop.generators:
        yield from _conditions(generator.iter, boolean=False)
        for test in generator.ifs:
            yield from _conditions(test, boolean=True)
    yield from _conditions(loop.elt, boolean=boolean)


def orderings(tree: ast.expr) -> Iterator[tuple[ast.Compare, int, ast.expr, ast.expr]]:
    """Every comparison with an order: its node, which of its operators, and the two sides."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for index, op in enumerate(node.ops):
                if isinstance(op, ORDERINGS):
                    yield node, index, sides[index], sides[index + 1]


def constant(node: ast.expr, params: Mapping[str, Any]) -> Any:
    """The number, moment or duration that a node stands for whatever is judged, or None."""
    value = None
    if isinstance(node, ast.Constant):
        value = node.value
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = subtract(0, node.operand.value) if is_number(node.operand.value) else None
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params":
        value = params.get(node.attr)
    return value if is_number(value) or isinstance(value, timedelta | date) else None
