"""Values of two types that can't be held against each other: how one of them is written to fit the other."""

from __future__ import annotations

import ast
import re
from decimal import Decimal

from engine.language import types
from engine.language.durations import span_text
from engine.language.provenance.numerals import plainly
from engine.language.unparse import to_source
from engine.language.value import duration, number_text

_AMOUNT = re.compile(r"(?:[$€£]|[A-Z]{3})?\s?(\d[\d.,_'’ ]*?)\s?(?P<share>%)?(?:[A-Z]{3}|[$€£])?\Z")
_DAY = re.compile(r"[0-9]{4} - [0-9]{1,2} - [0-9]{1,2}\Z")
_CONSTRUCTORS = ((types.Duration, "duration"), (types.Datetime, "datetime"), (types.Date, "date"))


def fitting(left: ast.expr, left_type: types.Type, right: ast.expr, right_type: types.Type) -> str:
    """How to write the one that does not fit the other; empty where nobody knows."""
    return _to(left, left_type, right_type) or _to(right, right_type, left_type)


def adding(node: ast.BinOp, left: types.Type, right: types.Type) -> str:
    """How to write what is added to a moment or taken from it, or from which a moment is taken."""
    later = node.right.value if isinstance(node.right, ast.Constant) else None
    spans = (
        types.only(right, types.Number) or isinstance(node.op, ast.Add) or (isinstance(later, str) and duration(later))
    )
    if types.only(left, types.Date, types.Datetime) and spans:
        return _to(node.right, right, types.DURATION)
    if types.only(left, types.Text) and types.only(right, types.Text):
        return "the language builds no text"
    return fitting(node.left, left, node.right, right)


def _to(node: ast.expr, own: types.Type, other: types.Type) -> str:
    """How to write a value so that it is of the other's type."""
    text = to_source(node)
    if (
        isinstance(node, ast.Constant)
        and types.only(other, types.Text)
        and other != types.NULL
        and not types.only(own, types.Text)
    ):
        return f"write `'{text}'`"
    if types.only(own, types.ListOf) and own != types.NULL and types.only(other, types.Number) and other != types.NULL:
        return f"how many there are tells `len({text})`"
    words = types.words_of(own)
    if text.startswith("params.") and len(words) == 1:
        return _param(min(words), other)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        plain = node.value.strip()
        if types.only(other, types.Boolean) and plain.lower() in ("true", "false"):
            return f"write `{plain.lower()}`"
        if types.only(other, types.Number) and (number := plainly(plain)):
            return f"write `{number}`"
    if isinstance(node, ast.BinOp) and _DAY.match(text) and types.only(other, types.Text, types.Date, types.Datetime):
        return _day(text, other)
    for kind, function in _CONSTRUCTORS:
        if other != types.NULL and types.only(other, kind) and own != types.NULL:
            if types.only(own, types.Text) or (kind is types.Date and types.only(own, types.Datetime)):
                return f"write `{function}({text})`"
            if kind is types.Duration and types.only(own, types.Number) and isinstance(node, ast.Constant):
                return f"a span of time has a unit, such as `duration('{text if text.isdigit() else 24}h')`"
    return ""


def _day(text: str, other: types.Type) -> str:
    """How to write a day that is a difference of numbers as it stands."""
    year, month, day = text.split(" - ")
    quoted = f"'{year}-{month:0>2}-{day:0>2}'"
    if types.only(other, types.Text):
        return f"write `{quoted}`"
    return f"write `{'date' if types.only(other, types.Date) else 'datetime'}({quoted})`"


def _param(word: str, other: types.Type) -> str:
    """How to write a param that is text and should be something else."""
    found = _AMOUNT.match(word)
    if types.only(other, types.Number) and found is not None:
        number = plainly(found[1])
        if not number:
            return "write the param as a number, without quotes and separators: a point stands before its decimals"
        share = f", or `{number_text(Decimal(number) / 100)}` for the share" if found["share"] else ""
        return f"write the param as a number, without quotes: `{number}`{share}"
    if types.only(other, types.Duration) and duration(word) is not None:
        return f"write the param without quotes: `{word}`"
    if types.only(other, types.Duration) and (span := span_text(word)):
        return f"write the param as `{span}`"
    return ""
