"""W608: stop condition can't fire."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W608",
    title="stop condition can't fire",
    what=(
        "A condition that is never true, that comes behind one which always holds, or that counts calls of a tool "
        "that the agent does not have."
    ),
    why="The outcome looks declared, and no session ever ends with it.",
    wrong="""\
tools: [find_order]
stop:
  - {outcome: refunded, when: len(calls.refund_order) > 0, message: Done}
""",
    right="""\
tools: [find_order, refund_order]
stop:
  - {outcome: refunded, when: len(calls.refund_order) > 0, message: Done}
""",
    severity=Severity.WARNING,
)


def at(place: Place, outcome: str, why: str) -> Diagnostic:
    """The outcome."""
    return MANUAL.at(
        place,
        f"the outcome `{outcome}` can't come about: {why}",
        help="mend its condition, or drop it",
    )
