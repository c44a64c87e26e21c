"""Every store fulfils the contract; the SQLite file tells of every change that was not appended."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.ports import Appended, KeyHeld, Store
from engine.session.event import Event, EventKind
from engine.store import chain
from engine.store.memory import MemoryStore
from engine.store.migrations import MIGRATIONS, NewerStore
from engine.store.sqlite import connect, open_store
from engine.store.urls import BadStoreUrl, open_url
from engine.testing.store_contract import CONTRACT, START, call_started, started, woken


@asynccontextmanager
async def opened(kind: str, at: Path) -> AsyncIterator[Store]:
    async with open_url("memory:" if kind == "memory" else f"sqlite:///{at}/deep/engine.db") as store:
        yield store


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("check", list(CONTRACT))
async def test_a_store_fulfils_the_contract(kind: str, check: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as store:
        await CONTRACT[check](store)


@pytest.mark.parametrize("url", ["postgresql://x/y", "sqlite:///", "mysql://x", ""])
async def test_a_store_that_is_not_to_be_had_is_told(url: str) -> None:
    with pytest.raises(BadStoreUrl):
        async with open_url(url):
            pytest.fail("it opened")


async def test_what_was_appended_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await store.append("s", 0, [started("s"), woken("s", 2)])
    async with open_store(tmp_path / "e.db") as store:
        assert len(await store.load("s")) == 2
        assert await store.verify("s") == []


async def test_two_processes_may_use_one_file(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as one, open_store(tmp_path / "e.db") as other:
        await one.append("s", 0, [started("s")])
        assert await other.append("s", 1, [woken("s", 2)]) == Appended()
        assert await one.head("s") == (2, 0)


async def test_the_file_is_in_wal_mode_and_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    connection = connect(tmp_path / "e.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    connection.close()


async def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "e.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NewerStore):
        connect(tmp_path / "e.db")


async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "engine.store.migrations.MIGRATIONS", (*MIGRATIONS, "CREATE TABLE x (y); CREATE TABLE nonsense")
    )
    with pytest.raises(sqlite3.OperationalError):
        connect(tmp_path / "e.db")
    raw = sqlite3.connect(tmp_path / "e.db")
    assert raw.execute("PRAGMA user_version").fetchone() == (0,)
    assert raw.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    raw.close()


async def test_many_sessions_commit_together_and_one_that_is_refused_hurts_no_other(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        results: dict[str, Any] = {}

        async def one(n: int) -> None:
            events = [started(f"s{n}"), call_started(f"s{n}", 2, "shared" if n % 2 else f"own-{n}")]
            results[f"s{n}"] = await store.append(f"s{n}", 0, events)

        async with trio.open_nursery() as nursery:
            for n in range(60):
                nursery.start_soon(one, n)
        won = [name for name, result in results.items() if result == Appended()]
        assert len(won) == 31
        assert {row.id for row in await store.sessions()} == set(won)


# -- tampering


async def filled(path: Path) -> sqlite3.Connection:
    async with open_store(path) as store:
        done = Event("s", 5, 1, EventKind.STATE_TRANSITION, {"state": "done", "outcome": "answered"}, START)
        await store.append("s", 0, [started("s"), *(woken("s", n) for n in (2, 3, 4)), done])
        await store.append("t", 0, [started("t"), woken("t", 2), woken("t", 3)])
    return sqlite3.connect(path, isolation_level=None)


async def broken(path: Path) -> list[str]:
    async with open_store(path) as store:
        assert await store.verify("t") == [] or "t" in path.name
        return await store.verify("s")


COLUMNS = ["step", "kind", "at", "payload", "salt", "payload_hash", "hash"]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("seq", [1, 3, 5])
async def test_a_flipped_byte_is_found(tmp_path: Path, column: str, seq: int) -> None:
    raw = await filled(tmp_path / "e.db")
    (value,) = raw.execute(f"SELECT {column} FROM events WHERE session_id = 's' AND seq = ?", (seq,)).fetchone()
    positions = [0] if isinstance(value, int) else range(len(value))
    for position in list(positions)[:: max(len(list(positions)) // 8, 1)]:
        flipped: Any = value + 1 if isinstance(value, int) else _flip(value, position)
        raw.execute(f"UPDATE events SET {column} = ? WHERE session_id = 's' AND seq = ?", (flipped, seq))
        assert await broken(tmp_path / "e.db"), (column, position)
    raw.execute(f"UPDATE events SET {column} = ? WHERE session_id = 's' AND seq = ?", (value, seq))
    assert not await broken(tmp_path / "e.db")
    raw.close()


def _flip(text: str, at: int) -> str:
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM events WHERE session_id = 's' AND seq = 1",
        "DELETE FROM events WHERE session_id = 's' AND seq = 3",
        "DELETE FROM events WHERE session_id = 's' AND seq = 5",
        "DELETE FROM events WHERE session_id = 's'",
        "UPDATE events SET seq = CASE seq WHEN 2 THEN 30 ELSE 20 END WHERE session_id = 's' AND seq IN (2, 3);"
        "UPDATE events SET seq = seq / 10 WHERE session_id = 's' AND seq > 10",
        "UPDATE events SET payload = (SELECT payload FROM events WHERE session_id = 't' AND seq = 2),"
        " salt = (SELECT salt FROM events WHERE session_id = 't' AND seq = 2) WHERE session_id = 's' AND seq = 2",
        "UPDATE events SET payload = NULL WHERE session_id = 's' AND seq = 2",
        "UPDATE sessions SET seq = 4 WHERE id = 's'",
        "UPDATE sessions SET head_hash = '00' WHERE id = 's'",
        "UPDATE sessions SET state = 'failed' WHERE id = 's'",
        "UPDATE sessions SET outcome = 'case_opened' WHERE id = 's'",
        "UPDATE sessions SET agent = 'other' WHERE id = 's'",
        "UPDATE sessions SET bundle = 'other' WHERE id = 's'",
    ],
)
async def test_an_event_that_is_removed_swapped_or_cut_is_found(tmp_path: Path, change: str) -> None:
    raw = await filled(tmp_path / "e.db")
    raw.executescript(change)
    raw.close()
    assert await broken(tmp_path / "e.db")


async def test_a_payload_may_be_erased_with_its_salt_and_the_chain_still_verifies(tmp_path: Path) -> None:
    raw = await filled(tmp_path / "e.db")
    raw.execute("UPDATE events SET payload = NULL, salt = NULL WHERE session_id = 's' AND seq = 3")
    raw.close()
    assert await broken(tmp_path / "e.db") == []
    async with open_store(tmp_path / "e.db") as store:
        assert (await store.load("s"))[2].payload == {}


async def test_a_file_that_is_no_database_any_more_is_told(tmp_path: Path) -> None:
    raw = await filled(tmp_path / "e.db")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.execute("PRAGMA writable_schema = ON")
    raw.close()
    events = [started("s"), woken("s", 2)]
    rows = [chain.link(events[0], chain.GENESIS, "0" * 32)]
    rows.append(chain.link(events[1], rows[0].hash, "1" * 32))
    assert chain.verify("s", rows, 2, rows[1].hash) == []
    assert chain.verify("s", [replace(rows[0], session_id="x"), rows[1]], 2, rows[1].hash)
    assert chain.parsed(replace(rows[0], kind="nonsense"))
    assert chain.parsed(replace(rows[0], payload="{"))
    assert chain.parsed(rows[0]) is None


async def test_the_memory_store_verifies_too() -> None:
    store = MemoryStore()
    await store.append("s", 0, [started("s"), woken("s", 2)])
    session = store._sessions["s"]
    session.links[1] = replace(session.links[1], payload='{"n":3}')
    assert await store.verify("s")


async def test_a_store_of_an_earlier_version_is_brought_to_this_one_and_keeps_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path, isolation_level=None)
    for statement in MIGRATIONS[0].split(";"):
        old.execute(statement)
    old.execute("INSERT INTO idempotency_keys VALUES ('[]:k', 'a/c', 'ok', '7')")
    old.execute("PRAGMA user_version = 1")
    old.close()
    async with open_store(path) as store:
        await store.append("b", 0, [started("b")])
        held = await store.append("b", 1, [call_started("b", 2, "k")])
    assert held == KeyHeld("[]:k", "ok", 7, "a/c", None)
