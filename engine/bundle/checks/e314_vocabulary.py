"""E314: vocabulary is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E314",
    title="vocabulary is not defined",
    what="A policy uses a vocabulary that the bundle does not have.",
    why="The words that its rules read would have no meaning.",
    wrong="""\
uses: [retial]
""",
    right="""\
uses: [retail]
""",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    return MANUAL.at(place, f"vocabulary `{name}` is not defined", help=did_you_mean(name, set(known)))
