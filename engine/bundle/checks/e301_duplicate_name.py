"""E301: name is taken."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E301",
    title="name is taken",
    what="Two documents of one kind, or two rules of the bundle, have the same name.",
    why="A log that says `verified-refund` has to mean one thing.",
    wrong="""\
kind: Tool
name: search_docs   # also the name in specs/tools/search.yaml
""",
    right="""\
kind: Tool
name: search_articles
""",
)


def at(node: Node, what: str, other: Place) -> Diagnostic:
    """The second of the two."""
    return MANUAL.at(node.place, f"{what} `{node.plain}` is defined twice".strip(), note=f"first defined at {other}")
