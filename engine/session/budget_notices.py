"""What a planner is told of its budget when little of it is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.session.decide.endings import seconds
from engine.session.state.state import State
from engine.spec.limits import LIMITS, Form, Limit

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
    counted = [one for name, limit in LIMITS.items() if limit.notice for one in _counted(name, limit, state)]
    counted += [(f"meters.{name}", used.meter(name), limit) for name, limit in limits.meters.items()]
    yield from ((name, spent, allowed) for name, spent, allowed in counted if allowed)


def _counted(name: str, limit: Limit, state: State) -> Iterator[tuple[str, Any, Any]]:
    """What was used of a limit, and what is allowed; nothing of one that nothing adds up to."""
    if not limit.counted:
        return
    spent = getattr(state.used, limit.counted)
    if limit.form is Form.PER_TOOL:
        yield from ((f"{name}.{tool}", n, state.limits.per_tool(tool)) for tool, n in sorted(spent.items()))
        return
    allowed = getattr(state.limits, name)
    if limit.form is Form.TIME:
        spent, allowed = seconds(spent), None if allowed is None else seconds(allowed)
    yield name, spent, allowed
