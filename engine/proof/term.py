"""A value as a formula: its kind, whether it is null, and a term of the solver for what it is otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import z3  # type: ignore[import-untyped]

NULL, BOOLEAN, NUMBER, TEXT = "null", "boolean", "number", "text"


DATE, DATETIME, DURATION = "date", "datetime", "duration"


RECORD, LIST, MAP, OPAQUE, GROUPS = "record", "list", "map", "opaque", "groups"


SCALARS = frozenset({BOOLEAN, NUMBER, TEXT, DATE, DATETIME, DURATION})


YES, NO = z3.BoolVal(True), z3.BoolVal(False)


class Unencodable(Exception):
    """An expression that has no formula; it says of what."""


@dataclass(frozen=True, slots=True)
class ListItem:
    """One element of a list, and whether the list is that long."""

    there: Any
    value: Term


@dataclass(frozen=True, slots=True)
class Term:
    """A value: its kind, whether it is null, and by kind a term, the fields, the elements and length, or a name.

    The elements of a map are pairs of a key and a value.  Those of a list stand one behind the other, unless it is
    `loose`: then some between may not be there.
    """

    kind: str
    null: Any = NO
    term: Any = None
    fields: Callable[[str], Term] | None = None
    items: tuple[ListItem, ...] | None = None
    length: Any = None
    name: str = ""
    loose: bool = False

    def or_null(self, null: Any) -> Term:
        """The same value, null also if `null` holds."""
        return replace(self, null=either(self.null, null))


def both(*parts: Any) -> Any:
    """All of them, without what is known to hold."""
    left = [part for part in parts if not z3.is_true(part)]
    if any(z3.is_false(part) for part in left):
        return NO
    return YES if not left else left[0] if len(left) == 1 else z3.And(*left)


def either(*parts: Any) -> Any:
    """Any of them, without what is known not to hold."""
    left = [part for part in parts if not z3.is_false(part)]
    if any(z3.is_true(part) for part in left):
        return YES
    return NO if not left else left[0] if len(left) == 1 else z3.Or(*left)


def no(part: Any) -> Any:
    """Its opposite."""
    return NO if z3.is_true(part) else YES if z3.is_false(part) else z3.Not(part)
