"""E406: expression is too large."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E406",
    title="expression is too large",
    what="An expression has more than 2,000 characters or nests deeper than 40 levels.",
    why="Every judgement has to be bounded work, and every rule readable by the one who owns it.",
    wrong="when: a or b or c  # two thousand characters of it",
    right="# split it into several rules",
)


def at(place: Place, message: str, help_: str) -> Diagnostic:
    """The expression."""
    return MANUAL.at(place, message, help=help_ or "split it into several rules")
