"""Appends of one transaction come to what they would have come to one after another, on every database."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.ports.records import Appended, AppendResult, Claim, Conflict, DamagedRow, HeldKey, Lease
from engine.session.state.event import Event
from engine.store.append import append_each
from engine.store.append_rows import Append
from engine.store.chain import new_salts
from engine.store.projection import changes, row_key
from engine.store.urls import open_url
from engine.testing.log_events import START, call_started, claimed, opened, result, started, woken
from tests.postgres import HAS_POSTGRES, server

TABLES = {
    "sessions": "id, seq, head_hash, epoch, owner, lease_until, state, outcome, created_at, updated_at",
    "segments": "session, first, last, hash, body",
    "idempotency_keys": "key, holder, status, output, compared, until, expired",
    "meter_entries": "key, holder, amount, at, settled",
    "requests": "id, kind, session_id, status, opened_at, expires_at, counts_at, payload",
}


@pytest.fixture(params=["sqlite", "postgres"])
def two_urls(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Two stores of a kind that hold nothing yet."""
    if request.param == "sqlite":
        return [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "other")]
    if not HAS_POSTGRES:
        pytest.skip("there is no PostgreSQL server here")
    return [server().url() for _ in range(2)]


def _wanted(session: str, after: int, events: Sequence[Event], **more: Any) -> Append:
    given: dict[str, Any] = {"epoch": None, "take": None, "release_lease": False, "job": None, "now": START} | more
    return Append(session, after, events, salts=new_salts(events), changes=changes(events), **given)


def _drawn(draw: random.Random, count: int) -> list[Append]:
    """Appends to few sessions, which get in each other's way: at old places, and to the same keys and meters."""
    seqs = dict.fromkeys("abcd", 0)
    found = []
    for _ in range(count):
        session = draw.choice("abcd")
        after = seqs[session] if draw.random() < 0.8 else max(0, seqs[session] - 1)
        seq = after + 1
        events = _events(draw, session, seq)
        more: dict[str, Any] = {}
        if after and draw.random() < 0.3:
            epoch = draw.randrange(1, 4)
            events = [claimed(session, seq, "w", epoch)]
            more = {"take": Claim(Lease(session, draw.choice("wv"), epoch), timedelta(seconds=10))}
        elif draw.random() < 0.2:
            more = {"release_lease": True, "epoch": draw.randrange(3)}
        found.append(_wanted(session, after, events, **more))
        seqs[session] = after + len(events)
    return found


def _events(draw: random.Random, session: str, seq: int) -> list[Event]:
    if seq == 1:
        return [started(session)]
    entry = {"meter": "usd", "key": f"m{draw.randrange(2)}", "amount": 30, "limit": 100, "since": None}
    call, kind = f"c{draw.randrange(3)}", draw.randrange(4)
    if kind == 0:
        key = f"k{draw.randrange(3)}" if draw.random() < 0.7 else None
        return [call_started(session, seq, key, call, reserved=[entry] if draw.random() < 0.5 else [])]
    if kind == 1:
        return [result(session, seq, draw.choice(["ok", "error", "unknown"]), {"n": 1}, call)]
    if kind == 2:
        return [opened(session, seq, f"{session}.{seq}"), woken(session, seq + 1)]
    return [woken(session, seq)]


async def _done(url: str, batches: Sequence[Sequence[Append]]) -> tuple[list[AppendResult | str], dict[str, list[Any]]]:
    """What came of appends, each list of them in a transaction, and the rows that they left."""
    results: list[AppendResult | str] = []
    async with open_url(url) as store:
        database = store._database  # type: ignore[attr-defined]
        for batch in batches:
            results += await database.write(lambda c, batch=batch: append_each(c, batch, None))
        rows = {}
        for table, columns in TABLES.items():
            sql = f"SELECT {columns} FROM {table}"
            rows[table] = sorted(map(repr, await database.read(lambda c, sql=sql: c.execute(sql).fetchall())))
        sessions = await store.session_ids()
        assert [problem for one in sessions for problem in await store.verify(one)] == []
    return results, rows


@pytest.mark.parametrize(
    "key", ["k", "a\0b", "\x1a", "'; DROP TABLE sessions; --", "\u2603 \U0001f600", "".join(map(str, range(3000)))]
)
async def test_a_key_of_any_characters_is_taken_once_and_found_again(two_urls: list[str], key: str) -> None:
    async with open_url(two_urls[0]) as store:
        for name in "abc":
            await store.append(name, 0, [started(name)])
        came: list[AppendResult] = []

        async def claim(name: str, key: str) -> None:
            came.append(await store.append(name, 1, [call_started(name, 2, key)]))

        # alone, and beside another in one transaction
        await claim("a", key)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(claim, "b", key)
            nursery.start_soon(claim, "c", f"{key}\0")
        (held,) = [one for one in came if isinstance(one, HeldKey)]
        assert (held.key, held.holder) == (row_key(f"[]:{key}"), "a/c")
        assert sum(one == Appended() for one in came) == 2
        assert [problem for one in "abc" for problem in await store.verify(one)] == []


@pytest.mark.parametrize("seed", range(12))
async def test_many_at_once_come_to_what_each_alone_would(two_urls: list[str], seed: int) -> None:
    drawn = _drawn(random.Random(seed), 60)
    one, other = two_urls
    alone, left = await _done(one, [[wanted] for wanted in drawn])
    together, also = await _done(other, [drawn[:25], drawn[25:]])
    assert together == alone
    assert {type(result) for result in alone} >= {Appended, Conflict}
    # sessions may be numbered in another order
    numbered = "segments"
    assert {name: rows for name, rows in also.items() if name != numbered} == {
        name: rows for name, rows in left.items() if name != numbered
    }
    assert len(also[numbered]) == len(left[numbered])


async def test_of_two_that_claim_a_key_at_once_the_first_has_it(two_urls: list[str]) -> None:
    claims = [_wanted(name, 1, [call_started(name, 2, "k")]) for name in "ab"]
    begun = [_wanted(name, 0, [started(name)]) for name in "ab"]
    results, _ = await _done(two_urls[0], [begun, claims])
    assert results[:3] == [Appended()] * 3
    assert isinstance(results[3], HeldKey)


async def test_what_is_damaged_fails_alone(two_urls: list[str]) -> None:
    async with open_url(two_urls[0]) as store:
        database = store._database  # type: ignore[attr-defined]
        for name in "abc":
            await store.append(name, 0, [started(name)])
        # rows where the log of `b` would go on, and a session that nobody can have written
        spoil = "INSERT INTO segments (session, first, last, hash, body) SELECT number, 2, 2, '', ? FROM sessions"
        await database.write(lambda c: c.execute(f"{spoil} WHERE id = 'b'", (b"",)))
        await database.write(lambda c: c.execute("UPDATE sessions SET epoch = -1 WHERE id = 'c'"))
        came: dict[str, Any] = {}

        async def one(name: str) -> None:
            seq = 1 if name.isdigit() else 2
            event = started(name) if name.isdigit() else woken(name, 2)
            try:
                came[name] = await store.append(name, seq - 1, [event])
            except DamagedRow as error:
                came[name] = str(error).partition("the table `")[2].partition("`")[0]

        async with trio.open_nursery() as nursery:
            for name in ("1", "a", "b", "2", "c", "3"):
                nursery.start_soon(one, name)
        assert came == {**dict.fromkeys("123a", Appended()), "b": "segments", "c": "sessions"}
        assert await store.verify("a") == []


@pytest.mark.parametrize("size", [300_000, 4_000_000, 30_000_000])
async def test_an_append_of_any_size_is_taken_alone_and_beside_others(two_urls: list[str], size: int) -> None:
    async with open_url(two_urls[0]) as store:
        for name in "abc":
            await store.append(name, 0, [started(name)])
        asked = opened("a", 2, "a.2")
        # it stands in the log, and in the row of what is asked as well
        asked = replace(asked, payload={**asked.payload, "noise": random.Random(size).randbytes(size // 2).hex()})
        with trio.fail_after(600):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(store.append, "a", 1, [asked])
                nursery.start_soon(store.append, "b", 1, [woken("b", 2)])
                nursery.start_soon(store.append, "c", 1, [woken("c", 2)])
            alone = replace(opened("a", 3, "a.3"), payload={**asked.payload, "request_id": "a.3"})
            assert await store.append("a", 2, [alone]) == Appended()
        assert [len(await store.load(name)) for name in "abc"] == [3, 2, 2]


async def test_large_appends_beside_small_ones_are_all_taken(two_urls: list[str]) -> None:
    async with open_url(two_urls[0]) as store:
        names = [f"s{number}" for number in range(12)]
        for name in names:
            await store.append(name, 0, [started(name)])

        async def one(number: int, name: str) -> None:
            event = woken(name, 2)
            # what can't be compressed
            noise = random.Random(number).randbytes(4_000_000).hex() if number % 2 else ""
            assert await store.append(name, 1, [replace(event, payload={"noise": noise})]) == Appended()

        async with trio.open_nursery() as nursery:
            for number, name in enumerate(names):
                nursery.start_soon(one, number, name)
        assert [len((await store.load(name))[1].payload["noise"]) for name in names] == [0, 8_000_000] * 6
