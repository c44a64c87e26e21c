"""E309: agent is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E309",
    title="agent is not defined",
    what="A document refers to a agent that the bundle does not have.",
    why="The fixture would run nothing.",
    wrong="agent: suport-triage",
    right="agent: support-triage",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    names = sorted(set(known))
    return MANUAL.at(
        place,
        f"agent `{name}` is not defined",
        note=f"agents are defined in specs/agents/*.yaml ({len(names)} found)",
        help=did_you_mean(name, names),
    )
