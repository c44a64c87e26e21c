"""E208: no JSON Schema."""

from __future__ import annotations

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual

MANUAL = Manual(
    code="E208",
    title="no JSON Schema",
    what=(
        "A tool's `input` or `output`, or an agent's `attributes`, is not a JSON Schema (2020-12), is not about an "
        "object, refers to something outside itself or in a circle, or holds a pattern that no engine matches in "
        "linear time, a misspelt keyword or a form of an older dialect."
    ),
    why=(
        "Inputs are checked before a tool runs and outputs before anybody sees them; a schema that "
        "says nothing checks nothing."
    ),
    wrong="""\
input:
  type: objekt
""",
    right="""\
input:
  type: object
  properties:
    query: {type: string}
  required: [query]
""",
)


def at(node: Node, problem: str) -> Diagnostic:
    """The guilty part of the schema."""
    return MANUAL.at(node.place, f"this is no usable JSON Schema: {problem}")


def on_entry(node: Node, problem: str) -> Diagnostic:
    """A part that was let through once, and is checked by nothing or in no bounded time."""
    return MANUAL.at(node.place, f"this is no usable JSON Schema: {problem}", on_entry=True)
