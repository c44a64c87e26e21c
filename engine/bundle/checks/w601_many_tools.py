"""W601: agent has many tools."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, Severity

MANUAL = Manual(
    code="W601",
    title="agent has many tools",
    what="An agent is offered more than eight tools, or more than `engine validate --many-tools` says.",
    why="Models choose worse among many tools, and each is one more thing that can be called by mistake.",
    wrong="tools: [a, b, c, d, e, f, g, h, i]",
    right="# two agents with the tools that each one needs",
    severity=Severity.WARNING,
)


def at(node: Node, count: int, most: int) -> Diagnostic:
    """The list of tools."""
    return MANUAL.at(node.place, f"the agent has {count} tools, more than {most}", help="split the agent")
