"""W613: threshold stands in a rule."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W613",
    title="threshold stands in a rule",
    what="A rule compares with a number or a span that is written out, and not with a param.",
    why=(
        "Thresholds are what owners change: under `params` each has a name, stands once, and `whatif` and mutants "
        "find it."
    ),
    wrong="""\
rules:
  - {id: large, tools: [refund_order], effect: deny, when: input.amount_usd > 250}
""",
    right="""\
params: {most_usd: 250}
rules:
  - {id: large, tools: [refund_order], effect: deny, when: input.amount_usd > params.most_usd}
""",
    severity=Severity.WARNING,
)


def at(place: Place, text: str) -> Diagnostic:
    """The number in the expression."""
    return MANUAL.at(
        place,
        f"the threshold `{text}` stands in a rule",
        help="give it a name under `params`",
    )
