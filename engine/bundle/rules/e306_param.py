"""E306: param is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E306",
    title="param is not defined",
    what="A document refers to a param that the bundle does not have.",
    why="The threshold lives in `params`, once; a misspelt one would never be compared.",
    wrong="when: input.amount_usd > params.refund_treshold_usd",
    right="when: input.amount_usd > params.refund_threshold_usd",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    names = sorted(set(known))
    return MANUAL.at(
        place,
        f"param `{name}` is not defined",
        note=f"params are defined at the top of the policy ({len(names)} found)",
        help=did_you_mean(name, names),
    )
