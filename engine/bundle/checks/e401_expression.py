"""E401: expression does not parse."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E401",
    title="expression does not parse",
    what="The text of an expression is not part of the policy language.",
    why=(
        "The language is small and closed: everything that it does not have is refused, so that "
        "nothing in it can surprise."
    ),
    wrong="when: input.amount_usd = 250",
    right="when: input.amount_usd == 250",
)


def at(place: Place, message: str, help_: str) -> Diagnostic:
    """The characters that do not fit."""
    return MANUAL.at(place, message, help=help_)
