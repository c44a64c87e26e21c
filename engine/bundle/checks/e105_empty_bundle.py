"""E105: bundle is empty."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E105",
    title="bundle is empty",
    what="The directory has no YAML document under specs/, policies/ or fixtures/, or no agent among them; "
    "or a file there holds nothing.",
    why="An engine that runs nothing without a word looks like one that works.",
    wrong="# a directory without specs/agents/*.yaml",
    right="""\
# specs/agents/support.yaml
kind: Agent
name: support
""",
)


def at(place: Place, message: str) -> Diagnostic:
    """The bundle's directory, or an empty file."""
    return MANUAL.at(place, message, help="`engine init DIR` makes a bundle to start from")
