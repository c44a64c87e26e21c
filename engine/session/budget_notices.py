"""What a planner is told of its budget when little of it is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engine.session.decide.endings import seconds
from engine.session.state.state import State
from engine.spec.limits import LIMITS, Form


@dataclass(frozen=True, slots=True)
class Notice:
    """A limit of which at least four fifths are used; times in seconds."""

    limit: str
    used: Any
    allowed: Any
    remaining: Any


def notices(state: State) -> tuple[Notice, ...]:
    """The limits that a session has nearly used up, in the order of the documents."""
    found = []
    for name, used, allowed in _limits(state):
        # four fifths, by whole numbers: a quarter of what fractions take, for each limit at each question
        if allowed and 5 * used >= 4 * allowed:
            spent, most = (seconds(used), seconds(allowed)) if isinstance(used, timedelta) else (used, allowed)
            found.append(Notice(name, spent, most, max(most - spent, 0)))
    return tuple(found)


def _limits(state: State) -> Iterator[tuple[str, Any, Any]]:
    """What was used of each limit that something adds up to, and what is allowed."""
    used, limits = state.used, state.limits
    for name, counted, per_tool in _COUNTED:
        spent = getattr(used, counted)
        if per_tool:
            yield from ((f"{name}.{tool}", n, limits.per_tool(tool)) for tool, n in sorted(spent.items()))
        else:
            yield name, spent, getattr(limits, name)
    yield from ((f"meters.{name}", used.meter(name), limit) for name, limit in limits.meters.items())


_COUNTED = [
    (name, limit.counted, limit.form is Form.PER_TOOL)
    for name, limit in LIMITS.items()
    if limit.notice and limit.counted
]
