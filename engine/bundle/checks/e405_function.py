"""E405: no such function."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E405",
    title="no such function",
    what="An expression calls a function that does not exist, or with the wrong number of arguments.",
    why="The functions of the language are a closed list; there are none of your own.",
    wrong="when: lenght(messages) > 3",
    right="when: len(messages) > 3",
)


def at(place: Place, message: str, help_: str) -> Diagnostic:
    """The call."""
    return MANUAL.at(place, message, help=help_)
