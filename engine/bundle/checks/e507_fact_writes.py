"""E507: fact is a write."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E507",
    title="fact is a write",
    what="A fact names a tool with `effect: write`, or one that asks a person.",
    why="Facts are read by the runtime, ungated and as often as rules need them.",
    wrong="""\
facts:
  case: {tool: open_refund_case}
""",
    right="""\
facts:
  account: {tool: lookup_billing_account, input: {account_id: input.account_id}}
""",
)


def at(node: Node) -> Diagnostic:
    """The tool."""
    return MANUAL.at(
        node.place, f"a fact can't use `{node.plain}`: facts only read", help="use a tool with `effect: read`"
    )
