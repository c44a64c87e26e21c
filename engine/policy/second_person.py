"""A second person for a share of what a rule asks: which calls those are is drawn by a hash, the same at each look.

The session's id is part of it, which nobody chooses: what would be drawn can't be found by trying inputs.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from hashlib import sha256

from engine.policy.verdict import Ask, Verdict


def with_second_person(verdict: Verdict, session_id: str, call_id: str) -> Verdict:
    """The verdict with one more person for each ask that is drawn."""
    if not any(ask.second for ask in verdict.asks):
        return verdict
    asks = tuple(
        replace(ask, people=ask.people + 1) if _is_drawn(ask, session_id, call_id) else ask for ask in verdict.asks
    )
    return replace(verdict, asks=asks)


def _is_drawn(ask: Ask, session_id: str, call_id: str) -> bool:
    """Whether a call is among the share, which is in percent.

    >>> ask = Ask("large", ("leads",), "", "", {}, second=Decimal(25))
    >>> sum(_is_drawn(ask, f"ses_{n}", "call-1-1") for n in range(1000))
    224
    """
    drawn = int.from_bytes(sha256(f"{session_id}/{call_id}/{ask.rule}".encode()).digest()[:8], "big")
    return Decimal(drawn) * 100 < ask.second * 2**64
