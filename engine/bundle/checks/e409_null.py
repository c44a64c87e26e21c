"""E409: value may be null."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E409",
    title="value may be null",
    what="An expression uses a value that the schemas allow to be null or absent, without a test of it.",
    why="Null in a comparison or in arithmetic has no value: the rule would fail closed when nobody expects it.",
    wrong="when: len(input.note) > 0",
    right="when: input.note != null and len(input.note) > 0",
)


def at(place: Place, message: str, help_: str = "") -> Diagnostic:
    """The value."""
    return MANUAL.at(place, message, help=help_)
