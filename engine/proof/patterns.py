"""A text that a regular expression matches, for fields whose schema has a pattern."""

from __future__ import annotations

import re
import re._constants as c  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Iterable
from typing import Any

from engine.bundle.link.patterns import matches

# what is tried where a pattern says which characters there may not be
_USUAL = "x0 -_.,:;/@#AaZz1"
_OF_CATEGORY = {
    c.CATEGORY_DIGIT: "0",
    c.CATEGORY_SPACE: " ",
    c.CATEGORY_WORD: "a",
    c.CATEGORY_NOT_DIGIT: "x",
    c.CATEGORY_NOT_SPACE: "x",
    c.CATEGORY_NOT_WORD: "-",
}


def matching(pattern: str, number: int = 0, more: int = 0) -> str | None:
    """A short text that a pattern matches, by `number` another one as far as it leaves a choice; or None.

    With `more`, what may be repeated is there so many times more than it has to be.
    """
    try:
        text = _of(parser.parse(pattern), number, more)
        return text if matches(pattern, text) else None
    except (re.error, RecursionError, OverflowError):
        return None


def _of(parts: Iterable[Any], number: int, more: int) -> str:
    return "".join(_one(kind, value, number, more) for kind, value in parts)


def _one(kind: Any, value: Any, number: int, more: int) -> str:
    if kind is c.LITERAL:
        return chr(value)
    if kind is c.NOT_LITERAL:
        return next(char for char in _USUAL if ord(char) != value)
    if kind is c.ANY:
        return _USUAL[number % 2]
    if kind is c.IN:
        return _among(value, number)
    if kind in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
        least, most, inner = value
        return "".join(_of(inner, number, more) for _ in range(min(least + more, most, 200)))
    if kind is c.SUBPATTERN:
        return _of(value[-1], number, more)
    if kind is c.ATOMIC_GROUP:
        return _of(value, number, more)
    if kind is c.BRANCH:
        ways = value[1]
        return _of(ways[number % len(ways)], number, more)
    # what stands for a place, or looks ahead, adds nothing
    return ""


def _among(choices: list[tuple[Any, Any]], number: int) -> str:
    if choices[0][0] is c.NEGATE:
        return next((char for char in _USUAL if not any(_is(char, one) for one in choices[1:])), "")
    kind, value = choices[number % len(choices)]
    if kind is c.RANGE:
        low, high = value
        return chr(low + number % (high - low + 1))
    return chr(value) if kind is c.LITERAL else _OF_CATEGORY.get(value, "x")


def _is(char: str, choice: tuple[Any, Any]) -> bool:
    kind, value = choice
    if kind is c.RANGE:
        return bool(value[0] <= ord(char) <= value[1])
    if kind is c.LITERAL:
        return bool(ord(char) == value)
    sample = _OF_CATEGORY.get(value, "x")
    return sample == char or (sample in "0a" and char.isalnum())
