"""E201: unknown key."""

from __future__ import annotations

from collections.abc import Iterable

from engine.bundle.foreign_words import key_instead
from engine.bundle.node import Node
from engine.bundle.yaml_help import COMMA, is_cut
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


MERGE = "<<"


def at(key: Node, known: Iterable[str], present: Iterable[str] = ()) -> Diagnostic:
    """The key, and those that stand beside it."""
    known, text = set(known), str(key.value)
    ours = key_instead(text, known, present)
    if text == MERGE:
        help_ = "merge keys are not part of YAML 1.2: write the keys out, or give what is shared a name under `let`"
    elif is_cut(text):
        help_ = COMMA
    else:
        help_ = f"write `{ours}`" if ours else did_you_mean(text, known - set(present) or known)
    return MANUAL.at(key.place, f"key `{key.value}` is not known here", help=help_)
