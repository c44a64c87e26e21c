"""E202: value of the wrong type."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual
from engine.language.arithmetic import kind

MANUAL = Manual(
    code="E202",
    title="value of the wrong type",
    what="A value is, say, text where a number is needed.",
    why="Nothing is converted by guessing: `no` is text, `8` is a number, and `[a]` is a list.",
    wrong="""\
budgets:
  steps: many
""",
    right="""\
budgets:
  steps: 8
""",
)


def at(node: Node, what: str, wanted: str, help_: str = "") -> Diagnostic:
    """The value."""
    return MANUAL.at(node.place, f"`{what}` must be {wanted}, and this is {kind(node.plain)}", help=help_)
