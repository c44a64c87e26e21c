"""E103: key stands twice."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E103",
    title="key stands twice",
    what="A map has the same key twice.",
    why=("Most YAML readers keep the last one in silence, so that the policy you read is not the policy that runs."),
    wrong="""\
effect: allow
effect: deny
""",
    right="effect: deny",
)


def at(key: Node) -> Diagnostic:
    """The second of the two."""
    return MANUAL.at(key.place, f"key `{key.value}` stands twice in one map", help="remove one of them")
