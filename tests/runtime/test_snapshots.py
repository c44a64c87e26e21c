"""Snapshots spare a long session the folding of its log, and say what the log says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio.testing

from engine.ports.store import Store
from engine.runtime import state_loader as states
from engine.runtime.state_loader import keep_state, load_state
from engine.session.state.event import Event
from engine.session.state.evolve import fold
from engine.session.state.snapshot import VERSION, restored, snapshot
from engine.store.log_key import LogKey
from engine.store.memory import MemoryStore
from engine.store.sqlite import open_store
from engine.testing.log_events import started
from tests.runtime.acting import Acting
from tests.runtime.test_engine import DONE, engine, plan, script, start
from tests.session.play import call


class Watched(MemoryStore):
    """Notes from where the log was read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_from: list[int] = []

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        self.read_from.append(after)
        return await super().load(session_id, after)


async def long_session(store: Any, tmp_path: Path, steps: int = 30) -> str:
    decisions = [plan(call(f"c{n}", "look", n=n), call(f"w{n}", "banned")) for n in range(steps)]
    one = engine(Acting(tmp_path / "runs.txt"), script(*decisions, DONE), store)
    session_id = await start(one, tmp_path)
    await one.drive(session_id)
    return session_id


async def test_a_long_session_is_resumed_from_a_snapshot_and_the_events_behind_it(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "EVERY", 20)
    store = Watched()
    session_id = await long_session(store, tmp_path, 12)
    store.read_from.clear()
    state = await load_state(store, session_id)
    assert store.read_from[0] >= 20
    assert state == fold(await store.load(session_id))


async def test_snapshots_are_as_many_as_the_logarithm_of_the_events(tmp_path: Path) -> None:
    kept: list[int] = []

    class Counting(MemoryStore):
        async def save_snapshot(self, session_id: str, seq: int, version: str, text: str) -> None:
            kept.append(seq)

    session_id = await long_session(MemoryStore(), tmp_path, 2)
    assert session_id
    store, last = Counting(), None
    state = fold(await _log(tmp_path))
    for seq in range(1, 20_000):
        last = await keep_state(store, _at(state, seq), last)
    assert kept == [1000, 2000, 4000, 8000, 16000]


async def _log(tmp_path: Path) -> list[Event]:
    store = MemoryStore()
    return await store.load(await long_session(store, tmp_path, 1))


def _at(state: Any, seq: int) -> Any:
    from engine.session.state.persistent import copy_with

    return copy_with(state, seq=seq)


async def test_a_snapshot_of_another_version_is_none(tmp_path: Path) -> None:
    stores: list[Store] = [MemoryStore()]
    async with open_store(tmp_path / "e.db", LogKey((b"k" * 32,))) as sqlite:
        for store in [*stores, sqlite]:
            await store.append("s", 0, [started("s")])
            await store.save_snapshot("s", 1, VERSION, "text")
            assert await store.snapshot("s", VERSION) == "text"
            assert await store.snapshot("s", "older") is None
            await store.save_snapshot("s", 1, "newer", "other")
            assert await store.snapshot("s", VERSION) is None


async def test_where_no_key_vouches_for_it_no_snapshot_is_kept(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await store.append("s", 0, [started("s")])
        await store.save_snapshot("s", 1, VERSION, "text")
        assert await store.snapshot("s", VERSION) is None


async def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    log = await _log(tmp_path)
    for seq in range(1, len(log) + 1):
        state = fold(log[:seq])
        assert restored(snapshot(state)) == state
