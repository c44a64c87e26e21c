"""E311: database is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E311",
    title="database is not defined",
    what="A document refers to a database that the bundle does not have.",
    why="The tool would have nothing to act on.",
    wrong="database: biling",
    right="database: billing",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    names = sorted(set(known))
    return MANUAL.at(
        place,
        f"database `{name}` is not defined",
        note=f"databases are defined in specs/databases/*.yaml ({len(names)} found)",
        help=did_you_mean(name, names),
    )
