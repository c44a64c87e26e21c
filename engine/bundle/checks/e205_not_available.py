"""E205: not available in this version."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E205",
    title="not available in this version",
    what=("The document uses a part of the language or of a document that this version does not enforce yet."),
    why=("Accepted and ignored would be worse than refused: you would believe in a guard that is not there."),
    wrong="retry: {attempts: 3}",
    right="# leave it out until a version enforces it",
)


def at(place: Place, message: str) -> Diagnostic:
    """What is used."""
    return MANUAL.at(place, message, help="remove it: this version would not enforce it")
