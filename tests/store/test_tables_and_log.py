"""Rows beside the logs that somebody else has written: held against the log, told, and believed nowhere."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.ports.records import Appended, Claim, CorruptLog, DamagedRow, HeldKey, Lease, SealedLog
from engine.ports.store import Store
from engine.session.state.event import Event, EventKind
from engine.store import chain
from engine.store.log_key import LogKey
from engine.store.rows import MOST_TAKEN, moment
from engine.store.sqlite import open_store
from engine.store.sqlite_connection import connected
from engine.testing.log_events import LEASE, START, adding, call_started, claimed, opened, result, started, woken
from engine.testing.queue_contract import ended, enqueued
from engine.testing.set_clock import SetClock, set_clock
from tests.store.rewriting import rewrite

KEY = LogKey((b"k" * 32,))


def write(path: Path, *statements: str) -> None:
    """Edit the file as somebody else would; fails the test where nothing is changed."""
    raw = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        assert raw.execute(statement).rowcount, statement
    raw.close()


async def kept(store: Store) -> None:
    """Session `a` holds a key with its result, has added to a meter, has a request and a job; `b` has begun."""
    await store.append("a", 0, [started("a"), call_started("a", 2, "k", compared={"n": 1}, **adding(30))])
    await store.append("a", 2, [result("a", 3, "ok", {"id": 7}), opened("a", 4, "a.1"), enqueued("a", 5, "j")])
    await store.append("b", 0, [started("b")])


# -- keys


async def claim(store: Store) -> Any:
    """Another session claims the key that `a` holds."""
    return await store.append("b", 1, [call_started("b", 2, "k")])


@pytest.mark.parametrize(
    "change",
    [
        "output = '{\"id\":8}'", "output = '{'", "output = NULL", "status = 'unknown'", "status = 'in_flight'",
        "status = 'none such'", "compared = '{\"n\":2}'", "compared = '{'", "until = '2030-01-01T00:00:00.000000Z'",
        "holder = 'ghost/c'", "holder = 'ghost'", "holder = ''", "holder = 'b/other'", "holder = 'a/other'",
    ],
)  # fmt: skip
async def test_what_a_row_says_of_a_key_is_not_believed_where_the_log_of_its_holder_says_otherwise(
    change: str, tmp_path: Path
) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
        assert await claim(store) == HeldKey("[]:k", "ok", {"id": 7}, "a/c", {"n": 1})
        write(tmp_path / "e.db", f"UPDATE idempotency_keys SET {change}")
        with pytest.raises(CorruptLog, match="idempotency_keys"):
            await claim(store)
        assert await store.heads(["b"]) == {"b": (1, 0)}
        found = [*await store.verify("a"), *(problem for told in (await store.strays()).values() for problem in told)]
        assert any("the idempotency key []:k" in problem for problem in found)


async def test_a_holder_whose_log_was_written_anew_vouches_for_no_result_where_there_is_a_key(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", KEY) as store:
        await kept(store)
        rewrite(tmp_path / "e.db", "a", '"id":7', '"id":8')
        write(tmp_path / "e.db", "UPDATE idempotency_keys SET output = '{\"id\":8}'")
        with pytest.raises(CorruptLog, match="sealed by another key, or was changed"):
            await claim(store)


async def test_a_key_whose_result_was_erased_stays_taken_and_tells_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
        erase(tmp_path / "e.db", 3)
        assert await claim(store) == HeldKey("[]:k", "erased", None, "a/c")
        write(tmp_path / "e.db", "UPDATE idempotency_keys SET compared = '{}'")
        with pytest.raises(CorruptLog):
            await claim(store)


async def given_back(store: Store) -> None:
    """The result of `a` has expired, and `b` has given the key back that it took after it."""
    soon = {"key_until": "2026-01-01T08:59:59.000000Z"}
    await store.append("a", 0, [started("a"), call_started("a", 2, "k", **soon), result("a", 3, "ok", {})])
    await store.append(
        "b", 0, [started("b"), call_started("b", 2, "k", generation=1), result("b", 3, "terminal_error")]
    )
    await store.append("c", 0, [started("c")])


async def test_a_key_that_was_given_back_is_another_session_s_since(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await given_back(store)
        assert await store.append("c", 1, [call_started("c", 2, "k", generation=1)]) == Appended()
        assert [await store.verify(name) for name in "abc"] == [[], [], []]


async def test_a_key_that_was_given_back_by_an_end_that_was_erased_is_not_free(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await given_back(store)
        erase(tmp_path / "e.db", 3, session="b")
        held = await store.append("c", 1, [call_started("c", 2, "k", generation=1)])
        assert held == HeldKey("[]:k", "erased", None, "b/c")


# -- what verify compares


@pytest.mark.parametrize(
    "change",
    [
        "status = 'held'", "status = 'done'", "call_id = 'other'", "tool = 'other'", "attempts = 7", "reason = 'x'",
        "run_at = '2030-01-01T00:00:00.000000Z'", "enqueued_at = '2020-01-01T00:00:00.000000Z'", "run_at = 'now'",
        "run_at = '2020-01-01T00:00:00'", "epoch = -1", "epoch = 9223372036854775807", "status = 'leased'",
        "status = 'leased', owner = 'w', lease_until = 'x'",
    ],
)  # fmt: skip
async def test_a_job_that_says_something_else_than_the_log_is_found(change: str, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
        assert await store.verify("a") == []
        write(tmp_path / "e.db", f"UPDATE jobs SET {change}")
        assert any("a/j" in problem for problem in await store.verify("a"))
        assert await store.verify("b") == []


async def test_a_job_that_goes_its_way_is_whole_at_each_step_of_it(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", clock=SetClock()) as store:
        await store.append("s", 0, [started("s"), enqueued("s", 2)])
        lease = await store.lease_job("w", LEASE)
        assert lease is not None
        assert await store.verify("s") == []
        job = {"call_id": "c", "tool": "report", "job": True}
        await store.append("s", 2, [Event("s", 3, 1, EventKind.CALL_STARTED, {**job, "attempt": 1}, START)], job=lease)
        assert await store.verify("s") == []
        failed = {**job, "reason": "timeout", "due_at": (START + timedelta(minutes=1)).isoformat()}
        await store.append("s", 3, [Event("s", 4, 1, EventKind.ATTEMPT_FAILED, failed, START)], job=lease)
        assert await store.verify("s") == []
        await store.append("s", 4, [Event("s", 5, 1, EventKind.JOB_RELEASED, job, START), enqueued("s", 6, after=9)])
        assert await store.verify("s") == []
        await store.append("s", 6, [ended("s", 7, "ok")])
        assert await store.verify("s") == []


@pytest.mark.parametrize(
    "change",
    ["epoch = 9223372036854775807", "epoch = -1", "epoch = 0", "lease_until = 'x'", "owner = NULL", "lease_until = NULL",
     "lease_until = '2020-01-01T00:00:00'"],
)  # fmt: skip
async def test_who_drives_a_session_is_told_where_it_can_not_be_so(change: str, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", clock=SetClock()) as store:
        take = Claim(Lease("s", "a", 1), LEASE)
        await store.append("s", 0, [started("s"), claimed("s", 2, "a", 1)], take=take)
        await store.append("t", 0, [started("t")])
        assert await store.verify("s") == []
        write(tmp_path / "e.db", f"UPDATE sessions SET {change} WHERE id = 's'")
        assert await store.verify("s")
        assert await store.verify("t") == []
        set_clock(store, 20)
        later = Claim(Lease("s", "b", 2), LEASE)
        if change != "epoch = 0":
            with pytest.raises(DamagedRow, match="a row of s in the table `sessions`"):
                await store.append("s", 2, [claimed("s", 3, "b", 2)], take=later)


async def test_an_amount_that_is_no_number_is_told_where_the_meter_is_read(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
        write(tmp_path / "e.db", "UPDATE meter_entries SET amount = 'x'")
        for ask in (lambda: store.meter_used("k", None), lambda: store.append("b", 1, [adds()])):
            with pytest.raises(DamagedRow, match="a row of a in the table `meter_entries`"):
                await ask()


def adds() -> Event:
    return call_started("b", 2, None, **adding(1))


async def test_a_row_that_stands_where_a_log_goes_on_hurts_that_session_alone(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
        write(tmp_path / "e.db", "UPDATE requests SET id = 'b.1'")
        with pytest.raises(DamagedRow, match="a row of b in the table `requests`"):
            await store.append("b", 1, [opened("b", 2, "b.1")])
        await store.append("b", 1, [woken("b", 2)])


# -- what belongs to nobody


STRAYS = {
    "a request": "INSERT INTO requests SELECT 'g.1', kind, 'g', status, opened_at, expires_at, payload, counts_at FROM requests",
    "a job": "INSERT INTO jobs (id, session_id, call_id, tool, status, run_at, enqueued_at)"
    " SELECT 'g/c', 'g', 'c', tool, 'done', run_at, enqueued_at FROM jobs",
    "a snapshot": "INSERT INTO snapshots VALUES ('g', 1, 'l', 'v', x'00', 'h', 'k')",
    "a key": "INSERT INTO idempotency_keys (key, holder, status) VALUES ('x', 'g/c', 'ok')",
    "a key of no call": "INSERT INTO idempotency_keys (key, holder, status) VALUES ('x', 'g', 'ok')",
    "the entry of a meter": "INSERT INTO meter_entries (key, holder, amount, at) VALUES ('x', 'g/c', '1', 'x')",
    "events": "INSERT INTO segments SELECT 99, first, last, hash, body FROM segments WHERE session = 1 AND first = 1",
}


@pytest.mark.parametrize("what", STRAYS)
async def test_what_stands_for_a_session_that_there_is_not_is_found(what: str, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
        assert await store.strays() == {}
        write(tmp_path / "e.db", STRAYS[what])
        assert list(await store.strays()) == ["session number 99" if what == "events" else "g"]


@pytest.mark.parametrize(("first", "last"), [(0, 0), (-5, -1), (-1, 0), (6, 5), (99, 99), (1 << 62, 1 << 62)])
async def test_events_of_any_number_that_do_not_belong_there_are_found(first: int, last: int, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
        values = f"session, {first}, {last}, hash, body FROM segments WHERE session = 1 AND first = 1"
        write(tmp_path / "e.db", f"INSERT INTO segments SELECT {values}")
        assert await store.verify("a")
        with pytest.raises(CorruptLog):
            await store.load("a")


@pytest.mark.parametrize("change", ["DELETE FROM store", "INSERT INTO store (id) VALUES ('x')"])
async def test_a_store_that_is_not_one_is_told(change: str, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
        assert await store.file_problems() == []
        write(tmp_path / "e.db", change)
        assert await store.file_problems()


FOREIGN = {
    "trigger `gone` on `segments`": "CREATE TRIGGER gone AFTER INSERT ON segments BEGIN DELETE FROM requests; END",
    "view `beside`": "CREATE VIEW beside AS SELECT * FROM requests",
    "table `more`": "CREATE TABLE more (id TEXT)",
    "index `odd` on `requests`": "CREATE UNIQUE INDEX odd ON requests (status)",
    "index `keys_by_holder`": "DROP INDEX keys_by_holder",
    "table `jobs`": "ALTER TABLE jobs ADD COLUMN more TEXT",
}


@pytest.mark.parametrize("told", FOREIGN)
async def test_what_somebody_has_added_to_the_file_is_told(told: str, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
        write(tmp_path / "e.db", FOREIGN[told])
        assert [told in problem for problem in await store.file_problems()] == [True]


# -- erased payloads


def erase(path: Path, *numbers: int, session: str = "a") -> None:
    raw = sqlite3.connect(path, isolation_level=None)
    (own,) = raw.execute("SELECT number FROM sessions WHERE id = ?", (session,)).fetchone()
    for first, *row in raw.execute("SELECT first, last, hash, body FROM segments WHERE session = ?", (own,)).fetchall():
        segment = chain.Segment(session, first, *row)
        for number in range(segment.first, segment.last + 1):
            if number in numbers:
                segment = chain.erase(segment, number)
        raw.execute("UPDATE segments SET body = ? WHERE session = ? AND first = ?", (segment.body, own, first))
    raw.close()


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
async def test_an_erased_payload_is_told_and_is_no_fault(number: int, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
        assert await store.erased("a") == []
        erase(tmp_path / "e.db", number)
        assert await store.erased("a") == [number]
        assert await store.verify("a") == []


@pytest.mark.parametrize(
    ("erased", "change"),
    [
        # what the erased event can't have made
        (1, "INSERT INTO idempotency_keys (key, holder, status) VALUES ('x', 'a/c', 'ok')"),
        (3, "INSERT INTO idempotency_keys (key, holder, status) VALUES ('x', 'a/c', 'ok')"),
        (2, "INSERT INTO idempotency_keys (key, holder, status) VALUES ('x', 'a/c', 'ok'), ('y', 'a/c', 'ok')"),
        (1, "UPDATE requests SET payload = '{}'"),
        (3, "UPDATE requests SET status = 'answered'"),
        (3, "UPDATE jobs SET tool = 'other'"),
        (3, "UPDATE idempotency_keys SET holder = 'a/other'"),
        (3, "UPDATE meter_entries SET amount = '3'"),
        (4, "UPDATE idempotency_keys SET output = '{}'"),
        (4, "DELETE FROM idempotency_keys"),
        (4, "DELETE FROM jobs"),
        (5, "UPDATE requests SET status = 'answered'"),
        (5, "DELETE FROM requests"),
        (3, "UPDATE sessions SET state = 'done'"),
    ],
)  # fmt: skip
async def test_what_an_erased_payload_does_not_explain_is_found_all_the_same(
    erased: int, change: str, tmp_path: Path
) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
        erase(tmp_path / "e.db", erased)
        assert await store.verify("a") == []
        write(tmp_path / "e.db", change)
        assert await store.verify("a")


async def test_a_snapshot_that_holds_what_was_erased_is_told(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", KEY) as store:
        await kept(store)
        await store.save_snapshot("a", 5, "none", "{}")
        assert await store.verify("a") == []
        erase(tmp_path / "e.db", 3)
        assert any("may hold what was erased" in problem for problem in await store.verify("a"))


# -- seals


async def test_nothing_is_added_without_the_key_to_a_log_that_one_has_sealed(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", KEY) as store:
        await kept(store)
    async with open_store(tmp_path / "e.db") as store:
        with pytest.raises(SealedLog, match="ENGINE_LOG_KEY"):
            await store.append("b", 1, [woken("b", 2)])
        assert len(await store.load("b")) == 1
    async with open_store(tmp_path / "e.db", KEY) as store:
        assert await store.verify("b") == []
        await store.append("b", 1, [woken("b", 2)])


async def test_a_head_without_a_seal_is_sealed_only_where_that_is_meant(tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db") as store:
        await kept(store)
    newer = LogKey((b"n" * 32, *KEY.keys))
    async with open_store(tmp_path / "e.db", KEY) as store:
        assert any("--unsealed" in problem for problem in await store.seal("a"))
        assert await store.verify("a")
        assert await store.seal("a", unsealed=True) == []
        assert await store.verify("a") == []
    async with open_store(tmp_path / "e.db", newer) as store:
        assert await store.seal("a") == []
        assert await store.seal("b") != []
    async with open_store(tmp_path / "e.db", LogKey(newer.keys[:1])) as store:
        assert await store.verify("a") == []


# -- moments, as they are compared


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00.000000Z",
        "2024-02-29T00:00:00.000000Z", "2026-02-29T00:00:00.000000Z", "2026-02-31T00:00:00.000000Z", "now", "x", "",
        "0000-01-01T00:00:00.000000Z", "2026-01-01T24:00:00.000000Z", "2026-01-01T00:00:60.000000Z",
        "2026-01-01T00:00:00", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000+00:00", "2461042.5", "12:00",
        "2026-01-01T00:00:00.000000", "2026-01-01 00:00:00.000000Z", "2026-01-01T00:00:00.00000xZ",
        "2026-13-01T00:00:00.000000Z", "-001-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000000z",
    ],
)  # fmt: skip
def test_the_file_and_the_program_take_the_same_texts_for_moments(text: str) -> None:
    raw = connected(":memory:")
    (said,) = raw.execute("SELECT is_moment(?1)", (text,)).fetchone()
    raw.close()
    assert bool(said) is (moment(text) is not None)


# -- the queue


DAMAGED_JOBS = {
    "a moment that is none": "run_at = 'now'",
    "a moment without its zone": "run_at = '2020-01-01T00:00:00'",
    "more leases than there can be": f"epoch = {MOST_TAKEN + 1}",
    "as many leases as fit into a number": "epoch = 9223372036854775807",
    "no lease": "status = 'leased'",
    "a lease that ends at no moment": "status = 'leased', owner = 'w', lease_until = 'x'",
    "another call": "call_id = 'other'",
    "another session": "session_id = 'b'",
    "no session": "session_id = 'g', id = 'g/j'",
}


@pytest.mark.parametrize("what", DAMAGED_JOBS)
async def test_a_damaged_job_is_given_to_nobody_and_told_and_the_next_one_is_given(what: str, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", clock=SetClock()) as store:
        await kept(store)
        write(tmp_path / "e.db", f"UPDATE jobs SET {DAMAGED_JOBS[what]}")
        assert await store.next_job_at() is None
        far = datetime.max.replace(tzinfo=START.tzinfo) - 2 * LEASE
        set_clock(store, (far - START).total_seconds())
        assert await store.lease_job("w", LEASE) is None
        set_clock(store, 0)
        (damaged,) = await store.damaged_jobs()
        assert damaged.problem
        await store.append("b", 1, [enqueued("b", 2)])
        lease = await store.lease_job("w", LEASE)
        assert lease is not None
        assert lease.job_id == "b/c"
        assert len(await store.damaged_jobs()) == 1
