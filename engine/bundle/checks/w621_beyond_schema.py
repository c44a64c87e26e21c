"""W621: condition is beyond the schema."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W621",
    title="condition is beyond the schema",
    what=(
        "A rule compares a number with one that the schema of the tool, or of the fact, never lets through: by its "
        "`minimum`, `maximum`, `exclusiveMinimum` or `exclusiveMaximum` the condition is never true."
    ),
    why="The rule reads as if it did something; often the number is of another unit, or the schema is newer.",
    wrong="""\
# amount_usd: {type: number, maximum: 60}
when: input.amount_usd > 100
""",
    right="""\
when: input.amount_usd > 50
""",
    severity=Severity.WARNING,
)


def at(place: Place, rule: str, bound: str) -> Diagnostic:
    """The condition."""
    return MANUAL.at(
        place, f"rule `{rule}` never matches: the schema says {bound}", help="mend the number, or drop the rule"
    )
