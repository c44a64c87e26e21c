"""W618: this says something else."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W618",
    title="this says something else",
    what=(
        "Something has a meaning, and probably not the one that was meant: text is put in order letter by letter, "
        "not as a date; two constants are held against each other; a pattern of `glob` is written as a regular "
        "expression; a text such as `{input.order_id}` or `$API_KEY` stands as it is written, as only "
        "`{{ input.order_id }}` and `${secret:API_KEY}` are filled in, and so does `':order_id'` in SQL; a value is "
        "compared with itself; a text in quotes is the path of a value; small letters of `lower` are compared with "
        "capitals; a word is looked for among whole messages; a constant is asked where it comes from."
    ),
    why="`'2026-01-01T01:00:00+02:00'` comes behind `'2026-01-01T00:30:00Z'` as text, and before it as a moment.",
    wrong="when: input.created_at > '2026-01-01'",
    right="when: datetime(input.created_at) > datetime('2026-01-01')",
    severity=Severity.WARNING,
)


def at(place: Place, message: str, help_: str) -> Diagnostic:
    """The comparison, or the part of a text."""
    return MANUAL.at(place, message, help=help_)
