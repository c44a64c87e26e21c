"""E316: server is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E316",
    title="server is not defined",
    what="A document refers to a server of the Model Context Protocol that the bundle does not have.",
    why="The tool would have nothing to act on.",
    wrong="server: filez",
    right="server: files",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    names = sorted(set(known))
    return MANUAL.at(
        place,
        f"server `{name}` is not defined",
        note=f"servers are documents of `kind: Server` ({len(names)} found)",
        help=did_you_mean(name, names),
    )
