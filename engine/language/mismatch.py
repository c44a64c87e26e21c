"""Values of two types that can't be held against each other: how one of them is written to fit the other."""

from __future__ import annotations

import ast
import re
from decimal import Decimal

from engine.language import types as t
from engine.language import value as v
from engine.language.durations import span_text
from engine.language.provenance.numerals import plainly
from engine.language.unparse import to_source
from engine.language.value import number_text

_AMOUNT = re.compile(r"(?:[$€£]|[A-Z]{3})?\s?(\d[\d.,_'’ ]*?)\s?(?P<share>%)?(?:[A-Z]{3}|[$€£])?\Z")
_DAY = re.compile(r"[0-9]{4} - [0-9]{1,2} - [0-9]{1,2}\Z")
_MADE = ((t.Duration, "duration"), (t.Datetime, "datetime"), (t.Date, "date"))


def fitting(left: ast.expr, left_type: t.Type, right: ast.expr, right_type: t.Type) -> str:
    """How to write the one that does not fit the other; empty where nobody knows."""
    return _to(left, left_type, right_type) or _to(right, right_type, left_type)


def adding(node: ast.BinOp, left: t.Type, right: t.Type) -> str:
    """How to write what is added to a moment or taken from it, or from which a moment is taken."""
    later = node.right.value if isinstance(node.right, ast.Constant) else None
    spans = t.only(right, t.Number) or isinstance(node.op, ast.Add) or (isinstance(later, str) and v.duration(later))
    if t.only(left, t.Date, t.Datetime) and spans:
        return _to(node.right, right, t.DURATION)
    if t.only(left, t.Text) and t.only(right, t.Text):
        return "the language builds no text"
    return fitting(node.left, left, node.right, right)


def _to(node: ast.expr, own: t.Type, other: t.Type) -> str:
    """How to write a value so that it is of the other's type."""
    text = to_source(node)
    if isinstance(node, ast.Constant) and t.only(other, t.Text) and other != t.NULL and not t.only(own, t.Text):
        return f"write `'{text}'`"
    if t.only(own, t.ListOf) and own != t.NULL and t.only(other, t.Number) and other != t.NULL:
        return f"how many there are tells `len({text})`"
    words = t.words_of(own)
    if text.startswith("params.") and len(words) == 1:
        return _param(min(words), other)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        plain = node.value.strip()
        if t.only(other, t.Boolean) and plain.lower() in ("true", "false"):
            return f"write `{plain.lower()}`"
        if t.only(other, t.Number) and (number := plainly(plain)):
            return f"write `{number}`"
    if isinstance(node, ast.BinOp) and _DAY.match(text) and t.only(other, t.Text, t.Date, t.Datetime):
        return _day(text, other)
    for kind, function in _MADE:
        if other != t.NULL and t.only(other, kind) and own != t.NULL:
            if t.only(own, t.Text) or (kind is t.Date and t.only(own, t.Datetime)):
                return f"write `{function}({text})`"
            if kind is t.Duration and t.only(own, t.Number) and isinstance(node, ast.Constant):
                return f"a span of time has a unit, such as `duration('{text if text.isdigit() else 24}h')`"
    return ""


def _day(text: str, other: t.Type) -> str:
    """How to write a day that is a difference of numbers as it stands."""
    year, month, day = text.split(" - ")
    quoted = f"'{year}-{month:0>2}-{day:0>2}'"
    if t.only(other, t.Text):
        return f"write `{quoted}`"
    return f"write `{'date' if t.only(other, t.Date) else 'datetime'}({quoted})`"


def _param(word: str, other: t.Type) -> str:
    """How to write a param that is text and should be something else."""
    found = _AMOUNT.match(word)
    if t.only(other, t.Number) and found is not None:
        number = plainly(found[1])
        if not number:
            return "write the param as a number, without quotes and separators: a point stands before its decimals"
        share = f", or `{number_text(Decimal(number) / 100)}` for the share" if found["share"] else ""
        return f"write the param as a number, without quotes: `{number}`{share}"
    if t.only(other, t.Duration) and v.duration(word) is not None:
        return f"write the param without quotes: `{word}`"
    if t.only(other, t.Duration) and (span := span_text(word)):
        return f"write the param as `{span}`"
    return ""
