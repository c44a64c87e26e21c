"""E304: prompt is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E304",
    title="prompt is not defined",
    what="A document refers to a prompt that the bundle does not have.",
    why="Without its prompt a model would be asked something else than what was reviewed.",
    wrong="prompt: suport",
    right="prompt: support",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    names = sorted(set(known))
    return MANUAL.at(
        place,
        f"prompt `{name}` is not defined",
        note=f"prompts are the files prompts/*.md.j2 ({len(names)} found)",
        help=did_you_mean(name, names),
    )
