"""What evaluating a condition may take: everything that goes over data is counted, in the same units, in one place.

A unit is about what comparing two short values takes.  A condition that spends its bound is an error, which counts
against the call like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.language.arithmetic import EvaluationError

MAX_WORK = 500_000

# what all conditions that judge one call may take together: each may be within its bound, and there may be many
MAX_TOGETHER = 10 * MAX_WORK

# what one turn of a loop takes
TURN = 50

# how many characters are gone through in one unit
CHARACTERS = 100

# of what `origin` goes through, in characters
EVIDENCE = 200


class TooMuchTogether(Exception):
    """The conditions that judge one call go over more data than they may together."""


class Together:
    """The units that all evaluations for one call have taken."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken = 0


class WorkCounter:
    """The units that one evaluation has taken; names that are those of a call know what all of its have taken."""

    __slots__ = ("_together", "taken")

    def __init__(self, names: object) -> None:
        self.taken = 0
        self._together: Together | None = getattr(names, "together", None)

    def take(self, units: int) -> None:
        """Count some more; raises EvaluationError beyond its own bound, TooMuchTogether beyond that of all."""
        self.taken += units
        if self.taken > MAX_WORK:
            raise EvaluationError("it goes over more data than a condition may")
        if self._together is not None:
            self._together.taken += units
            if self._together.taken > MAX_TOGETHER:
                raise TooMuchTogether


def extent(value: Any) -> int:
    """The units that going over a value takes, what is nested in it included: up to the bound and little more.

    A list may stand in itself many times over, so that what it spells out is far larger than what it holds.
    """
    if isinstance(value, str):
        return 1 + len(value) // CHARACTERS
    if isinstance(value, list | tuple | frozenset | Mapping):
        return _deep(value, MAX_WORK)
    return 1


def _deep(value: Any, left: int) -> int:
    parts: list[Iterable[Any]] = [value.keys(), value.values()] if isinstance(value, Mapping) else [value]
    taken = 1
    for part in parts:
        for item in part:
            if isinstance(item, list | tuple | frozenset | Mapping):
                taken += _deep(item, left - taken)
            else:
                taken += 1 + len(item) // CHARACTERS if isinstance(item, str) else 1
            if taken > left:
                return taken
    return taken
