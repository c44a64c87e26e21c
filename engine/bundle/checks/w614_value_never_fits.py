"""W614: value never fits."""

from __future__ import annotations

from typing import Any

from engine.diagnostic import Diagnostic, Manual, Place, Severity
from engine.language.value import canonical

MANUAL = Manual(
    code="W614",
    title="value never fits",
    what=(
        "An `enum` or a `const` of a JSON Schema holds a value that the `type` beside it never lets through, or a "
        "`default` or one of `examples` does not fit the schema that it stands in."
    ),
    why=(
        "Such a value can never be used, and a model that is shown one is led astray. It is often a text that YAML "
        "reads as a number or a truth, such as `08` or `1e5`, and wants quotes."
    ),
    wrong="""\
input:
  type: object
  properties:
    month: {type: string, enum: [january, 2]}
""",
    right="""\
input:
  type: object
  properties:
    month: {type: string, enum: [january, "2"]}
""",
    severity=Severity.WARNING,
)


def at(place: Place, value: Any) -> Diagnostic:
    """The value."""
    return MANUAL.at(
        place,
        f"`{canonical(value)[:60]}` never fits what stands beside it",
        help=_help(value),
    )


def _help(value: object) -> str:
    """How to write what was probably meant."""
    if value is None:
        return "add `'null'` to the types, or write it in quotes for text"
    if isinstance(value, bool):
        return "a text that reads like true or false is written in quotes"
    return "a text that reads like a number is written in quotes" if not isinstance(value, str) else ""
