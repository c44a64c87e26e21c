"""E510: rule has two conditions."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E510",
    title="rule has two conditions",
    what="A rule has both `when` and `unless`.",
    why="`unless` is the positive sentence of a deny; together they are easily read the wrong way.",
    wrong="- {id: r, tools: writes, effect: deny, when: a, unless: b}",
    right="- {id: r, tools: writes, effect: deny, when: a and not b}",
)


def at(node: Node) -> Diagnostic:
    """The second condition."""
    return MANUAL.at(node.place, "a rule has `when` or `unless`, not both", help="join them with `and not`")
