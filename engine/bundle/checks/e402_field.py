"""E402: field is not in the schema."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E402",
    title="field is not in the schema",
    what="An expression names a field that the schemas do not have.",
    why=(
        "A field that does not exist would make the condition an error at every call; a deny rule "
        "would then always deny."
    ),
    wrong="when: input.amont_usd > 250",
    right="when: input.amount_usd > 250",
)


WHENCE = "fields come from the tools' input and output schemas and the agent's attributes"


def at(place: Place, message: str, help_: str, note: str = WHENCE) -> Diagnostic:
    """The field."""
    return MANUAL.at(place, message, note=note, help=help_)
