"""E403: comparison of unlike types."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E403",
    title="comparison of unlike types",
    what="Two values are compared that can never be equal, or have no order.",
    why="`lots` is never above or below 250: the rule would be an error at every call.",
    wrong="""\
params:
  refund_threshold_usd: lots
rules:
  - when: input.amount_usd > params.refund_threshold_usd
""",
    right="""\
params:
  refund_threshold_usd: 250
rules:
  - when: input.amount_usd > params.refund_threshold_usd
""",
)


def at(place: Place, message: str, help_: str) -> Diagnostic:
    """The comparison."""
    return MANUAL.at(place, message, help=help_)
