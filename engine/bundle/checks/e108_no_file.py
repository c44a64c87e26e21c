"""E108: file can't be read."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E108",
    title="file can't be read",
    what=(
        "A document names a file of the bundle that does not exist or can't be read; or a document, a prompt or a "
        "folder of them is there and can't be: you may not read it, it is a link that leads nowhere, no plain file, "
        "or too large."
    ),
    why="The file is part of what the bundle's digest vouches for.",
    wrong="init: [specs/databases/biling.sql]",
    right="init: [specs/databases/billing.sql]",
)


def at(node: Node, why: str, path: str = "") -> Diagnostic:
    """The path as it is written, or one that it matches."""
    return MANUAL.at(node.place, f"file `{path or node.value}` can't be read: {why}")


def missing_file(place: Place, why: str) -> Diagnostic:
    """A document, a prompt or a folder of them that is there."""
    return MANUAL.at(place, f"this can't be read: {why}", help="mend it, or take it out of the bundle")
