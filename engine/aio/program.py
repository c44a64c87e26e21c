"""What an asyncio program gives the engine to work with: its coroutines run in the program's loop, not in Trio's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import outcome
import trio

from engine.aio.thread import TrioThread
from engine.ports.clock import Clock
from engine.ports.planner import LogPlanner, Planner, Say
from engine.ports.tool import ToolAdapter, ToolInvocation
from engine.session.planner_view import PlannerView
from engine.session.state.event import Event
from engine.spec.bundle import Bundle, Tool

T = TypeVar("T")
AdaptersOf = Callable[[Bundle, Clock], Callable[[Tool], ToolAdapter]]


async def in_loop(thread: TrioThread, function: Callable[[], Awaitable[T]]) -> T:
    """Run a function of the program's in its loop, and wait for it from Trio; cancelling this cancels it there.

    Raises what it raises; RuntimeError where the program cancels it itself, or its loop is closed.
    """
    done = trio.Event()
    result: outcome.Outcome[T] | None = None
    tasks: list[asyncio.Task[None]] = []

    async def act() -> None:
        nonlocal result
        try:
            result = outcome.Value(await function())
        except asyncio.CancelledError:
            result = outcome.Error(RuntimeError("the program has cancelled what the engine waits for"))
        except Exception as error:
            result = outcome.Error(error)
        finally:
            thread.post(done.set)

    def begin() -> None:
        tasks.append(thread.loop.create_task(act()))

    thread.loop.call_soon_threadsafe(begin)
    try:
        await done.wait()
    except trio.Cancelled:
        thread.tell(lambda: [task.cancel() for task in tasks])
        with trio.CancelScope(shield=True):
            await done.wait()
        raise
    assert result is not None, "what is done has a result"
    value: T = result.unwrap()
    return value


class LoopPlanner:
    """A planner whose coroutines belong to the program's loop."""

    def __init__(self, planner: Planner, thread: TrioThread) -> None:
        self._planner = planner
        self._thread = thread

    async def propose(self, view: PlannerView) -> Any:
        """See `ports.Planner`."""
        return await in_loop(self._thread, lambda: self._planner.propose(view))


class LoopLogPlanner(LoopPlanner):
    """The same of one that reads the log, and says what it is about to answer."""

    async def consider(self, view: PlannerView, log: Sequence[Event], say: Say) -> Any:
        """See `ports.LogPlanner`."""
        planner: Any = self._planner

        def relay(text: str) -> None:
            self._thread.post(lambda: say(text))

        return await in_loop(self._thread, lambda: planner.consider(view, log, relay))


class LoopAdapter:
    """An adapter whose coroutines belong to the program's loop."""

    def __init__(self, adapter: ToolAdapter, thread: TrioThread) -> None:
        self._adapter = adapter
        self._thread = thread

    async def run(self, run: ToolInvocation) -> Any:
        """See `ports.ToolAdapter`."""
        return await in_loop(self._thread, lambda: self._adapter.run(run))


def planner_in_loop(planner: Planner | None, thread: TrioThread) -> Planner | None:
    """A planner of the program's as the engine asks it."""
    if planner is None:
        return None
    return (LoopLogPlanner if isinstance(planner, LogPlanner) else LoopPlanner)(planner, thread)


def adapters_in_loop(adapters: AdaptersOf | None, thread: TrioThread) -> AdaptersOf | None:
    """The adapters of the program's as the engine runs them."""
    if adapters is None:
        return None

    def of_bundle(bundle: Bundle, clock: Clock) -> Callable[[Tool], ToolAdapter]:
        found = adapters(bundle, clock)

        def of_tool(tool: Tool) -> ToolAdapter:
            return LoopAdapter(found(tool), thread)

        return of_tool

    return of_bundle
