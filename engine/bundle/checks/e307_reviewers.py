"""E307: group of reviewers is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E307",
    title="group of reviewers is not defined",
    what="A document refers to a group of reviewers that the bundle does not have.",
    why="A question that is asked of nobody is never answered.",
    wrong="approvers: [refund-reviewer]",
    right="approvers: [refund-reviewers]",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    names = sorted(set(known))
    return MANUAL.at(
        place,
        f"group of reviewers `{name}` is not defined",
        note=f"groups are defined by documents of kind Reviewers ({len(names)} found)",
        help=did_you_mean(name, names),
    )
