"""A second person for a share of what a rule asks: which calls those are is drawn by a hash, the same at each look.

The session's own key is part of it, which nobody is told: whoever proposes or edits a call can't find out what would be
drawn.  The call counts as it was proposed, so that to edit it, or to propose the same again, draws nothing anew.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from hashlib import sha256

from engine.policy.verdict import Ask, Verdict


def with_second_person(verdict: Verdict, key: str, digest: str) -> Verdict:
    """The verdict with one more person for each ask that is drawn by a session's key and a call as it was proposed."""
    if not any(ask.second for ask in verdict.asks):
        return verdict
    asks = tuple(replace(ask, people=ask.people + 1) if _is_drawn(ask, key, digest) else ask for ask in verdict.asks)
    return replace(verdict, asks=asks)


def _is_drawn(ask: Ask, key: str, digest: str) -> bool:
    """Whether a call is among the share, which is in percent.

    >>> ask = Ask("large", ("leads",), "", "", {}, second=Decimal(25))
    >>> sum(_is_drawn(ask, f"key {n}", "a digest") for n in range(1000))
    250
    """
    drawn = int.from_bytes(sha256(f"{key}/{digest}/{ask.rule}".encode()).digest()[:8], "big")
    return Decimal(drawn) * 100 < ask.second * 2**64
