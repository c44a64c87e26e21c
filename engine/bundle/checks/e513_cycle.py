"""E513: words that need each other."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E513",
    title="words that need each other",
    what="A let or a fact needs itself, directly or through others.",
    why="It has no value: each waits for the other.",
    wrong="""\
let:
  a: b > 1
  b: 1 if a else 2
""",
    right="""\
let:
  b: len(messages)
  a: b > 1
""",
)


def at(place: Place, names: list[str]) -> Diagnostic:
    """The word at which the circle closes."""
    chain = " -> ".join(f"`{name}`" for name in names)
    return MANUAL.at(place, f"{chain} need each other")
