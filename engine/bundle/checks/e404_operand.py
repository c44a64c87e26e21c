"""E404: operand of the wrong type."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E404",
    title="operand of the wrong type",
    what="A condition is no boolean, or an operator or function gets what it can't work on.",
    why="There is no truth by guess (an empty list is not false) and no arithmetic on text.",
    wrong="when: input.amount_usd and account.verified",
    right="when: input.amount_usd > 0 and account.verified",
)


def at(place: Place, message: str, help_: str) -> Diagnostic:
    """The operand."""
    return MANUAL.at(place, message, help=help_)
