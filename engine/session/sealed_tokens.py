"""Sealed values as they stand in a log: tokens that say nothing to whoever has no key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.session.sensitivity import HANDLE, HIDDEN

PREFIX = "sealed:1:"

# what says nothing to people, also where it stands within a text
_MARKS = re.compile(rf"{PREFIX}[\w=-]+|{HANDLE}", re.ASCII)


def is_sealed(value: object) -> bool:
    """Whether a value is such a token."""
    return isinstance(value, str) and value.startswith(PREFIX)


def holds_sealed(value: Any) -> bool:
    """Whether a value of plain JSON holds such a token anywhere."""
    if isinstance(value, str):
        return PREFIX in value
    if isinstance(value, Mapping):
        return any(holds_sealed(key) or holds_sealed(item) for key, item in value.items())
    return isinstance(value, list | tuple) and any(map(holds_sealed, value))


def has_marks(text: str) -> bool:
    """Whether a text, such as JSON, holds anything that people may not see; no character of a mark is escaped there."""
    return PREFIX in text or _MARKS.search(text) is not None


def shown(value: Any) -> Any:
    """A value as people may see it: `[sensitive]` in the place of what is sealed, and of handles."""
    if isinstance(value, str):
        return HIDDEN if value.startswith(PREFIX) else _MARKS.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {shown(key): shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return value
