"""W604: rule is always outvoted."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W604",
    title="rule is always outvoted",
    what="A deny rule matches whenever this rule does, on every tool that it covers.",
    why="The rule reads as if it decided something, and never does.",
    wrong="""\
rules:
  - {id: shut, tools: [refund_order], effect: deny}
  - {id: small, tools: [refund_order], effect: allow, when: input.amount_usd < 100}
""",
    right="""\
rules:
  - {id: small, tools: [refund_order], effect: allow, when: input.amount_usd < 100}
""",
    severity=Severity.WARNING,
)


def at(place: Place, rule: str, by: str) -> Diagnostic:
    """The id of the rule."""
    return MANUAL.at(
        place,
        f"rule `{rule}` is always outvoted by `{by}`",
        help="drop one of the two, or give the deny a condition",
    )
