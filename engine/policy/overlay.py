"""Two verdicts on one call, of the bundle that a session stands under and of an urgent one beside it: the stricter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from engine.policy.approvals import Demand
from engine.policy.flip_names import NOT_OFFERED
from engine.policy.rule import Effect
from engine.policy.verdict import Ask, Verdict


def stricter(own: Verdict, overlay: Verdict) -> Verdict:
    """The verdict that holds: a deny of either; and if either asks, everybody is asked whom one of them asks."""
    if own.effect is Effect.DENY:
        return own
    if overlay.effect is Effect.DENY:
        return overlay
    asks = list(own.asks)
    for ask in overlay.asks:
        _add(asks, ask)
    if tuple(asks) == own.asks:
        return own
    first = own if own.effect is Effect.REQUIRE_APPROVAL else overlay
    judged = own.judged if first is own else overlay.judged
    return replace(first, asks=tuple(asks), judged=judged, policy_error=own.policy_error or overlay.policy_error)


def _add(asks: list[Ask], ask: Ask) -> None:
    """Ask for one more thing: of the same rule the stricter ask stands, and both where neither is."""
    for at, other in enumerate(asks):
        if ask.rule == other.rule and _plain(other).within(_plain(ask)):
            asks[at] = _as_strict_as(other, ask)
            return
        if ask.rule == other.rule and _plain(ask).within(_plain(other)):
            asks[at] = _as_strict_as(ask, other)
            return
    asks.append(_apart(ask, asks))


def _plain(ask: Ask) -> Demand:
    """Who has to say yes, and how many."""
    return replace(ask.demand, note=False, second=Decimal(0), settle_delay=timedelta(0))


def _as_strict_as(ask: Ask, other: Ask) -> Ask:
    """An ask whose yes says why, takes a second person, and counts after a while, where that of the other does."""
    delay = max(ask.settle_delay, other.settle_delay)
    return replace(ask, note=ask.note or other.note, second=max(ask.second, other.second), settle_delay=delay)


def _apart(ask: Ask, own: Sequence[Ask]) -> Ask:
    """An ask whose rule's name is another's too: a yes to that one is none to this."""
    taken = {other.rule for other in own}
    name = ask.rule
    while name in taken:
        name = f"{name} (urgent)"
    return replace(ask, rule=name)


def not_offered(tool: str) -> Verdict:
    """What an urgent bundle says whose agent does not have the tool any more."""
    return Verdict(Effect.DENY, NOT_OFFERED, f"the newest policies offer {tool} no more", None, (), (), False)
