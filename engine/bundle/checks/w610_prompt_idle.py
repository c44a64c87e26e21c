"""W610: prompt, or a variable of it, is not used."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W610",
    title="prompt, or a variable of it, is not used",
    what="A prompt that no agent names, or a variable that a prompt sets and never reads.",
    why="Its author believes that a model is told this.",
    wrong="""\
{% set tone = 'kind' %}
You answer customers.
""",
    right="""\
{% set tone = 'kind' %}
You answer customers, and are {{ tone }}.
""",
    severity=Severity.WARNING,
)


def at(place: Place, what: str) -> Diagnostic:
    """The prompt's file, or the variable."""
    return MANUAL.at(
        place,
        f"{what} is not used",
        help="use it, or drop it",
    )
