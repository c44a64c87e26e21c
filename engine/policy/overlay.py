"""Two verdicts on one call, of the bundle that a session stands under and of an urgent one beside it: the stricter."""

from __future__ import annotations

from dataclasses import replace

from engine.policy.flip_names import NOT_OFFERED
from engine.policy.rule import Effect
from engine.policy.verdict import Ask, Verdict


def stricter(own: Verdict, overlay: Verdict) -> Verdict:
    """The verdict that holds: a deny of either; and if either asks, everybody is asked whom one of them asks."""
    if own.effect is Effect.DENY:
        return own
    if overlay.effect is Effect.DENY:
        return overlay
    further = tuple(_apart(ask, own.asks) for ask in overlay.asks if not _asks_already(ask, own.asks))
    if not further:
        return own
    first = own if own.effect is Effect.REQUIRE_APPROVAL else overlay
    judged = own.judged if first is own else overlay.judged
    return replace(
        first, asks=(*own.asks, *further), judged=judged, policy_error=own.policy_error or overlay.policy_error
    )


def _asks_already(ask: Ask, own: tuple[Ask, ...]) -> bool:
    """Whether the same people are asked for the same rule already."""
    return any(ask.rule == other.rule and ask.demand == other.demand for other in own)


def _apart(ask: Ask, own: tuple[Ask, ...]) -> Ask:
    """An ask whose rule's name is another's too: a yes to that one is none to this."""
    taken = {other.rule for other in own}
    name = ask.rule
    while name in taken:
        name = f"{name} (urgent)"
    return replace(ask, rule=name)


def not_offered(tool: str) -> Verdict:
    """What an urgent bundle says whose agent does not have the tool any more."""
    return Verdict(Effect.DENY, NOT_OFFERED, f"the newest policies offer {tool} no more", None, (), (), False)
