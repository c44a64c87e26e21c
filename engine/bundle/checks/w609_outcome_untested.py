"""W609: no fixture reaches an outcome."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W609",
    title="no fixture reaches an outcome",
    what="The bundle has fixtures of the agent, and none of them expects this outcome.",
    why="An outcome that no fixture reaches is one that nobody has seen; the next edit may take it away.",
    wrong="""\
stop:
  - {outcome: refunded, when: len(calls.refund_order) > 0, message: Done}
# and no fixture has: expect: {outcome: refunded}
""",
    right="""\
# fixtures/refunded.yaml
expect: {outcome: refunded}
""",
    severity=Severity.WARNING,
)


def at(place: Place, outcome: str) -> Diagnostic:
    """The outcome."""
    return MANUAL.at(
        place,
        f"no fixture expects the outcome `{outcome}`",
        help="write one that does",
    )
