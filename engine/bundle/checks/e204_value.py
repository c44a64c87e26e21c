"""E204: value is none of the known ones."""

from __future__ import annotations

from collections.abc import Iterable

from engine.bundle.foreign_words import word_instead
from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E204",
    title="value is none of the known ones",
    what="A value has to be one of a few words, and is another.",
    why="A word that the engine does not know can't be enforced.",
    wrong="effect: wirte",
    right="effect: write",
)


def at(node: Node, what: str, known: Iterable[str]) -> Diagnostic:
    """The value."""
    return MANUAL.at(node.place, f"`{node.plain}` is no `{what}`", help=word_instead(str(node.plain), known))
