"""E411: loop without a bound."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E411",
    title="loop without a bound",
    what="A loop goes over a list of which nothing says how long it may be.",
    why="What a gate does for one call has to be bounded, or one call can hold up all others.",
    wrong="when: any(i.price > 100 for i in order.items)  # order.items has no maxItems",
    right="items: {type: array, maxItems: 50}",
)


def at(place: Place, message: str, help_: str = "") -> Diagnostic:
    """The source of the loop."""
    return MANUAL.at(place, message, help=help_)
