"""E410: field of only some forms."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E410",
    title="field of only some forms",
    what="A value has one of several forms, and a field is read that only some of them have.",
    why="In the other forms the field is not there, and the condition has no value.",
    wrong="when: payment.last_four == '1234'",
    right="when: payment.kind == 'card' and payment.last_four == '1234'",
)


def at(place: Place, message: str, help_: str = "") -> Diagnostic:
    """The field."""
    return MANUAL.at(place, message, help=help_)
