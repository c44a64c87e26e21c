"""E504: last row has a condition."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E504",
    title="last row has a condition",
    what="The last row of a decision table has a `when`.",
    why="A planner that has nothing to propose leaves the session without a next step.",
    wrong="""\
rows:
  - {when: step.number == 1, message: Hello}
""",
    right="""\
rows:
  - {when: step.number == 1, message: Hello}
  - {message: Goodbye, done: true}
""",
)


def at(node: Node) -> Diagnostic:
    """The condition."""
    return MANUAL.at(
        node.place, "the last row of a decision table must not have a condition", help="add a row without one after it"
    )
