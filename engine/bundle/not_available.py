"""What the design has and this version does not: refused by name, so that nothing is accepted and ignored."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

KINDS: frozenset[str] = frozenset()

# by kind: paths of keys, `*` for any one key or index
KEYS: Mapping[str, frozenset[str]] = {
    "Agent": frozenset({"meters"}),
    "Tool": frozenset({"meters"}),
    "Fixture": frozenset({"budgets"}),
}

# by kind: values at a path
VALUES: Mapping[str, Mapping[str, frozenset[str]]] = {"Tool": {"adapter/kind": frozenset({"search"})}}


def is_later_key(kind: str, path: tuple[str | int, ...]) -> bool:
    """Whether a later version knows a key at this path."""
    return any(_matches(pattern, path) for pattern in KEYS.get(kind, ()))


def is_later_value(kind: str, path: tuple[str | int, ...], value: object) -> bool:
    """Whether a later version knows this value at this path."""
    return isinstance(value, str) and any(
        _matches(pattern, path) and value in values for pattern, values in VALUES.get(kind, {}).items()
    )


def _matches(pattern: str, path: tuple[str | int, ...]) -> bool:
    wanted = pattern.split("/")
    return len(wanted) == len(path) and all(
        fnmatchcase(str(part), want) for part, want in zip(path, wanted, strict=True)
    )
