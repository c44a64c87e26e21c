"""The two stores beside each other: appends, steps, one alone, a wake-up, and what parked sessions cost.

    python -m benchmarks.stores [--sessions 1000] [--parked 100000] [--rounds 2]

A SQLite file and a PostgreSQL server of the benchmark's own, each with all syncs on, on the same disk and in turn; each
figure is the best of the rounds, with the median behind it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import trio

from benchmarks.speed.ours import made, script
from benchmarks.speed.work import Meter
from engine.ports.store import Store
from engine.runtime.gc_tuning import tune_gc
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.state.event import Event, EventKind
from engine.session.state.state import Status
from engine.store.urls import listening_at, open_url
from engine.testing.log_events import START, opened, started, woken
from tests.postgres import PostgresServer

LATER = "2126-01-01T00:00:00+00:00"
STEPS, EACH, ALONE, WAKES = 3, 10, 200, 200
# what is told of each figure: its unit, how much of it there is in a second, and which is better
SHOWN = (
    ("appends", "appends a second, all sessions at once", max),
    ("append_us", "us of our CPU an append", min),
    ("alone_ms", "ms for one append alone, p50", min),
    ("alone_p99_ms", "the same, p99", min),
    ("steps", "durable steps a second, all sessions at once", max),
    ("step_ms", "ms of our CPU a step", min),
    ("wake_ms", "ms from an append to who waits in another process, p50", min),
    ("wake_p99_ms", "the same, p99", min),
    ("look_ms", "ms to look for what is due, beside a few sessions", min),
    ("look_parked_ms", "the same beside all that are parked", min),
)  # fmt: skip


async def appended(store: Store, sessions: int) -> dict[str, float]:
    """Many sessions at once, each with appends of its own."""

    async def one(name: str, first: int) -> None:
        for seq in range(first, first + EACH):
            await store.append(name, seq - 1, [woken(name, seq)])

    async with trio.open_nursery() as nursery:
        for number in range(sessions):
            nursery.start_soon(store.append, f"a{number}", 0, [started(f"a{number}")])
    with Meter() as meter:
        async with trio.open_nursery() as nursery:
            for number in range(sessions):
                nursery.start_soon(one, f"a{number}", 2)
    count, alone = sessions * EACH, []
    for seq in range(2 + EACH, 2 + EACH + ALONE):
        with Meter() as once:
            await store.append("a0", seq - 1, [woken("a0", seq)])
        alone.append(once.wall * 1e3)
    return {
        "appends": count / meter.wall, "append_us": meter.cpu / count * 1e6,
        "alone_ms": median(alone), "alone_p99_ms": quantiles(alone, n=100)[98],
    }  # fmt: skip


async def stepped(store: Store, sessions: int, folder: Path) -> dict[str, float]:
    """The three-step session, many at once."""
    engine, bundle = Runner(store, planner=script(STEPS)), made()

    async def one(number: int) -> None:
        state = await engine.run(bundle, Opening("bot", "refund", {"tenant": "acme", "n": str(number)}), folder)
        assert state.final, state.status

    await one(0)
    with Meter() as meter:
        async with trio.open_nursery() as nursery:
            for number in range(1, sessions + 1):
                nursery.start_soon(one, number)
    count = sessions * STEPS
    return {"steps": count / meter.wall, "step_ms": meter.cpu / count * 1e3}


async def woke(store: Store, url: str) -> dict[str, float]:
    """From an append until another process, which waits for the session, has read it."""
    await store.append("w", 0, [started("w")])
    line = [sys.executable, "-m", "benchmarks.stores", "--wait", url]
    waiting = await trio.to_thread.run_sync(lambda: subprocess.Popen(line, stdout=subprocess.PIPE, text=True))
    assert waiting.stdout is not None
    took = []
    for seq in range(2, 2 + WAKES):
        assert await trio.to_thread.run_sync(waiting.stdout.readline) == "waits\n"
        await trio.sleep(0.005)
        began = time.monotonic()
        await store.append("w", seq - 1, [woken("w", seq)])
        took.append((float(await trio.to_thread.run_sync(waiting.stdout.readline)) - began) * 1e3)
    waiting.terminate()
    waiting.communicate()
    return {"wake_ms": median(took), "wake_p99_ms": quantiles(took, n=100)[98]}


async def wait(url: str) -> None:
    """The other process: it says that it waits, and when it has read what it waited for."""
    seq = 1
    async with open_url(url) as store, listening_at(url) as listener:
        with listener.watching("w") as watch:
            await watch.wait()
            while True:
                print("waits", flush=True)
                while not (events := await store.load("w", seq)):
                    await watch.wait()
                seq = events[-1].seq
                print(time.monotonic(), flush=True)


async def looked(store: Store) -> float:
    """Milliseconds that one look for due sessions takes."""
    took = []
    for _ in range(30):
        with Meter() as meter:
            await store.due_sessions()
        took.append(meter.wall * 1e3)
    return median(took)


async def parked(store: Store, count: int) -> None:
    """So many sessions more, each of which waits for somebody until tomorrow."""
    limit = trio.CapacityLimiter(1000)

    async def one(name: str) -> None:
        waits = {"state": Status.AWAITING_HUMAN_REVIEW.value, "outcome": Status.AWAITING_HUMAN_REVIEW.value}
        asked = opened(name, 2, f"{name}.1")
        asked = replace(asked, payload={**asked.payload, "expires_at": LATER})
        async with limit:
            await store.append(
                name, 0, [started(name), asked, Event(name, 3, 1, EventKind.STATE_TRANSITION, waits, START)]
            )

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(one, f"p{number}")


async def measured(url: str, given: argparse.Namespace) -> dict[str, float]:
    tune_gc()
    with tempfile.TemporaryDirectory() as folder:
        async with open_url(url) as store:
            found = await stepped(store, given.sessions, Path(folder))
            found |= {"look_ms": await looked(store)}
            found |= await woke(store, url)
            found |= await appended(store, given.sessions)
    return found


async def measured_parked(url: str, count: int) -> dict[str, float]:
    async with open_url(url) as store:
        await parked(store, count)
        return {"look_parked_ms": await looked(store)}


def one_round(kind: str, given: argparse.Namespace, server: PostgresServer) -> dict[str, float]:
    """Everything once on a store of a kind, in processes of their own."""
    found: dict[str, float] = {}
    for mode in ("--measure", "--measure-parked"):
        with tempfile.TemporaryDirectory(prefix="stores-") as folder:
            url = f"sqlite:///{folder}/engine.db" if kind == "SQLite" else server.url()
            line = [sys.executable, "-m", "benchmarks.stores", mode, url]
            line += ["--sessions", str(given.sessions), "--parked", str(given.parked)]
            done = subprocess.run(line, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            found |= json.loads(done.stdout)
    return found


def table(found: dict[str, list[dict[str, float]]]) -> str:
    lines = ["| | SQLite | PostgreSQL | ratio |", "| --- | --- | --- | --- |"]
    for name, told, best in SHOWN:
        cells, figures = [], []
        for rounds in found.values():
            values = [one[name] for one in rounds]
            figures.append(best(values))
            cells.append(f"{best(values):,.2f} ({median(values):,.2f})")
        lines.append(f"| {told} | {' | '.join(cells)} | {figures[1] / figures[0]:.2f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--parked", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2)
    for mode in ("--measure", "--measure-parked", "--wait"):
        parser.add_argument(mode, metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.wait:
        trio.run(wait, given.wait)
    elif given.measure:
        print(json.dumps(trio.run(measured, given.measure, given)))
    elif given.measure_parked:
        print(json.dumps(trio.run(measured_parked, given.measure_parked, given.parked)))
    else:
        server = PostgresServer(durable=True)
        found: dict[str, list[dict[str, Any]]] = {"SQLite": [], "PostgreSQL": []}
        for _ in range(given.rounds):
            for kind, rounds in found.items():
                rounds.append(one_round(kind, given, server))
        print(table(found))
        server.stop("fast")
    return 0


if __name__ == "__main__":
    sys.exit(main())
