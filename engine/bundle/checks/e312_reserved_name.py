"""E312: name is reserved."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E312",
    title="name is reserved",
    what="A fact, a let or a group of reviewers, has a name that the engine itself uses.",
    why="`input` must always be the call's input, and `customer` the customer's own yes.",
    wrong="""\
facts:
  input: {tool: lookup_billing_account}
""",
    right="""\
facts:
  account: {tool: lookup_billing_account}
""",
)


def at(node: Node, what: str) -> Diagnostic:
    """The name."""
    return MANUAL.at(node.place, f"{what} can't be called `{node.plain}`: the engine uses that name itself")
