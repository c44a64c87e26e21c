"""The bare floor: the least code on Trio and SQLite that does the same work, durable and batched as well as can be.

Twenty rules written as Python, schemas checked, seven appends of about 500 bytes a session, one thread that commits
all that waits.  No resume, no approvals, no budgets, no evidence in its log.

usage: bare_floor.py MODE SESSIONS STEPS, where MODE is one or many.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import jsonschema_rs
import orjson
import trio

from benchmarks.speed.work import OUTPUTS, RULES, Meter, planned, stored, tell

PAD = "x" * 300
CHECK = jsonschema_rs.validator_for(
    {
        "type": "object",
        "properties": {
            "customer_id": {"type": "string"},
            "order_id": {"type": "string"},
            "amount_usd": {"type": "number"},
        },
        "additionalProperties": False,
    }
)
Row = tuple[str, int, str, bytes]


class Log:
    """Appends that return when they are durable."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(
            "CREATE TABLE events (id INTEGER PRIMARY KEY, session TEXT, seq INT, kind TEXT, body BLOB)"
        )
        self._queue: SimpleQueue[tuple[Row, trio.Event] | None] = SimpleQueue()
        self._loop = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    async def append(self, session: str, seq: int, kind: str, data: Any) -> None:
        body = orjson.dumps({"kind": kind, "session": session, "seq": seq, "pad": PAD, "data": data})
        done = trio.Event()
        self._queue.put(((session, seq, kind, body), done))
        await done.wait()

    async def close(self) -> None:
        self._queue.put(None)
        await trio.to_thread.run_sync(self._thread.join)

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            try:
                while len(batch) < 1000 and (more := self._queue.get_nowait()) is not None:
                    batch.append(more)
            except Empty:
                pass
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT INTO events (session, seq, kind, body) VALUES (?, ?, ?, ?)", [row for row, _ in batch]
            )
            self._connection.execute("COMMIT")
            self._loop.run_sync_soon(_tell, [event for _, event in batch])


def _tell(events: list[trio.Event]) -> None:
    for event in events:
        event.set()


def allowed(step: int, given: dict[str, Any]) -> bool:
    """Twenty rules, each over the session, the step or the call."""
    tenant, limit, found = "acme", 250, True
    for n in range(RULES):
        found &= (tenant == "acme", tenant == "acme", step <= 100_000 or limit <= 0, given.get("amount_usd", 0) <= 1e5)[
            n % 4
        ]
    return found


async def session(log: Log, name: str, steps: int) -> None:
    await log.append(name, 0, "started", {"message": "refund"})
    seq = 1
    for step in range(1, steps + 1):
        with trio.move_on_after(60):
            await trio.lowlevel.checkpoint()
        calls = planned(step, steps)
        if not calls:
            break
        for _, given in calls:
            CHECK.validate(given)
            assert allowed(step, given)
        await log.append(name, seq, "decided", calls)
        seq += 1

        async def act(tool: str, at: int) -> None:
            with trio.move_on_after(5):
                await trio.lowlevel.checkpoint()
            await log.append(name, at, "done", OUTPUTS[tool])

        async with trio.open_nursery() as nursery:
            for tool, _ in calls:
                nursery.start_soon(act, tool, seq)
                seq += 1
    await log.append(name, seq, "finished", {"answer": "done"})


async def run(mode: str, sessions: int, steps: int, folder: Path) -> None:
    path = folder / "bare.db"
    log = Log(path)
    await session(log, "warm", steps)
    with Meter() as meter:
        if mode == "many":
            async with trio.open_nursery() as nursery:
                for number in range(sessions):
                    nursery.start_soon(session, log, f"s{number}", steps)
        else:
            for number in range(sessions):
                await session(log, f"s{number}", steps)
    await log.close()
    tell(mode=mode, sessions=sessions, steps=steps, cpu=meter.cpu, wall=meter.wall, bytes=stored(path))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        trio.run(run, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(place))
