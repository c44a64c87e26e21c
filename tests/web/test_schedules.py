"""Sessions begin by the clock: each time once, whoever looks; what was missed as the schedule says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import trio
from trio.testing import MockClock

from engine.access.grants import Access
from engine.api.engine import open_engine
from engine.bundle.load import load_directory
from engine.config.load import load_settings
from engine.ports.access import Creation
from engine.ports.store import Store
from engine.runtime.host_secrets import HostSecrets
from engine.store.faults import StoreFault
from engine.store.memory import MemoryStore
from engine.trio_clock import TrioClock
from engine.web.open_service import open_service as opened_service
from engine.web.schedule import Misfire, Overlap, Schedule
from engine.web.schedules import Scheduler
from engine.web.service import Service as WebService
from tests.cli.shell import CHARGED, Shell, copy_of_root
from tests.web.service import open_service

ROOT = Path(__file__).resolve().parent.parent.parent
# a Sunday
BEGINS = datetime(2026, 3, 1, 8, 59, 30, tzinfo=UTC)
HOURLY = Schedule(
    "hourly", "0 * * * *", ZoneInfo("UTC"), "support-triage", "acme", CHARGED, {"account_id": "acct_1002"},
)  # fmt: skip


@asynccontextmanager
async def serving(store: Store) -> AsyncIterator[WebService]:
    bundle = load_directory(ROOT).bundle
    assert bundle is not None
    async with (
        open_engine(store) as engine,
        opened_service(engine, store, bundle, HostSecrets(), url="http://x", access=Access(), webhooks={}) as service,
    ):
        yield service


async def begun(store: Store) -> list[datetime]:
    return sorted(row.created_at for row in await store.sessions() if row.created_at is not None)


async def ran(schedule: Schedule, store: Store, hours: float, *, services: int = 1) -> None:
    """Let services run a schedule for some hours."""
    async with serving(store) as service:
        with trio.move_on_after(hours * 3600):
            async with trio.open_nursery() as nursery:
                for _ in range(services):
                    nursery.start_soon(Scheduler(service, {schedule.name: schedule}).run)


async def test_a_session_begins_at_each_time_and_of_two_services_one_begins_it(autojump_clock: MockClock) -> None:
    store = MemoryStore(TrioClock(BEGINS))
    await ran(replace(HOURLY, overlap=Overlap.ALLOW), store, 2.5, services=2)
    hours = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (9, 10, 11)]
    assert [moment.replace(second=0, microsecond=0) for moment in await begun(store)] == hours
    session = (await store.sessions())[0]
    assert await store.access.tenant_of(session.id) == "acme"
    assert (await store.load(session.id))[0].payload["attributes"] == {"account_id": "acct_1002", "tenant": "acme"}


async def test_a_time_is_passed_over_while_the_session_before_is_not_over(autojump_clock: MockClock) -> None:
    store = MemoryStore(TrioClock(BEGINS))
    await ran(HOURLY, store, 3.5)
    # nobody drives it: it stays as it began
    assert len(await begun(store)) == 1
    (row,) = await store.sessions()
    async with open_engine(store) as engine:
        session = engine.session(row.id)
        await session.cancel(by="dana")
        await session.settled()
        assert (await store.session(row.id)).state == "cancelled"
    await ran(HOURLY, store, 1)
    assert len(await begun(store)) == 2


@pytest.mark.parametrize(("misfire", "count"), [(Misfire.SKIP, 1), (Misfire.ONCE, 2)])
async def test_what_was_missed_is_made_up_for_once_or_not_at_all(
    autojump_clock: MockClock, misfire: Misfire, count: int
) -> None:
    store = MemoryStore(TrioClock(BEGINS))
    schedule = replace(HOURLY, misfire=misfire, overlap=Overlap.ALLOW)
    await ran(schedule, store, 0.1)
    assert len(await begun(store)) == 1
    await trio.sleep(5 * 3600)
    # half an hour behind the newest of five times
    await trio.sleep(1800 - 360)
    await ran(schedule, store, 0.1)
    assert len(await begun(store)) == count
    await ran(schedule, store, 0.1)
    assert len(await begun(store)) == count


async def test_a_new_schedule_makes_up_for_nothing_before_it(autojump_clock: MockClock) -> None:
    store = MemoryStore(TrioClock(BEGINS + timedelta(minutes=10)))
    await ran(replace(HOURLY, misfire=Misfire.ONCE), store, 0.5)
    assert await begun(store) == []


async def test_what_can_not_begin_is_told_and_keeps_no_other_from_beginning(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore(TrioClock(BEGINS))
    wrong = replace(HOURLY, name="wrong", agent="nobody")
    async with serving(store) as service:
        with trio.move_on_after(600):
            await Scheduler(service, {"wrong": wrong, "hourly": HOURLY}).run()
    assert len(await begun(store)) == 1
    assert "the schedule wrong began nothing" in caplog.text


@pytest.mark.parametrize(
    ("cron", "zone", "day"),
    [
        (cron, zone, day)
        for cron in ("*/15 * * * *", "30 2 * * *", "30 * * * *", "0 */2 * * *", "15 2,3 * * *", "* 2 * * *")
        for zone, day in (
            ("Europe/Berlin", datetime(2026, 3, 29, tzinfo=UTC)),
            ("Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC)),
            ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC)),
            ("Australia/Lord_Howe", datetime(2026, 4, 4, 12, tzinfo=UTC)),
        )
    ],
)
def test_by_whatever_clock_each_time_comes_once_and_none_before_its_time(cron: str, zone: str, day: datetime) -> None:
    schedule = replace(HOURLY, cron=cron, zone=ZoneInfo(zone))
    passed, came = day, []
    for minute in range(1, 26 * 60):
        now = day + timedelta(minutes=minute)
        time = schedule.newest(passed, now)
        if time is not None:
            assert passed < time <= now
            came.append(time)
            passed = time
        following = schedule.next(now)
        assert following is not None
        assert following > now
    assert came == sorted(set(came))
    # looked at once a minute nothing is made up for, and nothing is left out
    local = [one.astimezone(ZoneInfo(zone)) for one in came]
    assert came, local
    known, at = [], day
    while (at := schedule.next(at) or at) < day + timedelta(minutes=26 * 60):
        known.append(at)
    assert came == [one for one in known if one <= day + timedelta(minutes=26 * 60 - 1)]


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 29, [1]), (10, 25, [0])])
def test_a_time_of_the_night_comes_once_when_clocks_change(month: int, day: int, hours: list[int]) -> None:
    schedule = replace(HOURLY, cron="30 2 * * *", zone=ZoneInfo("Europe/Berlin"))
    start = datetime(2026, month, day, tzinfo=UTC)
    first = schedule.next(start)
    assert first is not None
    assert [first.hour] == hours
    assert (schedule.next(first) or start) - first > timedelta(hours=20)


def test_a_time_that_was_long_missed_is_the_newest() -> None:
    now = datetime(2026, 6, 1, 12, 0, 30, tzinfo=UTC)
    every_minute = replace(HOURLY, cron="* * * * *")
    assert every_minute.newest(now - timedelta(days=90), now) == now.replace(second=0)
    yearly = replace(HOURLY, cron="0 0 1 1 *")
    assert yearly.newest(now - timedelta(days=400), now) == datetime(2026, 1, 1, tzinfo=UTC)


async def test_what_could_not_begin_is_tried_again(autojump_clock: MockClock) -> None:
    store = MemoryStore(TrioClock(BEGINS))
    async with serving(store) as service:
        scheduler = Scheduler(service, {"hourly": HOURLY})
        assert await scheduler.look(HOURLY) is None
        await trio.sleep(45)
        real, fails = store.access.reserve, [True]

        async def reserve(creation: Creation) -> Creation:
            if fails.pop() if fails else False:
                raise StoreFault("locked")
            return await real(creation)

        store.access.reserve = reserve  # type: ignore[method-assign]
        with pytest.raises(StoreFault):
            await scheduler.look(HOURLY)
        assert await scheduler.look(HOURLY) is not None


async def test_a_time_that_was_reserved_by_who_died_is_begun(autojump_clock: MockClock) -> None:
    store = MemoryStore(TrioClock(BEGINS))
    await ran(HOURLY, store, 0.1)
    (row,) = await store.sessions()
    creation = await store.access.newest_creation("acme/schedule:hourly/sessions/external")
    assert creation is not None
    other = MemoryStore(store.clock)
    await other.access.reserve(creation)
    await ran(replace(HOURLY, misfire=Misfire.ONCE), other, 0.1)
    assert [one.id for one in await other.sessions()] == [row.id]


CRON = "kind: Schedule\nname: nightly\ncron: {cron}\nzone: {zone}\nmessage: hello\n"


@pytest.mark.parametrize(
    ("cron", "zone", "key"),
    [
        ('"61 * * * *"', "UTC", "cron"),
        ('"* * * *  "', "UTC", "cron"),
        ('"0 0 31 2 *"', "UTC", "cron"),
        ('"0 0 * * * *"', "UTC", "cron"),
        ('"0 0 * * *"', "Europe/Nowhere", "zone"),
        ('"0 0 * * *"', "../../etc/passwd", "zone"),
    ],
)
def test_what_is_no_time_is_told_where_it_stands(cron: str, zone: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "engine.yaml").write_text("kind: Service\ninclude: [nightly.yaml]\n")
    (tmp_path / "nightly.yaml").write_text(CRON.format(cron=cron, zone=zone))
    (one,) = load_settings(tmp_path / "engine.yaml", {}, {}, "memory:").diagnostics
    assert (one.code, f"`{key}`" in one.message) == ("E206", True), one


NIGHTLY = """\
kind: Schedule
name: nightly
cron: 0 3 1 1 *
zone: Europe/Berlin
agent: support-triage
tenant: acme
attributes: {account_id: acct_1002}
"""


def test_schedules_are_listed_and_run_at_once(tmp_path: Path) -> None:
    at = copy_of_root(tmp_path)
    (at / "engine.yaml").write_text("kind: Service\ninclude: [nightly.yaml]\n")
    (at / "nightly.yaml").write_text(NIGHTLY + f"message: {json.dumps(CHARGED)}\n")
    with open_service(Shell(at), "--config", "engine.yaml") as service, service.client("ops", "operator") as ops:
        (row,) = ops.get("/v1/schedules").json()["items"]
        assert (row["id"], row["zone"], row["last"]) == ("nightly", "Europe/Berlin", None)
        assert row["next_at"].endswith("-01-01T02:00:00.000000Z")
        done = ops.post("/v1/schedules/nightly/run", json={})
        assert done.status_code == 201, done.text
        assert service.waits(ops, done.json()["id"], "awaiting_human_review")["attributes"]["tenant"] == "acme"
        with service.client("audit", "auditor") as audit:
            told = [(row["actor"], row["action"]) for row in audit.get("/v1/audit").json()["items"]]
        assert ("schedule:nightly", "start") in told
        assert ops.post("/v1/schedules/other/run", json={}).status_code == 404
        with service.client("globex", "operator", "--tenant", "globex") as other:
            assert other.get("/v1/schedules").json()["items"] == []
            assert other.post("/v1/schedules/nightly/run", json={}).status_code == 404
