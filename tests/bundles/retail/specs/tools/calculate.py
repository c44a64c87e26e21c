"""Arithmetic on exact decimals, for the `calculate` tool."""

import ast
import operator
from collections.abc import Callable
from decimal import Decimal

_BINARY: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_UNARY: dict[type[ast.unaryop], Callable[[Decimal], Decimal]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


def calculate(expression: str) -> str:
    """The value of `expression` to two places; raises ValueError on anything but arithmetic."""
    value = _value(ast.parse(expression.strip(), mode="eval").body, expression)
    return format(value.quantize(Decimal("0.01")), "f")


def _value(node: ast.expr, text: str) -> Decimal:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Decimal(ast.get_source_segment(text.strip(), node) or "")
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](_value(node.left, text), _value(node.right, text))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](_value(node.operand, text))
    raise ValueError("only numbers, + - * / and parentheses can be calculated")
