"""E519: rule covers no tool."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E519",
    title="rule covers no tool",
    what=("A rule's `tools` are empty: none is listed, all of them are excepted, or the bundle has none of that kind."),
    why="A rule that judges nothing looks like protection and is none.",
    wrong="""\
rules:
  - {id: no-refunds, tools: [refund_order], except: [refund_order], effect: deny}
""",
    right="""\
rules:
  - {id: no-refunds, tools: [refund_order], effect: deny}
""",
)


def at(node: Node, rule: str) -> Diagnostic:
    """The rule's `tools`."""
    return MANUAL.at(
        node.place, f"rule `{rule}` covers no tool of the bundle", help="name a tool, or drop the rule", on_entry=True
    )
