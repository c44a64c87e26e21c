"""W623: row is never reached."""

from __future__ import annotations

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
