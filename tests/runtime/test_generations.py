"""A key after its window is a new key for the server too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import trio
import trio.testing

from engine.planner.script import ScriptedPlanner
from engine.ports.store import Store
from engine.ports.tool import ToolError, ToolInvocation
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.runtime.worker import Worker
from engine.session.state.state import State, Status
from engine.spec.bundle import Bundle
from engine.spec.planner_spec import PlannerSpec
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.runtime.acting import Acting
from tests.runtime.stores import STORES, Moved, opened
from tests.session.play import call

INPUT = "{type: object, properties: {to: {type: string}, n: {type: integer}}, required: [to]}"
KEY = "idempotency: {key: [input.to], honoured_by: tool, window: 1h}\n"
HOUR = 3601


def made(more: str = "", key: str = KEY, rules: str = ALLOW, budgets: str = "{}", **also: str) -> Bundle:
    return bundle(
        agent("[pay]", policies="[rules]", budgets=budgets), policy(rules), reviewers("leads", "[ana, bo]"),
        tool("pay", "write", input=INPUT, more=key + more), **also,
    )  # fmt: skip


class Bank:
    """A server that keeps keys for good: what it was asked under a key once it answers again, and does not do."""

    def __init__(self, path: Path) -> None:
        self.asked: list[str | None] = []
        self.done: dict[str | None, int] = {}
        self.before: list[Callable[[], Awaitable[None]]] = []
        self.clock = Moved()
        self.acting = Acting(path, {"pay": self.pay})

    async def pay(self, run: ToolInvocation) -> Any:
        self.asked.append(run.idempotency_key)
        if self.before:
            await self.before.pop(0)()
        return {"number": self.done.setdefault(run.idempotency_key, len(self.done) + 1)}

    def wait(self, seconds: float) -> None:
        self.clock.more += timedelta(seconds=seconds)

    def engine(self, store: Store, bundle_: Bundle) -> Runner:
        decisions = ({"message": "", "tool_calls": [call("p", "pay", to="ada")]}, {"message": "bye", "done": True})
        one = Runner(store, adapters=self.acting,
                     planner=ScriptedPlanner(PlannerSpec("scripted", decisions=decisions)))  # fmt: skip
        one.bundles.know(bundle_)
        return one


async def refuse() -> None:
    raise ToolError("refused", "no", acted=False)


async def busy() -> None:
    raise ToolError("busy", "later", retryable=True, acted=False)


async def hang() -> None:
    await trio.sleep_forever()


MORE = "crossing: review, extend_by: 1, reviewers: leads"
SHARED = f"{{meters: {{pays: {{sum: 1, over: [pay], limit: 1, per: session.tenant, window: 24h, {MORE}}}}}}}"
NO_KEY = "idempotency: none\n"

OPENING = Opening("bot", "hello", {"tenant": "acme"})


async def paid(bank: Bank, store: Store, bundle_: Bundle, at: Path) -> State:
    return await bank.engine(store, bundle_).run(bundle_, OPENING, at)


@STORES
async def test_after_the_window_a_server_that_keeps_keys_acts_anew(kind: str, tmp_path: Path) -> None:
    bank = Bank(tmp_path / "runs.txt")
    async with opened(kind, tmp_path, bank.clock) as store:
        first = await paid(bank, store, made(), tmp_path)
        again = await paid(bank, store, made(), tmp_path)
        for number in (2, 3):
            bank.wait(HOUR)
            state = await paid(bank, store, made(), tmp_path)
            assert state.calls["p"].result is not None
            assert state.calls["p"].result.output == {"number": number}
    assert first.calls["p"].result is not None
    assert again.calls["p"].result is not None
    assert first.calls["p"].result.output == again.calls["p"].result.output == {"number": 1}
    assert bank.asked[0] == first.calls["p"].full_key == '["acme","pay","python:"]:["ada"]', "the first is as ever"
    assert len(bank.asked) == len(set(bank.asked)) == 3


@STORES
async def test_what_was_refused_after_a_window_is_tried_again_under_the_same_new_key(kind: str, tmp_path: Path) -> None:
    """A key that is free again is not the first one again: under that the server has an old result."""
    bank = Bank(tmp_path / "runs.txt")
    async with opened(kind, tmp_path, bank.clock) as store:
        await paid(bank, store, made(), tmp_path)
        bank.wait(HOUR)
        bank.before = [refuse]
        assert not (await paid(bank, store, made(), tmp_path)).calls["p"].ok
        state = await paid(bank, store, made(), tmp_path)
    assert state.calls["p"].result is not None
    assert state.calls["p"].result.output == {"number": 2}
    first, second, third = bank.asked
    assert second == third != first


@STORES
async def test_what_was_refused_within_its_window_keeps_the_first_key(kind: str, tmp_path: Path) -> None:
    bank = Bank(tmp_path / "runs.txt")
    bank.before = [refuse]
    async with opened(kind, tmp_path, bank.clock) as store:
        await paid(bank, store, made(), tmp_path)
        bank.wait(HOUR)
        await paid(bank, store, made(), tmp_path)
    assert len(bank.asked) == 2
    assert len(set(bank.asked)) == 1, "a claim that came to nothing did not expire"


async def test_attempts_and_drivers_of_one_call_keep_its_key(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    retried = made("retry: {attempts: 3, on: [retryable], delay: 2h, max_delay: 2h, factor: 1, jitter: 0}\ntimeout: 9h\n",
                   budgets="{wall_clock: unlimited, step_time: unlimited}")  # fmt: skip
    bank = Bank(tmp_path / "runs.txt")
    async with opened("memory", tmp_path, bank.clock) as store:
        await paid(bank, store, retried, tmp_path)
        bank.wait(HOUR)
        # a second attempt, two hours later; and a driver that dies in it
        bank.before = [busy, hang]
        dying = bank.engine(store, retried)
        session = await dying.start(retried, OPENING, tmp_path)
        with trio.move_on_after(2.5 * HOUR):
            await dying.drive(session)
        assert len(bank.asked) == 3
        state = await bank.engine(store, retried).drive(session)
    assert state.calls["p"].result is not None
    assert state.calls["p"].result.output == {"number": 2}
    assert len(set(bank.asked[1:])) == 1
    assert bank.asked[0] != bank.asked[1]


@STORES
async def test_a_job_takes_its_generation_when_it_is_handed_over_and_keeps_it(kind: str, tmp_path: Path) -> None:
    job = made("mode: job\n")
    bank = Bank(tmp_path / "runs.txt")
    async with opened(kind, tmp_path, bank.clock) as store:
        for number in (1, 2):
            state = await paid(bank, store, job, tmp_path)
            assert state.status is Status.AWAITING_JOB
            await Worker(bank.engine(store, job)).work(until_idle=True)
            state = await bank.engine(store, job).load(state.session_id)
            assert state.calls["p"].result is not None
            assert state.calls["p"].result.output == {"number": number}
            bank.wait(HOUR)
    assert len(set(bank.asked)) == 2


@STORES
async def test_of_many_that_claim_an_expired_key_one_runs(kind: str, tmp_path: Path) -> None:
    bank = Bank(tmp_path / "runs.txt")
    async with opened(kind, tmp_path, bank.clock) as store:
        await paid(bank, store, made(), tmp_path)
        bank.wait(HOUR)
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(paid, bank, store, made(), tmp_path)
    assert len(bank.asked) == len(set(bank.asked)) == 2


@STORES
async def test_the_log_says_which_generation_of_the_key_a_call_ran_under(kind: str, tmp_path: Path) -> None:
    """So that a state which is folded from the log runs under the same key."""
    bank = Bank(tmp_path / "runs.txt")
    async with opened(kind, tmp_path, bank.clock) as store:
        for _ in range(2):
            state = await paid(bank, store, made(), tmp_path)
            assert (await bank.engine(store, made()).load(state.session_id)).calls["p"].full_key == bank.asked[-1]
            assert await store.verify(state.session_id) == []
            bank.wait(HOUR)
    assert len(set(bank.asked)) == 2


@STORES
async def test_a_shared_meter_that_was_granted_more_lets_the_blocked_call_run(kind: str, tmp_path: Path) -> None:
    bank, shared = Bank(tmp_path / "runs.txt"), made(key=NO_KEY, budgets=SHARED)
    async with opened(kind, tmp_path, bank.clock) as store:
        assert (await paid(bank, store, shared, tmp_path)).calls["p"].ok
        state = await paid(bank, store, shared, tmp_path)
        assert state.status is Status.AWAITING_HUMAN_REVIEW
        one = bank.engine(store, shared)
        (request,) = state.open_requests()
        await one.answer(request.id, "approve", "ana")
        state = await one.drive(state.session_id)
    assert bank.acting.runs("pay") == 2
    assert any(c.ok for c in state.calls.values() if c.name == "pay")
