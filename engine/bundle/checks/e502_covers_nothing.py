"""E502: policy covers no tool."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E502",
    title="policy covers no tool",
    what="No rule of a policy covers a tool, or none that the agent has.",
    why="A policy that never judges looks like protection and is none.",
    wrong="""\
rules:
  - id: nothing
    tools: []
    effect: deny
""",
    right="""\
rules:
  - id: no-refunds
    tools: [open_refund_case]
    effect: deny
""",
)


def at(node: Node, policy: str, whose: str) -> Diagnostic:
    """The policy's name, or the agent's reference to it."""
    return MANUAL.at(node.place, f"policy `{policy}` covers no tool of {whose}")
