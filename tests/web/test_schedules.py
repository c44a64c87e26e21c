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
from engine.ports.store import Store
from engine.runtime.clock import TrioClock
from engine.runtime.host_secrets import HostSecrets
from engine.store.memory import MemoryStore
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
async def serving(store: Store, clock: TrioClock) -> AsyncIterator[WebService]:
    bundle = load_directory(ROOT).bundle
    assert bundle is not None
    async with (
        open_engine(store, clock=clock) as engine,
        opened_service(
            engine, store, bundle, clock, HostSecrets(), url="http://x", access=Access(), webhooks={}
        ) as service,
    ):
        yield service


async def begun(store: Store) -> list[datetime]:
    return sorted(row.created_at for row in await store.sessions() if row.created_at is not None)


async def ran(schedule: Schedule, store: Store, clock: TrioClock, hours: float, *, services: int = 1) -> None:
    """Let services run a schedule for some hours."""
    async with serving(store, clock) as service:
        with trio.move_on_after(hours * 3600):
            async with trio.open_nursery() as nursery:
                for _ in range(services):
                    nursery.start_soon(Scheduler(service, {schedule.name: schedule}).run)


async def test_a_session_begins_at_each_time_and_of_two_services_one_begins_it(autojump_clock: MockClock) -> None:
    store, clock = MemoryStore(), TrioClock(BEGINS)
    await ran(replace(HOURLY, overlap=Overlap.ALLOW), store, clock, 2.5, services=2)
    hours = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (9, 10, 11)]
    assert [moment.replace(second=0, microsecond=0) for moment in await begun(store)] == hours
    session = (await store.sessions())[0]
    assert await store.access.tenant_of(session.id) == "acme"
    assert (await store.load(session.id))[0].payload["attributes"] == {"account_id": "acct_1002", "tenant": "acme"}


async def test_a_time_is_passed_over_while_the_session_before_is_not_over(autojump_clock: MockClock) -> None:
    store, clock = MemoryStore(), TrioClock(BEGINS)
    await ran(HOURLY, store, clock, 3.5)
    # nobody drives it: it stays as it began
    assert len(await begun(store)) == 1
    (row,) = await store.sessions()
    async with open_engine(store, clock=clock) as engine:
        session = engine.session(row.id)
        await session.cancel(by="dana")
        await session.settled()
        assert (await store.session(row.id)).state == "cancelled"
    await ran(HOURLY, store, clock, 1)
    assert len(await begun(store)) == 2


@pytest.mark.parametrize(("misfire", "count"), [(Misfire.SKIP, 1), (Misfire.ONCE, 2)])
async def test_what_was_missed_is_made_up_for_once_or_not_at_all(
    autojump_clock: MockClock, misfire: Misfire, count: int
) -> None:
    store, clock = MemoryStore(), TrioClock(BEGINS)
    schedule = replace(HOURLY, misfire=misfire, overlap=Overlap.ALLOW)
    await ran(schedule, store, clock, 0.1)
    assert len(await begun(store)) == 1
    await trio.sleep(5 * 3600)
    # half an hour behind the newest of five times
    await trio.sleep(1800 - 360)
    await ran(schedule, store, clock, 0.1)
    assert len(await begun(store)) == count
    await ran(schedule, store, clock, 0.1)
    assert len(await begun(store)) == count


async def test_a_new_schedule_makes_up_for_nothing_before_it(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    await ran(replace(HOURLY, misfire=Misfire.ONCE), store, TrioClock(BEGINS + timedelta(minutes=10)), 0.5)
    assert await begun(store) == []


async def test_what_can_not_begin_is_told_and_keeps_no_other_from_beginning(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    store, clock = MemoryStore(), TrioClock(BEGINS)
    wrong = replace(HOURLY, name="wrong", agent="nobody")
    async with serving(store, clock) as service:
        with trio.move_on_after(600):
            await Scheduler(service, {"wrong": wrong, "hourly": HOURLY}).run()
    assert len(await begun(store)) == 1
    assert "the schedule wrong began nothing" in caplog.text


@pytest.mark.parametrize(
    ("now", "last", "following"),
    [
        # clocks go on from 2:00 to 3:00: 2:30 comes at 3:00, once
        ((2026, 3, 29, 0, 30), (2026, 3, 28, 1, 30), (2026, 3, 29, 1, 0)),
        ((2026, 3, 29, 1, 30), (2026, 3, 29, 1, 0), (2026, 3, 30, 0, 30)),
        # and back from 3:00 to 2:00: 2:30 comes twice, and counts once
        ((2026, 10, 25, 0, 45), (2026, 10, 25, 0, 30), (2026, 10, 26, 1, 30)),
    ],
)
def test_a_time_is_by_the_clock_of_its_zone(
    now: tuple[int, ...], last: tuple[int, ...], following: tuple[int, ...]
) -> None:
    schedule = replace(HOURLY, cron="30 2 * * *", zone=ZoneInfo("Europe/Berlin"))
    moments = [datetime(*parts, tzinfo=UTC) for parts in (now, last, following)]  # type: ignore[arg-type, misc]
    assert [schedule.last(moments[0]), schedule.next(moments[0])] == moments[1:]


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
