"""E306: param is not defined."""

from __future__ import annotations

from engine.diagnostic import Diagnostic, Manual, Place

MANUAL = Manual(
    code="E306",
    title="param is not defined",
    what="A document refers to a param that the bundle does not have.",
    why="The threshold lives in `params`, once; a misspelt one would never be compared.",
    wrong="when: input.amount_usd > params.refund_treshold_usd",
    right="when: input.amount_usd > params.refund_threshold_usd",
)


def at(place: Place, name: str, defined: int, help_: str) -> Diagnostic:
    """The reference, and how many params there are."""
    note = f"params are defined at the top of the policy ({defined} found)"
    return MANUAL.at(place, f"param `{name}` is not defined", note=note, help=help_)
