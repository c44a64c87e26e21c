"""What evaluating a condition may take: everything that goes over data is counted, in the same units, in one place.

A unit is about what comparing two short values takes.  A condition that spends its bound is an error, which counts
against the call like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.policy.arithmetic import EvaluationError

MAX_WORK = 500_000

# what one turn of a loop takes
TURN = 50

# how many characters are gone through in one unit
CHARACTERS = 100

# of what `origin` goes through, in characters
TOLD = 1_000


class Work:
    """The units that one evaluation has taken."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken = 0

    def take(self, units: int) -> None:
        """Count some more; raises EvaluationError beyond the bound."""
        self.taken += units
        if self.taken > MAX_WORK:
            raise EvaluationError("it goes over more data than a condition may")


def extent(value: Any) -> int:
    """The units that going over a value takes, what is nested in it included."""
    if isinstance(value, str):
        return 1 + len(value) // CHARACTERS
    if isinstance(value, list | tuple | frozenset):
        return 1 + sum(map(extent, value))
    if isinstance(value, Mapping):
        return 1 + sum(extent(key) + extent(item) for key, item in value.items())
    return 1
