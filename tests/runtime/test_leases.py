"""A process that can't reach its store stops what it runs before others can have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from engine.runtime.errors import LeaseLost
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.runtime.worker import Worker
from engine.session.state.state import Status
from engine.store.memory import MemoryStore
from engine.trio_clock import TrioClock
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.runtime.acting import Acting, after
from tests.runtime.test_engine import DONE, plan, script
from tests.session.play import START, call

MADE = bundle(
    agent("[report, look]", policies="[rules]"),
    policy(ALLOW),
    tool("report", "write", more="mode: job\ntimeout: 60s\n"),
    tool("look", more="timeout: 60s\n"),
)


class CutOff(MemoryStore):
    """Nothing comes back from it once it is cut off, but what it was told before."""

    def __init__(self) -> None:
        super().__init__(TrioClock(START))
        self.cut = False

    async def _reach(self) -> None:
        if self.cut:
            await trio.sleep_forever()

    async def renew(self, leases: Any, duration: Any) -> None:
        await self._reach()
        await super().renew(leases, duration)

    async def heads(self, session_ids: Any) -> Any:
        await self._reach()
        return await super().heads(session_ids)

    async def renew_job(self, lease: Any, duration: Any) -> bool:
        await self._reach()
        return await super().renew_job(lease, duration)


class Acted(Acting):
    """Tools that take a minute, unless they are cut off; when they were."""

    def __init__(self, path: Path) -> None:
        self.cut_at: list[float] = []

        async def act(run: Any) -> Any:
            try:
                return await after(60)(run)
            finally:
                self.cut_at.append(trio.current_time())

        super().__init__(path, {"report": act, "look": act})


async def test_a_driver_stops(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    store, acting = CutOff(), Acted(tmp_path / "runs.txt")
    one = Runner(store, adapters=acting, planner=script(plan(call("a", "look", n=1)), DONE))
    one.bundles.know(MADE)
    session_id = await one.start(MADE, Opening("bot", "hello", {"tenant": "acme"}), tmp_path)
    lost = []

    async def driving() -> None:
        try:
            await one.drive(session_id)
        except LeaseLost as error:
            lost.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(driving)
        await trio.sleep(4)
        store.cut = True
    # it was confirmed last at 3 seconds, for 10, and stopped two before that was over
    assert acting.cut_at == [pytest.approx(11, abs=0.1)]
    assert "not confirmed in time" in lost[0]


async def test_a_driver_that_is_cut_off_for_less_goes_on(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    class Back(CutOff):
        async def _reach(self) -> None:
            if self.cut:
                await back.wait()

    back = trio.Event()
    store, acting = Back(), Acting(tmp_path / "runs.txt", {"look": after(20)})
    one = Runner(store, adapters=acting, planner=script(plan(call("a", "look", n=1)), DONE))
    one.bundles.know(MADE)
    session_id = await one.start(MADE, Opening("bot", "hello", {"tenant": "acme"}), tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.drive, session_id)
        await trio.sleep(4)
        store.cut = True
        await trio.sleep(5)
        store.cut = False
        back.set()
    assert (await one.load(session_id)).status is Status.DONE
    assert acting.runs("look") == 1


async def test_a_job_stops(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    store, acting = CutOff(), Acted(tmp_path / "runs.txt")
    one = Runner(store, adapters=acting, planner=script(plan(call("c", "report", n=1)), DONE, repeat=True))
    one.bundles.know(MADE)
    state = await one.run(MADE, Opening("bot", "hello", {"tenant": "acme"}), tmp_path)
    assert state.status is Status.AWAITING_JOB
    worker = Worker(one)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.work)
        began = trio.current_time()
        await trio.sleep(3)
        store.cut = True
        # before its lease is over, so that nobody has taken it
        await trio.sleep(8)
        nursery.cancel_scope.cancel()
    # its heartbeat at 2 seconds was the last one
    assert acting.cut_at == [pytest.approx(began + 10, abs=0.1)]
    row = await store.job(f"{state.session_id}/c")
    assert row is not None
    assert row.status == "leased", "nobody records what came of it"
