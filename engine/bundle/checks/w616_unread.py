"""W616: file is not read."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place, Severity

MANUAL = Manual(
    code="W616",
    title="file is not read",
    what=(
        "A file looks like a document or a prompt, and is none by its place or its name: documents stand in `specs`, "
        "`policies` and `fixtures` and end in `.yaml` or `.yml`, prompts stand in `prompts` and end in `.md.j2`. Other "
        "files whose names begin with a dot are passed over."
    ),
    why="A policy that nobody reads denies nothing.",
    wrong="# policies/refunds.YAML",
    right="# policies/refunds.yaml",
    severity=Severity.WARNING,
)


def at(path: str, help_: str) -> Diagnostic:
    """The file."""
    return MANUAL.at(Place(path), "this file is not read", help=help_)
