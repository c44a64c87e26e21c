"""E517: tool is offered to the runtime only."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E517",
    title="tool is offered to the runtime only",
    what="An agent lists a tool that only facts may use.",
    why="`offered_to: runtime` keeps it from the planner; listing it would undo that.",
    wrong="""\
tools: [check_confirmation_token]   # offered_to: runtime
""",
    right="""\
tools: [change_billing_email]
""",
)


def at(place: Place, tool: str) -> Diagnostic:
    """The tool in the list."""
    return MANUAL.at(place, f"tool `{tool}` is offered to the runtime only", help="facts use it without being listed")
