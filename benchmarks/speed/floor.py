"""The fair floor: the least code on Trio and SQLite whose store holds the same evidence as the engine's.

The same events (verdicts with the values that their rules read), sealed into segments as the engine's store seals
them, and a session's row with the head of its chain, fenced by its epoch; one thread that commits all that waits.
No resume, no approvals, no budgets: what the events say was decided beforehand, apart from the verdicts.

usage: floor.py MODE SESSIONS STEPS, where MODE is one or many.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import trio

from benchmarks.speed.bare_floor import CHECK
from benchmarks.speed.ours import decided, made
from benchmarks.speed.work import OUTPUTS, Meter, planned, stored, tell
from engine.session.decide.decide import begin, decide_draft
from engine.session.decide.draft import Draft
from engine.session.state import inputs
from engine.session.state.effects import RunTool
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import fold
from engine.session.state.pending import pending
from engine.store import chain

SCHEMA = """
    CREATE TABLE sessions (number INTEGER PRIMARY KEY, id TEXT UNIQUE, state TEXT, seq INT, head TEXT, epoch INT,
        owner TEXT, lease_until TEXT, updated_at TEXT);
    CREATE TABLE segments (session INT, first INT, last INT, hash TEXT, body BLOB);
    CREATE UNIQUE INDEX segments_in_order ON segments (session, first);
"""

Wanted = tuple[str, int, Sequence[Event], trio.Event]


def appends(steps: int) -> list[list[Event]]:
    """The events of a session as the engine has them, by what it appends at once."""
    bundle, decisions = made(), decided(steps)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    opening = inputs.SessionRequested("ses_0", "bot", "script", {"tenant": "acme", "n": "0"}, "refund", None, "/", now)
    begun = begin(opening, bundle)
    assert isinstance(begun, tuple), begun
    draft = _decided(fold(begun), inputs.SessionClaimed("owner", 1, now), bundle)
    found = [[*begun, *draft.events]]
    while not draft.state.final:
        effects = pending(draft.state, bundle)
        events: list[Event] = []
        for effect in effects:
            if isinstance(effect, RunTool):
                reply: inputs.Input = inputs.ToolReturned(effect.call_id, effect.attempt, OUTPUTS[effect.tool], now)
            else:
                reply = inputs.PlannerAnswered(draft.state.asks, decisions[draft.state.asks - 1], now)
            draft = _decided(draft.state, reply, bundle)
            events += draft.events
        found.append(events)
    return found


def _decided(state: Any, reply: inputs.Input, bundle: Any) -> Draft:
    draft = decide_draft(state, reply, bundle)
    assert isinstance(draft, Draft), draft
    return draft


class Log:
    """Appends that return when they are durable."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(SCHEMA)
        self._queue: SimpleQueue[Wanted | None] = SimpleQueue()
        self._loop = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    async def append(self, session: str, after: int, events: Sequence[Event]) -> None:
        done = trio.Event()
        self._queue.put((session, after, events, done))
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
            for session, after, events, _ in batch:
                self._write(session, after, events)
            self._connection.execute("COMMIT")
            self._loop.run_sync_soon(_tell, [done for *_, done in batch])

    def _write(self, session: str, after: int, events: Sequence[Event]) -> None:
        execute, last = self._connection.execute, events[-1]
        row = execute("SELECT number, seq, head, epoch FROM sessions WHERE id = ?", (session,)).fetchone()
        segment = chain.seal(events, row[2] if row else chain.GENESIS)
        at = last.at.isoformat()
        if row is None:
            sql = "INSERT INTO sessions (id, state, seq, head, epoch, owner, lease_until) VALUES (?,?,?,?,1,'o',?)"
            number = execute(sql, (session, "running", last.seq, segment.hash, at)).lastrowid
        else:
            number, seq, _, epoch = row
            assert (seq, epoch) == (after, 1), "nobody else has the session"
            sql = "UPDATE sessions SET seq = ?, head = ?, updated_at = ? WHERE number = ?"
            execute(sql, (last.seq, segment.hash, at, number))
        values = (number, segment.first, segment.last, segment.hash, segment.body)
        execute("INSERT INTO segments VALUES (?,?,?,?,?)", values)


def _tell(events: list[trio.Event]) -> None:
    for event in events:
        event.set()


def judged(rules: list[dict[str, Any]], tenant: str, step: int, given: dict[str, Any]) -> list[dict[str, Any]]:
    """What a verdict says of its rules: whether each matched, and the value that it read."""
    found = []
    for rule in rules:
        kind = int(rule["rule"][5:]) % 4
        if kind == 0:
            found.append({**rule, "matched": tenant == "acme", "values": {"session.tenant": tenant}})
        elif kind == 1:
            found.append({**rule, "matched": tenant != "acme", "values": {"session.tenant": tenant}})
        elif kind == 2:
            found.append({**rule, "matched": step > 100_000, "values": {"step.number": step}})
        else:
            amount = given["amount_usd"]
            found.append({**rule, "matched": amount > 100_000, "values": {"input.amount_usd": amount}})
    return found


async def session(log: Log, name: str, steps: int, template: list[list[Event]]) -> None:
    turn, after = iter(template), 0

    async def put(calls: list[tuple[str, dict[str, Any]]], step: int) -> None:
        nonlocal after
        at, left, events = datetime.now(UTC), iter(calls), []
        for event in next(turn):
            payload = dict(event.payload)
            if event.kind is EventKind.VERDICT:
                _, given = next(left)
                CHECK.validate(given)
                payload["rules"] = judged(payload["rules"], "acme", step, given)
            events.append(Event(name, event.seq, event.step, event.kind, payload, at))
        await log.append(name, after, events)
        after = events[-1].seq

    async def act(tool: str) -> None:
        with trio.move_on_after(5):
            await trio.lowlevel.checkpoint()

    await put([], 0)
    for step in range(1, steps + 1):
        with trio.move_on_after(60):
            await trio.lowlevel.checkpoint()
        calls = planned(step, steps)
        await put(calls, step)
        if not calls:
            return
        async with trio.open_nursery() as nursery:
            for tool, _ in calls:
                nursery.start_soon(act, tool)
        await put([], step)


async def run(mode: str, sessions: int, steps: int, folder: Path) -> None:
    path = folder / "floor.db"
    template, log = appends(steps), Log(path)
    await session(log, "warm", steps, template)
    with Meter() as meter:
        if mode == "many":
            async with trio.open_nursery() as nursery:
                for number in range(sessions):
                    nursery.start_soon(session, log, f"s{number}", steps, template)
        else:
            for number in range(sessions):
                await session(log, f"s{number}", steps, template)
    await log.close()
    tell(mode=mode, sessions=sessions, steps=steps, cpu=meter.cpu, wall=meter.wall, bytes=stored(path))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        trio.run(run, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(place))
