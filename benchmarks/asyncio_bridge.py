"""How an asyncio program reaches the engine: Trio in a thread of its own, beside Trio as a guest of asyncio's loop.

Both run the same code but for the thread.  Prints, for each: a call that does nothing (median and 99th of 100, in us);
such calls a second, 100 under way at once; a cancelled call from its cancellation to its end (median, in us); then,
with sessions that are driven, sessions a second and how late asyncio's loop wakes who sleeps 1 ms (median and worst,
in ms).

    python -m benchmarks.asyncio_bridge [--calls N] [--sessions N]
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import outcome
import trio

from engine.aio.engine import AsyncioEngine
from engine.aio.thread import ThreadContext, TrioThread, hold, open_thread
from engine.api.bundles import load_bundle
from engine.api.engine import open_engine

ROOT = Path(__file__).resolve().parent.parent
MESSAGE = "I was charged twice and your docs didn't help."
ATTRIBUTES = {"tenant": "acme", "account_id": "acct_1001"}


class Guest(TrioThread):
    """Trio in asyncio's own thread, a tick at a time."""

    async def start(self) -> None:
        trio.lowlevel.start_guest_run(
            self._main, run_sync_soon_threadsafe=self.loop.call_soon_threadsafe, done_callback=self._done
        )
        await self._ready

    def _done(self, result: outcome.Outcome[None]) -> None:
        self._end(result.error if isinstance(result, outcome.Error) else None)

    async def end(self) -> None:
        self.post(self._root.cancel)
        await self.ended


@asynccontextmanager
async def open_guest() -> AsyncIterator[TrioThread]:
    guest = Guest()
    await guest.start()
    try:
        yield guest
    finally:
        await guest.end()


async def nothing() -> None:
    """What a call costs that does nothing."""


async def each(calls: int, call: Callable[[], Awaitable[Any]]) -> list[float]:
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        await call()
        took.append((time.perf_counter() - began) * 1e6)
    return took


async def cancelled(context: ThreadContext[Any]) -> None:
    task = asyncio.ensure_future(context.call(trio.sleep_forever))
    await context.call(nothing)
    began = time.perf_counter()
    task.cancel()
    await asyncio.wait({task})
    CANCELLED.append((time.perf_counter() - began) * 1e6)


CANCELLED: list[float] = []


async def calls_at_once(context: ThreadContext[Any], calls: int) -> float:
    async def some() -> None:
        for _ in range(calls // 100):
            await context.call(nothing)

    began = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(100)))
    return calls / (time.perf_counter() - began)


async def late(lags: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        lags.append((time.perf_counter() - began - 0.001) * 1e3)


async def drive(engine: AsyncioEngine, sessions: int) -> tuple[float, list[float]]:
    bundle, lags = load_bundle(ROOT), []
    watching = asyncio.ensure_future(late(lags))

    async def one() -> None:
        session = await engine.start(bundle, message=MESSAGE, attributes=ATTRIBUTES)
        await session.settled()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(sessions)))
    took = time.perf_counter() - began
    watching.cancel()
    return sessions / took, lags


async def measure(opened: Callable[[], Any], calls: int, sessions: int) -> str:
    CANCELLED.clear()
    with TemporaryDirectory() as at:
        async with opened() as thread, hold(thread, partial(open_engine, f"sqlite:///{at}/bench.db")) as context:
            alone = await each(calls, lambda: context.call(nothing))
            at_once = await calls_at_once(context, calls)
            await each(calls // 10, lambda: cancelled(context))
            rate, lags = await drive(AsyncioEngine(context), sessions)
    tail = quantiles(alone, n=100)[98]
    return (
        f"{median(alone):9.0f} {tail:9.0f} {at_once:9.0f} {median(CANCELLED):9.0f} {rate:9.1f}"
        f" {median(lags):9.2f} {max(lags):9.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--sessions", type=int, default=100)
    given = parser.parse_args()
    print("             call us       p99   calls/s cancel us    sess/s    lag ms     worst")
    for _ in range(3):
        for name, opened in (("thread", open_thread), ("guest", open_guest)):
            print(f"{name:8} {asyncio.run(measure(opened, given.calls, given.sessions))}", flush=True)


if __name__ == "__main__":
    main()
