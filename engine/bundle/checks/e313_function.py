"""E313: function is not in the file."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E313",
    title="function is not in the file",
    what="A python tool names a function that its file does not define, or the file is not Python.",
    why="The file is part of the bundle, so that this can be known before the first call.",
    wrong="adapter: {kind: python, file: specs/tools/tax.py, function: ad}",
    right="adapter: {kind: python, file: specs/tools/tax.py, function: add}",
)


def at(place: Place, problem: str, help_: str = "") -> Diagnostic:
    """The file or the function."""
    return MANUAL.at(place, problem, help=help_)
