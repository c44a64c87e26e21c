"""E514: fact without an output schema."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E514",
    title="fact without an output schema",
    what="A tool without an output schema is used as a fact.",
    why="Nothing is known of its fields, so a rule that reads them can not be checked before it runs.",
    wrong="""\
facts:
  order: {tool: find_order}   # find_order declares no output
""",
    right="""\
output:
  type: object
  properties: {state: {type: string}}
""",
)


def at(place: Place, tool: str) -> Diagnostic:
    """The reference to the tool."""
    return MANUAL.at(
        place, f"tool `{tool}` declares no output, and a fact needs one", help="give the tool an `output` schema"
    )
