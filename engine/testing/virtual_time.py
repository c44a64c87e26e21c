"""Trio under a clock that jumps to the next deadline as soon as nothing can happen before it.

Unlike Trio's own autojump it waits for threads and processes of tools: they are at work although
every task is blocked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
import trio.testing

from engine.outside import busy

T = TypeVar("T")

PATIENCE = 0.002  # seconds of real time between looks at work that is outside of Trio's sight


def run(main: Callable[[], Awaitable[T]]) -> T:
    """The result of a coroutine function, run under virtual time."""
    clock = trio.testing.MockClock()

    async def under() -> T:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_jump_when_idle, clock)
            result = await main()
            nursery.cancel_scope.cancel()
        return result

    return trio.run(under, clock=clock)


async def _jump_when_idle(clock: trio.testing.MockClock) -> None:
    while True:
        await trio.testing.wait_all_tasks_blocked(PATIENCE if busy() else 0.0)
        if busy():
            continue
        left = trio.lowlevel.current_statistics().seconds_to_next_deadline
        if left == float("inf"):
            # nothing can ever happen but what is woken from outside; look again, in real time
            await trio.testing.wait_all_tasks_blocked(PATIENCE)
        elif left > 0:
            clock.jump(left)
