"""What a server may do to a store, and what of a write that nobody knows the end of is kept: all of it, once."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
import trio

from engine.ports.records import Appended, Conflict
from engine.runtime.lease_keeper import GRACE, LEASE
from engine.session.state.event import EventKind
from engine.store.faults import BadStoreUrl, StoreFault
from engine.store.postgres.address import NETWORK, address_of
from engine.store.postgres.clock import ServerClock
from engine.store.postgres.database import PostgresTransactions
from engine.store.postgres.placeholders import numbered
from engine.store.rows import moment
from engine.store.urls import open_url, server_findings
from engine.testing.log_events import call_started, started, woken
from tests.postgres import HAS_POSTGRES, PostgresServer, server

pytestmark = pytest.mark.skipif(not HAS_POSTGRES, reason="there is no PostgreSQL server here")


def test_values_are_numbered_as_postgres_has_them() -> None:
    assert numbered("a = ? AND b = ?") == ("a = $1 AND b = $2", (0, 1))
    assert numbered("a = ?4 OR b = ?2 AND ?4 = '?'") == ("a = $1 OR b = $2 AND $1 = '?'", (3, 1))
    assert numbered("a = ?3 AND id NOT IN (?, ?)") == ("a = $1 AND id NOT IN ($2, $3)", (2, 3, 4))


@pytest.mark.parametrize(
    "text",
    ["2026-01-31T23:59:59.999999Z", "0001-01-01T00:00:00.000000Z", "2024-02-29T00:00:00.000000Z",
     "2026-02-29T00:00:00.000000Z", "now", "", "0000-01-01T00:00:00.000000Z", "2026-01-01T24:00:00.000000Z",
     "2026-01-01T00:00:60.000000Z", "2026-01-01T00:60:00.000000Z", "2026-01-01T00:00:00Z", "2026-13-01T00:00:00.000000Z",
     "2026-01-01T00:00:00.000000z", "-001-01-01T00:00:00.000000Z", None],
)  # fmt: skip
async def test_the_server_and_the_program_take_the_same_texts_for_moments(text: str | None) -> None:
    async with open_url(server().url("moments")) as store:

        def ask(connection: Any) -> bool:
            return bool(connection.execute("SELECT is_moment(?)", (text,)).fetchone()[0])

        assert await store._database.read(ask) is (moment(text) is not None)  # type: ignore[attr-defined]


async def test_of_many_who_append_at_two_processes_one_wins_each_place_and_none_is_lost() -> None:
    url = server().url()
    async with open_url(url) as one, open_url(url) as other:
        await one.append("s", 0, [started("s")])
        won: list[int] = []

        async def append(store: Any, seq: int) -> None:
            if await store.append("s", seq - 1, [woken("s", seq)]) == Appended():
                won.append(seq)

        for seq in range(2, 12):
            async with trio.open_nursery() as nursery:
                for store in (one, other) * 4:
                    nursery.start_soon(append, store, seq)
        assert won == list(range(2, 12))
        assert [event.seq for event in await other.load("s")] == list(range(1, 12))
        assert await one.verify("s") == []


async def test_two_processes_that_want_one_key_or_the_same_room_of_a_meter_do_not_both_get_it() -> None:
    url = server().url()
    async with open_url(url) as one, open_url(url) as other:
        for round_ in range(20):
            came: list[Any] = []

            async def claim(store: Any, name: str, round_: int, came: list[Any]) -> None:
                await store.append(name, 0, [started(name)])
                # all of it but what the meter has room for once
                more: dict[str, Any] = {
                    "reserved": [{"meter": "usd", "key": f"m{round_}", "amount": 60, "limit": 100, "since": None}]
                }
                came.append(await store.append(name, 1, [call_started(name, 2, f"k{round_}", **more)]))

            async with trio.open_nursery() as nursery:
                for store, name in ((one, f"a{round_}"), (other, f"b{round_}")):
                    nursery.start_soon(claim, store, name, round_, came)
            assert [isinstance(result, Appended) for result in came].count(True) == 1, came
            assert await one.meter_used(f"m{round_}", None) == 60


async def test_a_commit_whose_answer_was_lost_is_found_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    commit, lost = PostgresTransactions.commit, ["after", "before"]

    def cut(self: PostgresTransactions) -> None:
        """The connection goes, before the commit has reached the server or behind it."""
        when = lost.pop() if lost and armed else ""
        if when == "before":
            self.connection.raw.close()
        commit(self)
        if when == "after":
            self.connection.raw.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    armed = False
    async with open_url(server().url()) as store:
        await store.append("s", 0, [started("s")])
        monkeypatch.setattr(PostgresTransactions, "commit", cut)
        armed = True
        for seq in (2, 3):
            assert await store.append("s", seq - 1, [woken("s", seq)]) == Appended()
        assert lost == []
        assert [event.seq for event in await store.load("s")] == [1, 2, 3]
        assert await store.verify("s") == []
        # the same said by somebody else is another append
        assert await store.append("s", 1, [woken("s", 2)]) == Conflict(3)


async def test_restarts_of_the_server_under_load_lose_and_double_nothing() -> None:
    own = PostgresServer()
    acknowledged: dict[str, int] = {}
    try:
        async with open_url(own.url("load")) as store:
            ended = False

            async def append(name: str) -> None:
                await store.append(name, 0, [started(name)])
                seq = 1
                while not ended:
                    assert await store.append(name, seq, [woken(name, seq + 1)]) == Appended()
                    seq += 1
                    acknowledged[name] = seq

            async with trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(append, f"s{number}")
                for _ in range(3):
                    await trio.sleep(0.3)
                    await trio.to_thread.run_sync(own.stop)
                    await trio.to_thread.run_sync(own.start)
                await trio.sleep(0.3)
                ended = True
            for name, seq in acknowledged.items():
                log = await store.load(name)
                assert [event.seq for event in log] == list(range(1, seq + 1))
                assert await store.verify(name) == []
            assert len(acknowledged) == 20
    finally:
        own.stop()


async def test_a_question_waits_for_a_server_that_restarts() -> None:
    own = PostgresServer()
    try:
        async with open_url(own.url("asked")) as store:
            await store.append("s", 0, [started("s")])
            await store.load("s")
            await trio.to_thread.run_sync(own.stop)
            async with trio.open_nursery() as nursery:
                for _ in range(6):
                    nursery.start_soon(store.load, "s")
                await trio.sleep(0.2)
                await trio.to_thread.run_sync(own.start)
            assert len(await store.load("s")) == 1
    finally:
        own.stop()


async def test_a_server_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.postgres.database.PATIENCE", 0.2)
    own = PostgresServer()
    async with open_url(own.url("away")) as store:
        await store.append("s", 0, [started("s")])
        own.stop()
        with pytest.raises(StoreFault, match=r"postgres at .* can't be reached"):
            await store.append("s", 1, [woken("s", 2)])
        with pytest.raises(StoreFault, match="can't be reached"):
            await store.load("s")
    with pytest.raises(StoreFault, match="can't be used"):
        async with open_url(own.url("away")):
            pytest.fail("it opened")


async def test_who_stands_still_in_a_transaction_loses_it_and_those_who_wait_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.store.postgres.database.NETWORK", 1)
    url = server().url()
    async with open_url(url) as one, open_url(url) as other:
        await one.append("s", 0, [started("s")])
        stands_still, goes_on = trio.Event(), threading.Event()
        token = trio.lowlevel.current_trio_token()

        def stand_still(connection: Any) -> None:
            # what it has named is locked once the server has answered
            connection.execute("SELECT 1").fetchone()
            token.run_sync_soon(stands_still.set)
            goes_on.wait(600)

        async def hold() -> None:
            # it is tried again on a new connection, and ends then
            await one._database.write(stand_still, "s")  # type: ignore[attr-defined]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold)
            await stands_still.wait()
            try:
                assert await other.append("s", 1, [woken("s", 2)]) == Appended()
            finally:
                goes_on.set()


async def test_a_job_that_takes_its_connection_down_fails_alone() -> None:
    async with open_url(server().url()) as store:
        database = store._database  # type: ignore[attr-defined]
        came: dict[str, Any] = {}

        async def append(name: str) -> None:
            came[name] = await store.append(name, 0, [started(name)])

        async def takes_it_down() -> None:
            ends = "SELECT pg_terminate_backend(pg_backend_pid())"
            with pytest.raises(StoreFault):
                await database.write(lambda c: c.execute(ends).fetchone())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(append, "a")
            nursery.start_soon(append, "b")
            nursery.start_soon(takes_it_down)
            nursery.start_soon(append, "c")
        assert came == dict.fromkeys("abc", Appended())


async def test_who_only_looks_makes_no_store() -> None:
    url = server().url()
    with pytest.raises(BadStoreUrl, match="there is no store in the schema"):
        async with open_url(url, make=False):
            pytest.fail("it opened")
    async with open_url(url) as store:
        await store.append("s", 0, [started("s")])
    async with open_url(url, make=False) as store:
        (event,) = await store.load("s")
        assert event.kind is EventKind.SESSION_STARTED


def test_an_address_is_read_and_a_password_in_it_is_refused() -> None:
    address = address_of("postgresql://ops@db.example:5433/agents?schema=mine&sslmode=require")
    assert (address.schema, address.shown) == ("mine", "agents at db.example")
    for url in ("postgresql://ops:s3cret@db.example/agents", "postgresql://db.example/agents?password=s3cret"):
        with pytest.raises(BadStoreUrl, match="PGPASSWORD") as raised:
            address_of(url)
        assert "s3cret" not in str(raised.value)
    assert address.options["sslmode"] == "require"
    with pytest.raises(BadStoreUrl, match="names no database"):
        address_of("postgresql://db.example")
    local = address_of("postgresql:///agents?options=-c%20work_mem%3D1MB&schema=mine&application_name=a%20b")
    assert (local.options["options"], local.options["application_name"]) == ("-c work_mem=1MB", "a b")
    assert local.url == "postgresql:///agents?schema=mine"
    # as it can be given again; two servers on one host are two
    assert address.url == "postgresql://ops@db.example:5433/agents?schema=mine"
    assert address_of("postgresql://u@/d?host=%2Ftmp%2Fx&port=5433").url == (
        "postgresql://u@:5433/d?host=%2Ftmp%2Fx&schema=engine"
    )
    assert address_of(address_of("postgresql://u@/d?host=%2Ftmp%2Fx&port=5433").url).options["port"] == "5433"
    for schema in ("a" * 41, "Mine", "1a", "a-b", "a;b", ""):
        with pytest.raises(BadStoreUrl, match="small letters, digits and `_`, 40 at most"):
            address_of(f"postgresql://db.example/agents?schema={schema}")


async def test_a_longest_schema_holds_a_store_that_others_hear_of() -> None:
    url = server().url("a" * 40)
    async with open_url(url) as store:
        await store.append("s", 0, [started("s")])


async def test_a_database_that_holds_not_every_text_is_refused_and_so_is_what_is_no_store() -> None:
    url = server().url("odd")
    with psycopg.connect(**{**address_of(url).options, "autocommit": True}) as raw:
        raw.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        raw.execute("CREATE SCHEMA odd")
        raw.execute("CREATE VIEW odd.store AS SELECT 1 AS id")
    with pytest.raises(StoreFault, match="has the encoding LATIN1, and holds not every text"):
        async with open_url(url.replace("/postgres?", "/latin?")):
            pytest.fail("it opened")
    with pytest.raises(StoreFault, match="says no version"):
        async with open_url(url):
            pytest.fail("it opened")


async def test_a_role_that_may_only_read_is_told_so() -> None:
    url = server().url("rights")
    async with open_url(url):
        pass
    with psycopg.connect(**{**address_of(url).options, "autocommit": True}) as raw:
        raw.execute("CREATE ROLE looks LOGIN")
        raw.execute("GRANT USAGE ON SCHEMA rights TO looks")
        raw.execute("GRANT SELECT ON ALL TABLES IN SCHEMA rights TO looks")
    looks = url.replace("//engine@", "//looks@")
    async with open_url(looks) as store:
        assert await store.session_ids() == []
        with pytest.raises(StoreFault, match="refuses it to this role: permission denied"):
            await store.append("s", 0, [started("s")])
    told = [one.told for one in server_findings(looks) if not one.well]
    assert any(one.startswith("this role has no right to INSERT in absences, ") for one in told)


async def test_a_table_that_is_missing_is_told_in_one_line() -> None:
    url = server().url("half")
    async with open_url(url) as store:
        await store._database.write(lambda c: c.execute("DROP TABLE meter_entries"))  # type: ignore[attr-defined]
        with pytest.raises(StoreFault, match=r'did not take it: relation "meter_entries" does not exist LINE 1'):
            await store.meter_used("k", None)


async def test_the_clock_is_the_servers_and_never_ahead_of_it() -> None:
    async with open_url(server().url()) as store:
        assert isinstance(store.clock, ServerClock)

        def ask(connection: Any) -> Any:
            return connection.execute("SELECT clock_timestamp()").fetchone()[0]

        before = store.clock.now()
        said = await store._database.read(ask)  # type: ignore[attr-defined]
        assert before <= said
        assert (said - before).total_seconds() < 60


def test_a_lease_outlasts_what_the_network_may_take_and_what_runs_has_to_stop() -> None:
    assert LEASE.total_seconds() > NETWORK + GRACE
    # and no URL makes it longer
    loose = address_of("postgresql://u@/d?tcp_user_timeout=600000&connect_timeout=600&keepalives_idle=600")
    with pytest.MonkeyPatch.context() as patch:
        asked: dict[str, Any] = {}
        patch.setattr(psycopg, "connect", lambda **given: asked.update(given))
        loose.connect("test")
    assert (asked["tcp_user_timeout"], asked["connect_timeout"], asked["keepalives_idle"]) == (5000, 5, 2)
