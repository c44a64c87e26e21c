"""E203: missing key."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E203",
    title="missing key",
    what="A map lacks a key that it must have.",
    why="What decides over a run is written down, not assumed.",
    wrong="""\
kind: Tool
name: search_docs
effect: read
""",
    right="""\
kind: Tool
name: search_docs
description: Searches the help articles
effect: read
""",
)


def at(node: Node, key: str) -> Diagnostic:
    """The map that lacks it, shown by its first key."""
    return MANUAL.at(node.place, f"key `{key}` is missing here", help=f"add `{key}: ...`")
