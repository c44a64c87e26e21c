"""E206: value out of bounds."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E206",
    title="value out of bounds",
    what=(
        "A value has the right type and breaks another bound: too small, too long, of the wrong form, too few entries."
    ),
    why="The bounds are those of the document's schema, which your editor can show too.",
    wrong="""\
budgets:
  steps: 0
""",
    right="""\
budgets:
  steps: 1
""",
)


def at(node: Node, what: str, problem: str, help_: str = "") -> Diagnostic:
    """The value."""
    return MANUAL.at(node.place, f"`{what}` {problem}", help=help_)


def within(place: Place, what: str, problem: str) -> Diagnostic:
    """A part of the value."""
    return MANUAL.at(place, f"`{what}` {problem}")


def on_entry(node: Node, what: str, problem: str) -> Diagnostic:
    """The value, which was let through once."""
    return MANUAL.at(node.place, f"`{what}` {problem}", on_entry=True)
