"""A process that dies at a chosen moment: before or after one of the calls that leave it, for good.

What was durable stays, what was under way is gone.  After `kill` every call of the dead process raises Killed,
so that nothing of it can act or record anything any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.ports import Clock, Planner, Proposal, Reader, Say, Store, ToolAdapter, ToolRun
from engine.session.bundle import Bundle, Tool
from engine.session.event import Event
from engine.session.view import PlannerView

BEFORE, AFTER = "before", "after"

# what leaves the process and changes something; looking at the store changes nothing, and dying there neither
WRITES = frozenset(
    {"append", "release", "renew", "save_bundle", "lease_job", "release_job", "renew_job", "save_snapshot"}
)


class Killed(Exception):
    """The process is dead."""


@contextmanager
def suppress_killed() -> Iterator[None]:
    """The death of a process is no fault of who watches it."""
    try:
        yield
    except* Killed:
        pass


@dataclass(frozen=True, slots=True)
class Moment:
    """When to die: at which call that leaves the process, counted from 1, and on which side of it."""

    call: int
    side: str


@dataclass(slots=True)
class Mortal:
    """One life of a process; `calls` are the names of the calls that it made, in order."""

    moment: Moment | None = None
    calls: list[str] = field(default_factory=list)
    dead: bool = False

    def kill(self) -> None:
        """Die now."""
        self.dead = True

    async def leave(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call that leaves the process, and die at it if its moment has come."""
        self.check()
        self.calls.append(name)
        mine = self.moment is not None and self.moment.call == len(self.calls)
        if mine and self.moment is not None and self.moment.side == BEFORE:
            self.kill()
        self.check()
        result = await call()
        if mine:
            self.kill()
        self.check()
        return result

    def check(self) -> None:
        """Raise Killed if the process is dead."""
        if self.dead:
            raise Killed


class MortalStore:
    """A store as a mortal process sees it."""

    def __init__(self, store: Store, mortal: Mortal) -> None:
        self._store = store
        self._mortal = mortal

    @property
    def keeps_snapshots(self) -> bool:
        """See `ports.Store`."""
        return self._store.keeps_snapshots

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*arguments: Any, **more: Any) -> Any:
            if name not in WRITES or (name == "lease_job" and await self._nothing_due(arguments[1])):
                self._mortal.check()
                return await method(*arguments, **more)
            return await self._mortal.leave(f"store.{name}", lambda: method(*arguments, **more))

        return call

    async def _nothing_due(self, now: datetime) -> bool:
        """A worker's looks that find nothing are as many as time allows: they are no moments of the pathway."""
        due = await self._store.next_job_at()
        return due is None or due > now


@dataclass(frozen=True, slots=True)
class MortalPlanner:
    """A planner as a mortal process asks it."""

    planner: Planner
    mortal: Mortal

    async def propose(self, view: PlannerView) -> Any:
        """See `ports.Planner`."""
        return await self.mortal.leave("planner.propose", lambda: self.planner.propose(view))


@dataclass(frozen=True, slots=True)
class MortalReader(MortalPlanner):
    """A planner that reads the log, as a mortal process asks it."""

    async def consider(self, view: PlannerView, log: Sequence[Event], say: Say) -> Proposal:
        """See `ports.Reader`."""
        assert isinstance(self.planner, Reader)
        reader = self.planner
        proposal: Proposal = await self.mortal.leave("planner.consider", lambda: reader.consider(view, log, say))
        return proposal


def mortal_planner(planner: Planner, mortal: Mortal) -> MortalPlanner:
    """A planner as a mortal process asks it, by its kind."""
    return MortalReader(planner, mortal) if isinstance(planner, Reader) else MortalPlanner(planner, mortal)


@dataclass(frozen=True, slots=True)
class _MortalAdapter:
    adapter: ToolAdapter
    mortal: Mortal

    async def run(self, run: ToolRun) -> Any:
        """See `ports.ToolAdapter`."""
        return await self.mortal.leave(f"tool.{run.tool.name}", lambda: self.adapter.run(run))


Adapters = Callable[[Bundle, Clock], Callable[[Tool], ToolAdapter]]


def mortal_adapters(adapters: Adapters, mortal: Mortal) -> Adapters:
    """Adapters as a mortal process uses them."""

    def made(bundle: Bundle, clock: Clock) -> Callable[[Tool], ToolAdapter]:
        inner = adapters(bundle, clock)
        return lambda tool: _MortalAdapter(inner(tool), mortal)

    return made
