"""W607: budget can't be reached."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W607",
    title="budget can't be reached",
    what="Another limit ends the session before this one can be used up.",
    why="Whoever raises or lowers it changes nothing, and believes otherwise.",
    wrong="""\
budgets:
  steps: 2
  calls_per_step: 3
  calls: 20
""",
    right="""\
budgets:
  steps: 2
  calls_per_step: 3
  calls: 6
""",
    severity=Severity.WARNING,
)


def at(place: Place, limit: str, why: str) -> Diagnostic:
    """The limit."""
    return MANUAL.at(
        place,
        f"the limit `{limit}` can't be reached: {why}",
        help="lower it, or raise what ends the session before",
    )
