"""E512: write to a derived database."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E512",
    title="write to a derived database",
    what="A tool with `effect: write` acts on a database that is derived from the bundle's content.",
    why="A derived database is made anew whenever the content changes; what was written would be lost.",
    wrong="""\
kind: Database
name: help
derived: true  # and a write tool uses it
""",
    right="""\
kind: Database
name: tickets
""",
)


def at(node: Node) -> Diagnostic:
    """The database in the tool."""
    return MANUAL.at(node.place, f"database `{node.plain}` is derived and can't be written to")
