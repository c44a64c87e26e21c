"""E408: template does not parse."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E408",
    title="template does not parse",
    what=(
        "A prompt is not a Jinja template, takes something from another one or divides by zero, or a text has `{{` "
        "without `}}`."
    ),
    why="It would fail at the first use.",
    wrong="You help {{ session.tenant }.",
    right="You help {{ session.tenant }}.",
)


def at(place: Place, problem: str) -> Diagnostic:
    """The line."""
    return MANUAL.at(place, f"template does not parse: {problem}")


def on_entry(place: Place, problem: str) -> Diagnostic:
    """The line of what fails whenever it is rendered, which was let through once."""
    return MANUAL.at(place, f"this can't be rendered: {problem}", on_entry=True)
