"""E207: unknown kind of document."""

from __future__ import annotations

from collections.abc import Iterable

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, did_you_mean

MANUAL = Manual(
    code="E207",
    title="unknown kind of document",
    what="A document does not say what it is, or says something unknown.",
    why="The kind decides which schema and which rules a document is held to.",
    wrong="""\
kind: Tol
name: search_docs
""",
    right="""\
kind: Tool
name: search_docs
""",
)


def at(node: Node, found: str | None, known: Iterable[str]) -> Diagnostic:
    """The kind, or the document without one."""
    if found is not None:
        return MANUAL.at(node.place, f"`{found}` is no kind of document", help=did_you_mean(found, known))
    kinds = ", ".join(f"`{kind}`" for kind in sorted(known))
    return MANUAL.at(node.place, "document has no `kind`", help=f"write `kind`, one of {kinds}")
