"""W617: silence does not hold."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, Severity, did_you_mean

MANUAL = Manual(
    code="W617",
    title="silence does not hold",
    what=(
        "A comment that silences a warning silences none: the warning is not said on its line, it gives no reason, or "
        "its code is none of a warning. A warning is silenced by a comment on its line, or alone on the line before: "
        "`# engine: allow CODE because REASON`; in a prompt by `{# engine: allow CODE because REASON #}`. "
        "Errors can't be silenced."
    ),
    why="A silence that nothing needs will hide the next warning, and one without a reason nobody can judge.",
    wrong="tools: [find_order]  # engine: allow W601",
    right="tools: [a, b, c, d, e, f, g, h, i]  # engine: allow W601 because the desk has that many forms",
    severity=Severity.WARNING,
)


def at(place: Place, message: str, help_: str) -> Diagnostic:
    """The comment."""
    return MANUAL.at(place, message, help=help_)


def unknown(place: Place, code: str, known: Iterable[str]) -> Diagnostic:
    """A code that there is not."""
    return at(place, f"there is no diagnostic {code}", did_you_mean(code, [one for one in known if one[0] == "W"]))
