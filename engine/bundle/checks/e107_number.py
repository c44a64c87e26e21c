"""E107: number can't be held."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E107",
    title="number can't be held",
    what="A number is infinite, not a number, or has more than 60 digits.",
    why=(
        "Numbers are exact decimals here: money is never rounded behind your back, so there is no infinity to round to."
    ),
    wrong="refund_threshold_usd: .inf",
    right="refund_threshold_usd: 250",
)


def at(node: Node, problem: str) -> Diagnostic:
    """The number."""
    return MANUAL.at(node.place, problem, help="for no limit at all write `unlimited` where it is allowed")
