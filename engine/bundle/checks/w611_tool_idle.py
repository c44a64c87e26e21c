"""W611: tool is not used."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W611",
    title="tool is not used",
    what="No agent offers the tool, and no fact or probe reads it.",
    why="It is loaded, reviewed and kept, and can never run.",
    wrong="""\
# specs/tools/greet.yaml is in no agent's tools
""",
    right="""\
tools: [find_order, greet]
""",
    severity=Severity.WARNING,
)


def at(place: Place, tool: str) -> Diagnostic:
    """The name of the tool."""
    return MANUAL.at(
        place,
        f"no agent offers `{tool}`, and no fact or probe reads it",
        help="offer it, or drop it",
    )
