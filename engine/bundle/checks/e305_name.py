"""E305: name is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E305",
    title="name is not defined",
    what="A document refers to a name that the bundle does not have.",
    why="A condition that reads nothing is an error at every call; better here than there.",
    wrong="when: acount.verified",
    right="when: account.verified",
)


def at(place: Place, message: str, known: Iterable[str], help_: str) -> Diagnostic:
    """The reference."""
    there = sum(name.isidentifier() for name in known)
    note = f"which names there are depends on where the expression stands ({there} here)"
    return MANUAL.at(place, message, note=note, help=help_)
