"""W602: tools have nearly the same name."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, Severity

MANUAL = Manual(
    code="W602",
    title="tools have nearly the same name",
    what="Two tools of an agent differ in a letter or two, or only in how words are joined.",
    why="A model picks the wrong one, and so does a reviewer.",
    wrong="tools: [open_refund_case, open_refund_cases]",
    right="tools: [open_refund_case, list_refund_cases]",
    severity=Severity.WARNING,
)


def at(node: Node, other: str) -> Diagnostic:
    """The second of the two."""
    return MANUAL.at(
        node.place, f"tools `{other}` and `{node.plain}` have nearly the same name", help="rename one of them"
    )
