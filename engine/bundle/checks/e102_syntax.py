"""E102: YAML can't be read."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, SourceFile

MANUAL = Manual(
    code="E102",
    title="YAML can't be read",
    what="The text is not YAML 1.2, nests deeper than 50 levels, holds two documents, or uses a tag.",
    why="What can't be read can't be checked. The other files of the bundle are still checked.",
    wrong="""\
kind: Tool
name: [search_docs
""",
    right="""\
kind: Tool
name: search_docs
""",
)


def at(source: SourceFile, start: int, end: int, problem: str, help_: str = "") -> Diagnostic:
    """The characters at which reading stopped."""
    return MANUAL.at(source.place(start, end), f"YAML can't be read: {problem}", help=help_)
