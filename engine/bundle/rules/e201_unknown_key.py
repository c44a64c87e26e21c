"""E201: unknown key."""

from __future__ import annotations

from collections.abc import Iterable

from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, Manual, did_you_mean

MANUAL = Manual(
    code="E201",
    title="unknown key",
    what="A key is not known at this place of this kind of document.",
    why="A misspelt key that is quietly ignored is a limit that does not hold.",
    wrong="""\
budgets:
  step: 8
""",
    right="""\
budgets:
  steps: 8
""",
)


def at(key: Node, known: Iterable[str]) -> Diagnostic:
    """The key."""
    return MANUAL.at(key.place, f"key `{key.value}` is not known here", help=did_you_mean(str(key.value), known))
