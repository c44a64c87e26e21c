"""E308: outcome is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E308",
    title="outcome is not defined",
    what="A document refers to a outcome that the bundle does not have.",
    why="A fixture that expects what can never come tests nothing.",
    wrong="expect: {outcome: case_opend}",
    right="expect: {outcome: case_opened}",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    names = sorted(set(known))
    return MANUAL.at(
        place,
        f"outcome `{name}` is not defined",
        note=f"outcomes are declared under the agent's `stop` ({len(names)} found)",
        help=did_you_mean(name, names),
    )
