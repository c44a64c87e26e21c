"""Business meters: what a call would add is reserved before it starts, and given back if it never happened.

A meter of the session alone is judged here; one that sessions share is judged by the store, in the append
that starts the call.
"""

from __future__ import annotations

from typing import Any

from engine.language.arithmetic import EvaluationError, add, is_number
from engine.language.value import number_text, timestamp
from engine.session.decide.budgets import block_by_limit
from engine.session.decide.draft import Draft
from engine.session.shared_meters import meter_key
from engine.session.state.event import EventKind
from engine.session.state.state import Call, MeterTotals, ResultStatus
from engine.spec.bundle import Meter


def reserve(draft: Draft, call: Call) -> list[dict[str, Any]] | None:
    """What the call reserves, an entry for each meter; None after saying why it can't start."""
    refused = draft.state.full.get(call.id)
    if refused is not None:
        _full(draft, call, refused["meter"], refused["used"], refused["limit"])
        return None
    found: list[dict[str, Any]] = []
    for meter in draft.agent.meters:
        if call.name not in meter.amount:
            continue
        try:
            entry = _entry(draft, call, meter)
        except EvaluationError:
            draft.result(call, ResultStatus.BLOCKED, "meter_error", f"meter {meter.name} has no amount for this input")
            return None
        # what it had taken before it never began is taken anew
        used = draft.state.used.meters.get(meter.name, MeterTotals()).without(call.id, happened=False).total
        if not meter.per and add(used, entry["amount"]) > entry["limit"]:
            _full(draft, call, meter.name, used, entry["limit"])
            return None
        found.append(entry)
    return found


def _entry(draft: Draft, call: Call, meter: Meter) -> dict[str, Any]:
    names = {"input": call.input, "session": draft.state.attributes}
    amount = meter.amount[call.name].value(names)
    if not is_number(amount) or amount < 0:
        raise EvaluationError("what a call adds must be a number that is not negative")
    entry: dict[str, Any] = {"meter": meter.name, "amount": amount, "limit": draft.state.limits.meters[meter.name]}
    if meter.per:
        since = timestamp(draft.at - meter.window) if meter.window is not None else None
        entry |= {"key": meter_key(draft.state, meter, call), "since": since}
    return entry


def _full(draft: Draft, call: Call, meter: str, used: Any, limit: Any) -> None:
    name = f"meters.{meter}"
    draft.emit(
        EventKind.LIMIT_CROSSED,
        limit=name,
        used=used,
        allowed=limit,
        crossing=draft.state.limits.crossed_by(name),
        tool=call.name,
    )
    text = f"{meter} has {number_text(used)} of {number_text(limit)}, and this would go beyond"
    block_by_limit(draft, call, name, "meter_full", text)
