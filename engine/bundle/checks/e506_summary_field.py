"""E506: summary field is not in the output."""

from __future__ import annotations

from collections.abc import Iterable

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, did_you_mean

MANUAL = Manual(
    code="E506",
    title="summary field is not in the output",
    what="A tool's `summary` shows a field that its output schema does not have.",
    why="The trace would never show it.",
    wrong="summary: [machtes]",
    right="summary: [matches]",
)


def at(node: Node, known: Iterable[str]) -> Diagnostic:
    """The field."""
    return MANUAL.at(node.place, f"the output has no field `{node.plain}`", help=did_you_mean(str(node.plain), known))
