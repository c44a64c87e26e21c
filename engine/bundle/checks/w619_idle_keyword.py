"""W619: keyword of a schema does nothing."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W619",
    title="keyword of a schema does nothing",
    what=(
        "A keyword of a schema is not for values of its `type`, or nothing can meet it: a lower bound above the upper "
        "one, an empty `enum`, a required field that the object does not have. Or it is no keyword, as `min` for "
        "`minimum`, a format that nobody knows, or a pattern between strokes."
    ),
    why="A bound that nobody checks lets everything through, and one that nothing meets stops every call.",
    wrong="amount_usd: {type: number, minLength: 1}",
    right="amount_usd: {type: number, minimum: 1}",
    severity=Severity.WARNING,
)


def at(place: Place, message: str, help_: str) -> Diagnostic:
    """The keyword."""
    return MANUAL.at(place, message, help=help_)
