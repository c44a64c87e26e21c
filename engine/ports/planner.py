"""Planners, and what they propose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from engine.errors import EngineError
from engine.session.planner_view import PlannerView
from engine.session.state.event import Event
from engine.session.state.inputs import Note
from engine.spec.planner_spec import NO_USAGE, Usage


@dataclass(frozen=True, slots=True)
class Proposal:
    """A decision as plain JSON, unchecked, what asking for it took, and how it came about."""

    decision: Any
    usage: Usage = NO_USAGE
    notes: tuple[Note, ...] = ()


class PlannerError(EngineError):
    """A planner could not propose anything; the message says why, `usage` what it took all the same.

    `final` says that asking it again is no use: another planner of the chain is asked, or the session ends.
    """

    def __init__(
        self, message: str, usage: Usage = NO_USAGE, notes: tuple[Note, ...] = (), *, final: bool = False
    ) -> None:
        super().__init__(message)
        self.usage = usage
        self.notes = notes
        self.final = final


class Planner(Protocol):
    """Proposes the next decision."""

    async def propose(self, view: PlannerView) -> Any:
        """A decision as plain JSON, unchecked, or as a Proposal; raises PlannerError."""
        ...


Say = Callable[[str], None]


@runtime_checkable
class LogPlanner(Protocol):
    """A planner that reads the session's log, and says what it is about to answer while it does."""

    async def consider(self, view: PlannerView, log: Sequence[Event], say: Say) -> Proposal:
        """A proposal; `say` is told the message so far, each time that there is more of it; raises PlannerError."""
        ...
