"""What people are told when their act is not recorded says nothing of what others did."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.ports.records import AppendResult, Conflict, ExpiredKey, Fenced, FullMeter, HeldKey
from engine.runtime.errors import not_recorded

KEY = '["acme","pay","python:"]:["CANARY-KEY"]'
HELD = HeldKey(KEY, "in_flight", {"iban": "CANARY-OUTPUT"}, "ses_1/call-1", {"to": "CANARY-FIELD"})


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (HELD, "held (in flight) by a call of session ses_1"),
        (ExpiredKey(KEY, 2), "have expired meanwhile"),
        (FullMeter("ses_1/call-1", "usd", Decimal("9.5"), 10), "beyond the meter usd: 9.5 of 10 are used"),
        (Conflict(3), "try it again"),
        (Fenced(3), "try it again"),
    ],
    ids=["held", "expired", "full", "conflict", "fenced"],
)
def test_why_an_act_is_not_recorded_holds_no_value(result: AppendResult, says: str) -> None:
    error = not_recorded(result)
    assert (error.reason, says in str(error)) == ("taken", True), str(error)
    assert "CANARY" not in str(error)
