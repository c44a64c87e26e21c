"""E503: last outcome has a condition."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E503",
    title="last outcome has a condition",
    what=(
        "The last of the outcomes under `stop`, or the last one that is tried when the planner is done, has a `when`."
    ),
    why="A planner that is done must end somewhere; the last outcome is where everything else ends.",
    wrong="""\
stop:
  - {outcome: answered, when: len(calls.search_docs) > 0, message: Bye}
""",
    right="""\
stop:
  - {outcome: answered, message: Bye}
""",
)


def at(node: Node, message: str = "the last outcome must not have a condition") -> Diagnostic:
    """The condition, or what else keeps it from always matching."""
    return MANUAL.at(node.place, message, help="add an outcome without a condition after it")
