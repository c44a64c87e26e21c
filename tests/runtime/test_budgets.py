"""The ledger on the real loop: what the tools did, counted where they act, never goes beyond it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from engine.planner.script import ScriptedPlanner
from engine.ports.tool import ToolError, ToolInvocation
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.state.event import EventKind
from engine.spec.bundle import Bundle
from engine.spec.planner_spec import PlannerSpec
from engine.store.memory import MemoryStore
from engine.store.sqlite import open_store
from engine.trio_clock import TrioClock
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.runtime.acting import Acting
from tests.session.play import START, call

PAY = "{type: object, properties: {usd: {type: number}}, required: [usd]}"
SHARED = "{meters: {usd: {sum: input.usd, over: [pay], limit: 1000, per: session.zip, window: 24h}}}"
RETRY = "retry: {attempts: 3, on: [retryable, timeout], delay: 1s, factor: 2, jitter: 1}\ntimeout: 2s"

MADE = bundle(
    agent("[pay, look]", policies="[rules]", budgets=SHARED),
    policy(ALLOW),
    tool("pay", "write", input=PAY),
    tool("look", more=RETRY),
)


def engine(acting: Acting, store: Any, *decisions: Any) -> Runner:
    planner = ScriptedPlanner(PlannerSpec("scripted", decisions=decisions))
    made = Runner(store, adapters=acting, planner=planner)
    made.bundles.know(MADE)
    return made


async def start(one: Runner, made: Bundle, at: Path) -> str:
    return await one.start(made, Opening("bot", "hello", {"tenant": "acme", "zip": 7}), at)


def plan(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"message": "", "tool_calls": list(calls)}


DONE = {"message": "bye", "done": True}


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_hundred_sessions_of_thirty_against_a_thousand_pay_thirty_three_times(
    kind: str, tmp_path: Path
) -> None:
    acting = Acting(tmp_path / "runs.txt")

    async def all_of_them(store: Any) -> None:
        one = engine(acting, store, plan(call("p", "pay", usd=30)), DONE)
        ids = [await start(one, MADE, tmp_path) for _ in range(100)]
        async with trio.open_nursery() as nursery:
            for session_id in ids:
                nursery.start_soon(one.drive, session_id)
        results = [(await one.load(session_id)).calls["p"].result for session_id in ids]
        reasons = [result.reason for result in results if result is not None]
        assert sorted(reasons) == [""] * 33 + ["meter_full"] * 67
        last = next(result for result in results if result is not None and result.reason)
        assert "usd has 990 of 1000" in last.message

    if kind == "memory":
        await all_of_them(MemoryStore(TrioClock(START)))
    else:
        async with open_store(tmp_path / "e.db", clock=TrioClock(START)) as store:
            await all_of_them(store)
    assert acting.runs("pay") == 33


async def test_a_read_that_fails_and_hangs_is_tried_again_after_its_delays(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    tries: list[float] = []

    async def flaky(run: ToolInvocation) -> Any:
        tries.append(trio.current_time())
        if len(tries) == 1:
            raise ToolError("busy", "try again", retryable=True, acted=False)
        if len(tries) == 2:
            await trio.sleep_forever()
        return {}

    acting = Acting(tmp_path / "runs.txt", {"look": flaky})
    store = MemoryStore(TrioClock(START))
    one = engine(acting, store, plan(call("a", "look")), DONE)
    session_id = await start(one, MADE, tmp_path)
    state = await one.drive(session_id)
    assert state.calls["a"].ok
    assert acting.runs("look") == 3
    failed = [e.payload for e in await store.load(session_id) if e.kind is EventKind.ATTEMPT_FAILED]
    assert [(p["attempt"], p["failure"]) for p in failed] == [(1, "retryable"), (2, "timeout")]
    waits = [tries[1] - tries[0], tries[2] - tries[1] - 2]
    assert waits == pytest.approx([float(p["delay"]) for p in failed], abs=1e-3)
    assert all(0 <= wait <= most for wait, most in zip(waits, (1, 2), strict=True))


async def test_a_session_that_waits_for_an_attempt_leaves_nothing_running(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async def busy(run: ToolInvocation) -> Any:
        raise ToolError("busy", "try again", retryable=True, acted=False)

    before = trio.lowlevel.current_statistics().tasks_living
    one = engine(
        Acting(tmp_path / "runs.txt", {"look": busy}), MemoryStore(TrioClock(START)), plan(call("a", "look")), DONE
    )
    session_id = await start(one, MADE, tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.drive, session_id)
        await trio.testing.wait_all_tasks_blocked()
        await one.cancel(session_id, "ada")
    state = await one.load(session_id)
    result = state.calls["a"].result
    assert result is not None
    assert result.reason in ("session_cancelled", "busy")
    assert trio.lowlevel.current_statistics().tasks_living == before
