"""What a planner is told of its budget when little of it is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.session.endings import seconds
from engine.session.state import State

NEARLY = Decimal("0.8")


@dataclass(frozen=True, slots=True)
class Notice:
    """A limit of which at least four fifths are used; times in seconds."""

    limit: str
    used: Any
    allowed: Any
    left: Any


def notices(state: State) -> tuple[Notice, ...]:
    """The limits that a session has nearly used up, in the order of the documents."""
    found = (Notice(name, used, allowed, max(allowed - used, 0)) for name, used, allowed in _limits(state))
    return tuple(notice for notice in found if notice.used >= NEARLY * notice.allowed)


def _limits(state: State) -> Iterator[tuple[str, Any, Any]]:
    used, limits = state.used, state.limits
    counted = [
        ("steps", used.steps, limits.steps),
        ("wall_clock", seconds(used.active), None if limits.wall_clock is None else seconds(limits.wall_clock)),
        ("calls", used.calls, limits.calls),
        *((f"calls_per_tool.{tool}", n, limits.per_tool(tool)) for tool, n in sorted(used.calls_per_tool.items())),
        ("fact_reads", used.fact_reads, limits.fact_reads),
        ("retries_per_session", used.retries, limits.retries_per_session),
        ("model_tokens", used.model_tokens, limits.model_tokens),
        ("model_cost_usd", used.model_cost_usd, limits.model_cost_usd),
        ("repairs", used.repairs, limits.repairs),
        *((f"meters.{name}", used.meter(name), limit) for name, limit in limits.meters.items()),
    ]
    yield from ((name, spent, allowed) for name, spent, allowed in counted if allowed)
