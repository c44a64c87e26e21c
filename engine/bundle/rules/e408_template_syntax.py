"""E408: template does not parse."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E408",
    title="template does not parse",
    what="A prompt is not a Jinja template, or a text has `{{` without `}}`.",
    why="It would fail at the first use.",
    wrong="You help {{ session.tenant }.",
    right="You help {{ session.tenant }}.",
)


def at(place: Place, problem: str) -> Diagnostic:
    """The line."""
    return MANUAL.at(place, f"template does not parse: {problem}")
