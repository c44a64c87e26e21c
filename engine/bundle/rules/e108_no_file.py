"""E108: file can't be read."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E108",
    title="file can't be read",
    what="A document names a file of the bundle that does not exist or can't be read.",
    why="The file is part of what the bundle's digest vouches for.",
    wrong="init: [specs/databases/biling.sql]",
    right="init: [specs/databases/billing.sql]",
)


def at(node: Node, why: str) -> Diagnostic:
    """The path as it is written."""
    return MANUAL.at(node.place, f"file `{node.value}` can't be read: {why}")
