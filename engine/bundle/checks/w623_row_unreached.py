"""W623: row is never reached."""

from __future__ import annotations

from collections.abc import Iterator

from engine.bundle.link.countable_conditions import always_holds
from engine.bundle.link.whole_bundle import WholeBundle
from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W623",
    title="row is never reached",
    what="A row of a decision table stands behind one that always holds.",
    why="The first row that holds is the decision: this one and those behind it never are.",
    wrong="""\
rows:
  - {message: Bye, done: true}
  - {when: step.number == 1, message: Look}
""",
    right="""\
rows:
  - {when: step.number == 1, message: Look}
  - {message: Bye, done: true}
""",
    severity=Severity.WARNING,
)


def at(place: Place) -> Diagnostic:
    """The first such row."""
    return MANUAL.at(
        place, "a row before this one always holds", help="move it before that one, or give that one a condition"
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """Rows of decision tables behind one that always holds: the first that holds is the decision."""
    for document, agent in whole.each_agent():
        for name, _, planner in document.node.at("planners").pairs():
            rows, table = agent.planners[name].rows, planner.get("rows")
            always = False
            for row, node in zip(rows, (table.items or ()) if table is not None else (), strict=False):
                if always:
                    yield at(node.place)
                    break
                always = row.when is None or always_holds(row.when.tree, agent)
