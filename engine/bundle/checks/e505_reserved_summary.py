"""E505: summary field has a reserved name."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E505",
    title="summary field has a reserved name",
    what="A tool's `summary` shows a field whose name every entry of a trace already has.",
    why="In the trace the field would stand in the place of the result's own.",
    wrong="summary: [status]",
    right="summary: [case_status]",
)


def at(node: Node) -> Diagnostic:
    """The field."""
    return MANUAL.at(
        node.place, f"summary field `{node.plain}` has a reserved name", help="call the output's field otherwise"
    )
