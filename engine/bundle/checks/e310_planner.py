"""E310: planner is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E310",
    title="planner is not defined",
    what="A document refers to a planner that the bundle does not have.",
    why="Nobody would propose the next step.",
    wrong="planner: primry",
    right="planner: primary",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    names = sorted(set(known))
    return MANUAL.at(
        place,
        f"planner `{name}` is not defined",
        note=f"planners are defined under the agent's `planners` ({len(names)} found)",
        help=did_you_mean(name, names),
    )
