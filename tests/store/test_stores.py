"""Every store fulfils the contract; the SQLite file tells of every change that was not appended."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.language.value import loads
from engine.ports.records import Appended, CorruptLog, HeldKey, NewerLog
from engine.ports.store import Store
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import fold
from engine.store import chain
from engine.store.faults import BadStoreUrl
from engine.store.file import connect
from engine.store.memory import MemoryStore
from engine.store.migrations import MIGRATIONS, NewerStore
from engine.store.projection import row_key
from engine.store.sqlite import open_store
from engine.store.urls import open_url
from engine.testing.log_events import START, call_started, started, woken
from engine.testing.queue_contract import QUEUE
from engine.testing.set_clock import SetClock
from engine.testing.store_contract import CONTRACT
from tests.postgres import HAS_POSTGRES, server

needs_postgres = pytest.mark.skipif(not HAS_POSTGRES, reason="there is no PostgreSQL server here")
KINDS = ["memory", "sqlite", pytest.param("postgres", marks=needs_postgres)]


@asynccontextmanager
async def opened(kind: str, at: Path) -> AsyncIterator[Store]:
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{at}/deep/engine.db"}
    url = server().url() if kind == "postgres" else urls[kind]
    async with open_url(url, clock=SetClock()) as store:
        yield store


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("check", [*CONTRACT, *QUEUE])
async def test_a_store_fulfils_the_contract(kind: str, check: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as store:
        await {**CONTRACT, **QUEUE}[check](store)


@pytest.mark.parametrize("url", ["postgresql://x", "postgresql://x/y?schema=No", "sqlite:///", "mysql://x", ""])
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
        assert await one.heads(["s"]) == {"s": (2, 0)}


async def test_the_file_is_in_wal_mode_and_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    (tmp_path / "e.db").touch()
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


async def test_a_key_that_is_too_long_for_indexes_is_put_under_what_it_is_looked_for_by_now(tmp_path: Path) -> None:
    key, short = "k" * 3000, "k" * 500
    raw = sqlite3.connect(tmp_path / "e.db")
    for script in MIGRATIONS[:16]:
        if callable(script):
            script(raw)
        else:
            raw.executescript(script)
    raw.execute("PRAGMA user_version = 16")
    sql = "INSERT INTO idempotency_keys (key, holder, status) VALUES (?, ?, 'in_flight')"
    raw.executemany(sql, [(key, "s/1"), (short, "s/2")])
    raw.execute("INSERT INTO meter_entries (key, holder, amount, at) VALUES (?, 's/1', '1', '')", (key,))
    raw.commit()
    raw.close()
    connection = connect(tmp_path / "e.db")
    rows = connection.execute("SELECT holder, key FROM idempotency_keys ORDER BY holder").fetchall()
    assert rows == [("s/1", row_key(key)), ("s/2", short)]
    assert connection.execute("SELECT key FROM meter_entries").fetchall() == [(row_key(key),)]
    connection.close()


class Later(StrEnum):
    """Kinds of events that no engine of this version writes."""

    TELEPORTED = "session_teleported"


async def test_a_session_that_a_later_version_has_gone_on_with_is_left_to_it(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await store.append("s", 0, [started("s")])
        later: Any = Later.TELEPORTED
        await store.append("s", 1, [Event("s", 2, 0, later, {"to": "a place"}, START)])
        with pytest.raises(NewerLog, match="a later version of the engine wrote session_teleported into it"):
            await store.load("s")
        assert await store.verify("s") == ["a later version of the engine wrote session_teleported into it"]
        # what is damaged as well is damaged
        await store._database.write(lambda c: c.execute("UPDATE segments SET hash = 'x' WHERE first = 1"))
        with pytest.raises(CorruptLog, match="changed") as damaged:
            await store.load("s")
        assert not isinstance(damaged.value, NewerLog)


async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "engine.store.migrations.MIGRATIONS", (*MIGRATIONS, "CREATE TABLE x (y); CREATE TABLE nonsense")
    )
    (tmp_path / "e.db").touch()
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
        await store.append("s", 0, [started("s"), woken("s", 2)])
        await store.append("s", 2, [woken("s", 3), woken("s", 4)])
        await store.append("s", 4, [done])
        await store.append("t", 0, [started("t"), woken("t", 2), woken("t", 3)])
    return sqlite3.connect(path, isolation_level=None)


async def broken(path: Path) -> list[str]:
    async with open_store(path) as store:
        assert await store.verify("t") == [] or "t" in path.name
        return await store.verify("s")


async def read(path: Path) -> list[Event]:
    async with open_store(path) as store:
        return await store.load("s")


OF_S = "(SELECT number FROM sessions WHERE id = 's')"


@pytest.mark.parametrize("column", ["first", "last", "hash", "body"])
@pytest.mark.parametrize("nth", [1, 3])
async def test_a_flipped_byte_is_found(tmp_path: Path, column: str, nth: int) -> None:
    raw = await filled(tmp_path / "e.db")
    before = await read(tmp_path / "e.db")
    where = f"session = {OF_S} AND first = {nth}"
    (value,) = raw.execute(f"SELECT {column} FROM segments WHERE {where}").fetchone()
    positions = [0] if isinstance(value, int) else range(len(value))
    for position in list(positions)[:: max(len(list(positions)) // 24, 1)]:
        flipped: Any = value + 7 if isinstance(value, int) else _flip(value, position)
        raw.execute(f"UPDATE segments SET {column} = ? WHERE {where}", (flipped,))
        where = where if column != "first" else f"session = {OF_S} AND first = {flipped}"
        # a bit of a frame may say nothing: what is read is then what was written
        assert await broken(tmp_path / "e.db") or await read(tmp_path / "e.db") == before, (column, position)
    raw.execute(f"UPDATE segments SET {column} = ? WHERE {where}", (value,))
    assert not await broken(tmp_path / "e.db")
    raw.close()


def _flip(value: str | bytes, at: int) -> str | bytes:
    if isinstance(value, bytes):
        return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
    return value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]


@pytest.mark.parametrize(
    "change",
    [
        f"DELETE FROM segments WHERE session = {OF_S} AND first = 1",
        f"DELETE FROM segments WHERE session = {OF_S} AND first = 3",
        f"DELETE FROM segments WHERE session = {OF_S} AND first = 5",
        f"DELETE FROM segments WHERE session = {OF_S}",
        f"UPDATE segments SET first = CASE first WHEN 3 THEN 50 ELSE 30 END,"
        f" last = CASE first WHEN 3 THEN 50 ELSE 40 END"
        f" WHERE session = {OF_S} AND first IN (3, 5); UPDATE segments SET first = first / 10, last = last / 10"
        f" WHERE session = {OF_S} AND first > 10",
        f"UPDATE segments SET body = (SELECT body FROM segments WHERE session != {OF_S}) WHERE session = {OF_S}"
        " AND first = 1",
        "UPDATE sessions SET seq = 4 WHERE id = 's'",
        "UPDATE sessions SET head_hash = '00' WHERE id = 's'",
        "UPDATE sessions SET state = 'failed' WHERE id = 's'",
        "UPDATE sessions SET outcome = 'case_opened' WHERE id = 's'",
        "UPDATE sessions SET agent = 'other' WHERE id = 's'",
        "UPDATE sessions SET bundle = 'other' WHERE id = 's'",
    ],
)
async def test_what_is_removed_swapped_or_cut_is_found(tmp_path: Path, change: str) -> None:
    raw = await filled(tmp_path / "e.db")
    raw.executescript(change)
    raw.close()
    assert await broken(tmp_path / "e.db")


def _sealed() -> chain.Segment:
    return chain.seal([started("s"), woken("s", 2), woken("s", 3)], chain.GENESIS)


def _with_line(segment: chain.Segment, at: int, line: str) -> chain.Segment:
    lines = chain._lines(segment)
    lines[at] = line
    return replace(segment, body=chain._packed(lines))


def test_a_payload_may_be_erased_with_its_salt_and_the_chain_still_verifies() -> None:
    segment = _sealed()
    erased = chain.erase(chain.erase(segment, 2), 2)
    assert chain.verify("s", [erased], chain.SegmentPlace(3, segment.hash)) == []
    read = chain.read("s", [erased], chain.START, chain.SegmentPlace(3, segment.hash))
    assert [event.payload for event in read][1:] == [{}, {"n": 3}]
    assert b"salt" not in erased.body


def test_a_change_of_any_line_is_found() -> None:
    segment = _sealed()
    lines = chain._lines(segment)
    for at, line in enumerate(lines):
        for position in range(len(line)):
            changed = _with_line(segment, at, str(_flip(line, position)))
            assert chain.verify("s", [changed], chain.SegmentPlace(3, segment.hash)), (at, position)
        for position in range(len(line) + 1):
            # what is read as the same number is another line all the same
            for more in ("0", "+", "-", "_", " ", "\t"):
                changed = _with_line(segment, at, line[:position] + more + line[position:])
                assert chain.verify("s", [changed], chain.SegmentPlace(3, segment.hash)), (at, position, more)
    # an erased payload that is put back, or taken away without its hash
    assert chain.verify("s", [_with_line(chain.erase(segment, 2), 3, '{"n":2}')], chain.SegmentPlace(3, segment.hash))
    assert chain.verify("s", [_with_line(segment, 3, "")], chain.SegmentPlace(3, segment.hash))
    assert chain.verify("s", [replace(segment, session_id="x")], chain.SegmentPlace(3, segment.hash))


@pytest.mark.parametrize("line", [(0, "0 nonsense x y"), (0, "0"), (1, "{"), (1, "7")])
def test_a_segment_that_says_no_events_is_told(line: tuple[int, str]) -> None:
    with pytest.raises(chain.UnreadableSegment, match="events 1 to 3"):
        chain.read("s", [_with_line(_sealed(), *line)], chain.START, chain.SegmentPlace(3, _sealed().hash))


async def test_the_memory_store_verifies_too() -> None:
    store = MemoryStore()
    await store.append("s", 0, [started("s"), woken("s", 2)])
    session = store._sessions["s"]
    session.segments[0] = _with_line(session.segments[0], 3, '{"n":3}')
    assert await store.verify("s")


async def test_a_store_of_an_earlier_version_is_brought_to_this_one_and_keeps_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path, isolation_level=None)
    old.executescript((OLD / "schema-1.sql").read_text())
    key, holder, output = old.execute("SELECT key, holder, output FROM idempotency_keys ORDER BY key").fetchone()
    old.close()
    scope, _, own = key.partition("]:")
    async with open_store(path) as store:
        await store.append("b", 0, [started("b")])
        claim = call_started("b", 2, own)
        claim = replace(claim, payload={**claim.payload, "key_scope": f"{scope}]"})
        held = await store.append("b", 1, [claim])
    assert held == HeldKey(key, "ok", loads(output), holder, None)


OLD = Path(__file__).parent / "histories"


@pytest.mark.parametrize("version", [1, 2])
async def test_histories_of_earlier_versions_stay_readable(tmp_path: Path, version: int) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    old.executescript((OLD / f"schema-{version}.sql").read_text())
    old.close()
    async with open_store(path) as store:
        assert await store.file_problems() == []
        rows = await store.sessions()
        assert len(rows) >= 3
        for row in rows:
            assert await store.verify(row.id) == []
            log = await store.load(row.id)
            assert [event.seq for event in log] == list(range(1, row.seq + 1))
            assert fold(log).status.value == row.state
