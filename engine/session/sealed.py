"""Sealed values as they stand in a log: tokens that say nothing to whoever has no key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.session.sensitive import HIDDEN

PREFIX = "sealed:1:"

# a token within a text that was made of several
_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_=-]*")


def is_sealed(value: object) -> bool:
    """Whether a value is such a token."""
    return isinstance(value, str) and value.startswith(PREFIX)


def shown(value: Any) -> Any:
    """A value as people and models may see it: a mark in the place of each sealed part."""
    if isinstance(value, str):
        return HIDDEN if value.startswith(PREFIX) else _TOKEN.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {(HIDDEN if is_sealed(key) else key): shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return value
