"""E315: rule is not defined."""

from __future__ import annotations

from collections.abc import Iterable

from engine.diagnostic import Diagnostic, Manual, Place, did_you_mean

MANUAL = Manual(
    code="E315",
    title="rule is not defined",
    what="A fixture expects a rule to decide that no policy has.",
    why="The expectation can never hold, or holds for a reason that nobody meant.",
    wrong="calls: [{tool: open_refund_case, rule: refund-treshold}]",
    right="calls: [{tool: open_refund_case, rule: refund-threshold}]",
)


def at(place: Place, name: str, known: Iterable[str]) -> Diagnostic:
    """The reference."""
    return MANUAL.at(place, f"rule `{name}` is not defined", help=did_you_mean(name, set(known)))
