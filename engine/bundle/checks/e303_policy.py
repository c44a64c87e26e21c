"""E303: policy is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E303",
    title="policy is not defined",
    what="A document refers to a policy that the bundle does not have.",
    why="A policy that is not there protects nothing.",
    wrong="policies: [refund]",
    right="policies: [refunds]",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    names = sorted(set(known))
    return MANUAL.at(
        place,
        f"policy `{name}` is not defined",
        note=f"policies are defined in policies/*.yaml ({len(names)} found)",
        help=did_you_mean(name, names),
    )
