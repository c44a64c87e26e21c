"""E305: name is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E305",
    title="name is not defined",
    what="A document refers to a name that the bundle does not have.",
    why="A condition that reads nothing is an error at every call; better here than there.",
    wrong="when: acount.verified",
    right="when: account.verified",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    names = sorted(set(known))
    return MANUAL.at(
        place,
        f"name `{name}` is not defined",
        note=f"which names there are depends on where the expression stands ({len(names)} here)",
        help=did_you_mean(name, names),
    )
