"""What lists show of a request is what its session's log says: read once, and again where the inbox changes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.api.logged_requests import LoggedRequests
from engine.ports.store import Store
from engine.session.state.event import Event
from engine.store.urls import open_url
from engine.testing.log_events import opened, start


class Counting:
    """A store that counts how often a log is read."""

    def __init__(self, store: Store) -> None:
        self._store, self.loads = store, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def load(self, session_id: str, after: int = 0) -> Sequence[Event]:
        self.loads += 1
        return await self._store.load(session_id, after)


def rewritten(at: Path, payload: dict[str, Any]) -> None:
    raw = sqlite3.connect(at, isolation_level=None)
    raw.execute("UPDATE requests SET payload = ?", (json.dumps(payload),))
    raw.close()


async def test_a_log_is_read_once_for_a_request(tmp_path: Path) -> None:
    async with open_url(f"sqlite:///{tmp_path}/engine.db") as store:
        await start(store, "a")
        await store.append("a", 1, [opened("a", 2, "a.1")])
        counting = Counting(store)
        logged = LoggedRequests(counting)  # type: ignore[arg-type]
        for _ in range(3):
            (row,) = await store.requests()
            told = await logged.listed(row)
            assert (told.status, told.payload["input"]) == ("open", {"n": 1})
        assert counting.loads == 1


async def test_an_inbox_that_was_changed_is_held_against_the_log_again(tmp_path: Path) -> None:
    async with open_url(f"sqlite:///{tmp_path}/engine.db") as store:
        await start(store, "a")
        await store.append("a", 1, [opened("a", 2, "a.1")])
        logged = LoggedRequests(store)
        (row,) = await store.requests()
        honest = await logged.listed(row)
        rewritten(tmp_path / "engine.db", {**dict(row.payload), "input": {"n": 1000}})
        (forged,) = await store.requests()
        assert forged.payload["input"] == {"n": 1000}
        assert await logged.listed(forged) == honest


async def test_what_is_wrong_with_a_log_is_told_each_time(tmp_path: Path) -> None:
    async with open_url(f"sqlite:///{tmp_path}/engine.db") as store:
        await start(store, "a")
        await store.append("a", 1, [opened("a", 2, "a.1")])
        (row,) = await store.requests()
        await store.erase("a")
        logged = LoggedRequests(store)
        for _ in range(2):
            told = await logged.listed(row)
            assert told.problem
            assert told.payload == {}
