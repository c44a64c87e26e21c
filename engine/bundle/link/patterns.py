"""Regular expressions of users: one engine that matches in linear time, at load and at run.

Its dialect is that of JSON Schema (ECMA-262) without look-around and back-references, which no linear engine has.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

# what a compiled pattern may take, in bytes
LARGEST = 1_000_000

_BEYOND = (
    (re.compile(r"\(\?<?[=!]"), "it looks ahead or behind"),
    (re.compile(r"\\[1-9]|\\k<"), "it refers back to a group"),
    (re.compile(r"\(\?>|[*+?}]\+"), "it forbids itself to go back"),
    (re.compile(r"\\[AZzGbB]"), "`\\A`, `\\Z` and `\\z` are written `^` and `$`"),
)


@cache
def linear() -> Any:
    """The options that make a checker match patterns by automaton: a text can't make it slow."""
    from jsonschema_rs import RegexOptions

    return RegexOptions(size_limit=LARGEST)


def pattern_problem(pattern: str) -> str:
    """Why a pattern can't be used; empty if it can."""
    from jsonschema_rs import Draft202012Validator, ValidationError

    try:
        Draft202012Validator({"pattern": pattern}, pattern_options=linear())
    except (ValidationError, ValueError):
        return f"the pattern can't be matched in linear time: {_why(pattern)}"
    return ""


def _why(pattern: str) -> str:
    if len(pattern) > 10_000:
        return "it is too long"
    for form, reason in _BEYOND:
        if form.search(pattern):
            return reason
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError, ValueError) as error:
        return f"it is no regular expression ({error})" if isinstance(error, re.error) else "it is nested too deep"
    return "it is too large, or holds what the dialect of JSON Schema does not have"


@cache
def _compiled(pattern: str) -> Any:
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator({"pattern": pattern}, pattern_options=linear())


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text; False for a pattern that can't be used."""
    try:
        return bool(_compiled(pattern).is_valid(text))
    except ValueError:
        return False
