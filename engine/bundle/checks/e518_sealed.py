"""E518: sensitive values have no key."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E518",
    title="sensitive values have no key",
    what="A schema marks values `x-sensitive`, and the agent names no key to store them under.",
    why="Without a key they would be stored as they are.",
    wrong="attributes:\n  properties:\n    iban: {type: string, x-sensitive: true}",
    right="sealed_with: ${secret:SEAL_KEY}\nattributes:\n  properties:\n    iban: {type: string, x-sensitive: true}",
)


def at(node: Node, agent: str, where: str) -> Diagnostic:
    """The agent's name."""
    return MANUAL.at(
        node.place,
        f"agent `{agent}` has no key for the sensitive values of {where}",
        help="name one: `sealed_with: ${secret:SEAL_KEY}`",
    )
