"""The loop on real Trio: it stops, it asks the gate first, it leaves nothing running, and it survives a bad store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from engine.planner.script import ScriptedPlanner
from engine.ports.planner import PlannerError
from engine.ports.records import Appended, AppendResult, Claim, Conflict, Lease
from engine.ports.tool import ToolError, ToolInvocation
from engine.runtime.errors import BundleUnavailable, LeaseLost, LiveElsewhere, NotAllowed
from engine.runtime.lease_keeper import LEASE
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.session.planner_view import PlannerView
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import fold
from engine.session.state.state import Status
from engine.spec.planner_spec import PlannerSpec
from engine.store.memory import MemoryStore
from engine.store.sqlite import open_store
from engine.trio_clock import TrioClock
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.runtime.acting import Acting, after, hang
from tests.session.play import START, call

MADE = bundle(
    agent("[look, slow, write, banned, held, one]", policies="[rules]", budgets="{step_time: 20s, wall_clock: 60s}"),
    policy(
        "  - {id: open, tools: [write, held], effect: allow, when: fact.ok}\n"
        "  - {id: no, tools: [banned], effect: deny}\n"
        "  - {id: ask, tools: [held], effect: require_approval, approvers: [leads]}",
        facts="{fact: {tool: state, input: {n: 1}}}",
    ),
    tool("look", more="on_failure: cancel_siblings\ntimeout: 5s"),
    tool("slow", more="timeout: 15s"),
    tool("one", more="concurrency: 1"),
    tool("write", "write", more="idempotency: {key: [input.n], honoured_by: tool}"),
    tool("banned", "write"),
    tool("held", "write"),
    tool("state", output="{type: object, properties: {ok: {type: boolean}}, required: [ok]}", more="timeout: 1s"),
    reviewers("leads", "[ana]"),
)

DONE = {"message": "bye", "done": True}


def plan(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"message": "", "tool_calls": list(calls)}


def script(*decisions: Any, repeat: bool = False) -> ScriptedPlanner:
    return ScriptedPlanner(PlannerSpec("scripted", decisions=decisions, when_exhausted="repeat" if repeat else "fail"))


async def good(run: ToolInvocation) -> Any:
    return {"ok": True}


@pytest.fixture
def acting(tmp_path: Path) -> Acting:
    return Acting(tmp_path / "runs.txt", {"state": good})


def engine(acting: Acting, planner: ScriptedPlanner, store: Any = None, **more: Any) -> Runner:
    made = Runner(store or MemoryStore(TrioClock(START)), adapters=acting, planner=planner, **more)
    # reading a stored bundle happens in a thread, during which a virtual clock would jump
    made.bundles.know(MADE)
    return made


async def start(engine: Runner, tmp_path: Path, **more: Any) -> str:
    return await engine.start(MADE, Opening("bot", "hello", {"tenant": "acme"}, **more), tmp_path)


def instruments() -> int:
    return trio.lowlevel.current_statistics().tasks_living


# -- the four that the design lives by


async def test_the_loop_stops_when_the_planner_is_done(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    asked: list[int] = []

    class Counting:
        async def propose(self, view: PlannerView) -> Any:
            asked.append(view.ask)
            return plan(call("a", "look")) if view.ask == 1 else DONE

    one = Runner(MemoryStore(TrioClock(START)), adapters=acting, planner=Counting())
    session_id = await start(one, tmp_path)
    state = await one.drive(session_id)
    assert state.status is Status.DONE
    assert asked == [1, 2]
    assert (await one.drive(session_id)).status is Status.DONE
    assert asked == [1, 2]


async def test_a_blocked_tool_never_executes(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    one = engine(acting, script(plan(call("a", "banned"), call("b", "look")), DONE))
    state = await one.drive(await start(one, tmp_path))
    assert state.calls["a"].result is not None
    assert state.calls["a"].result.status == "blocked"
    assert acting.runs("banned") == 0
    assert acting.runs("look") == 1


async def test_a_timeout_cancels_its_siblings(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    acting.acts |= {"look": hang, "slow": hang}
    before = instruments()
    one = engine(acting, script(plan(call("a", "look"), call("b", "slow")), DONE))
    state = await one.drive(await start(one, tmp_path))
    results = {c.id: (c.result.status, c.result.reason) for c in state.calls.values() if c.result}
    assert results == {"a": ("terminal_error", "timeout"), "b": ("terminal_error", "sibling_failed")}
    assert "cancelled slow" in acting.lines
    assert "end slow" not in acting.lines
    assert instruments() == before
    assert trio.current_time() < 15


class Failing(MemoryStore):
    """Fails at one append and from then on."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at
        self.appends = 0

    async def append(self, session_id: str, after: int, events: Sequence[Event], **more: Any) -> AppendResult:
        self.appends += 1
        if self.appends >= self.at:
            raise OSError("the disk is gone")
        return await super().append(session_id, after, events, **more)


async def test_a_store_that_fails_at_each_append_in_turn_leaves_no_further_effect(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    decisions = (plan(call("a", "look"), call("w", "write", n=1)), plan(call("v", "write", n=2)), DONE)
    whole = Failing(999)
    reference = engine(Acting(tmp_path / "all.txt", {"state": good}), script(*decisions), whole)
    await reference.drive(await start(reference, tmp_path))
    assert whole.appends >= 8
    for at in range(1, whole.appends + 1):
        store = Failing(at)
        acting = Acting(tmp_path / f"runs-{at}.txt", {"state": good})
        one = engine(acting, script(*decisions), store)
        before = instruments()
        with pytest.RaisesGroup(OSError, allow_unwrapped=True, flatten_subgroups=True):
            await one.drive(await start(one, tmp_path))
        assert instruments() == before
        log = [event for session in store._sessions.values() for event in session.events]
        called_for = [e.payload["tool"] for e in log if e.kind is EventKind.CALL_STARTED]
        runs = [line.split()[1] for line in acting.lines if line.startswith("run ") and "state" not in line]
        assert sorted(runs) == sorted(called_for), f"append {at}: what ran is what the log calls for, and no more"


# -- time


async def test_a_hanging_planner_is_cut_off_by_the_step_deadline(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    class Hanging:
        async def propose(self, view: PlannerView) -> Any:
            await trio.sleep_forever()

    one = Runner(MemoryStore(TrioClock(START)), adapters=acting, planner=Hanging())
    state = await one.drive(await start(one, tmp_path))
    assert state.status is Status.TIMED_OUT
    assert trio.current_time() == pytest.approx(60, abs=0.01)


async def test_the_wall_clock_cancels_what_runs(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    acting.acts["slow"] = after(14)
    decisions = [plan(call(f"c{n}", "slow")) for n in range(12)]
    one = engine(acting, script(*decisions))
    state = await one.drive(await start(one, tmp_path))
    assert state.status is Status.TIMED_OUT
    assert acting.runs("slow") == 5
    assert acting.lines.count("cancelled slow") == 1


async def test_a_cancel_gives_the_grace_period_and_then_cancels(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    acting.acts |= {"slow": hang, "look": after(1.5)}
    one = engine(acting, script(plan(call("a", "slow"), call("b", "look"), call("w", "write", n=1)), DONE))
    session_id = await start(one, tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.drive, session_id)
        await trio.sleep(1)
        assert one.driven() == [session_id]
        await one.cancel(session_id, "me")
    state = await one.load(session_id)
    assert state.status is Status.CANCELLED
    assert trio.current_time() == pytest.approx(3, abs=0.01)
    assert state.calls["b"].ok
    assert acting.runs("write") == 0
    assert "cancelled slow" in acting.lines


async def test_a_tool_that_runs_at_once_only_so_often_queues_across_sessions(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    acting.acts["one"] = after(2)
    store = MemoryStore(TrioClock(START))
    one = engine(acting, script(plan(call("a", "one"), call("b", "one")), DONE), store)
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(one.drive, await start(one, tmp_path))
    assert trio.current_time() == pytest.approx(8, abs=0.01)


# -- facts


async def test_a_fact_that_hangs_or_fails_is_unreadable_and_fails_closed(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async def broken(run: ToolInvocation) -> Any:
        raise ToolError("line_down", "the line is down")

    for act in (hang, broken):
        acting.acts["state"] = act
        one = engine(acting, script(plan(call("w", "write", n=1)), DONE))
        state = await one.drive(await start(one, tmp_path))
        assert state.calls["w"].result is not None
        assert state.calls["w"].result.status == "blocked"
    assert acting.runs("write") == 0


async def test_a_retryable_failure_and_a_failing_planner_are_events(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async def busy(run: ToolInvocation) -> Any:
        raise ToolError("busy", "try again", retryable=True, acted=False)

    class Moody:
        async def propose(self, view: PlannerView) -> Any:
            if view.ask == 2:
                raise PlannerError("no answer")
            return plan(call("a", "look")) if view.ask == 1 else DONE

    acting.acts["look"] = busy
    one = Runner(MemoryStore(TrioClock(START)), adapters=acting, planner=Moody())
    state = await one.drive(await start(one, tmp_path))
    assert state.calls["a"].result is not None
    assert state.calls["a"].result.status == "retryable_error"
    assert state.status is Status.DONE
    assert state.used.repairs == 1


# -- one driver


async def test_a_session_that_somebody_drives_is_waited_for_or_refused(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    acting.acts["slow"] = after(12)
    store = MemoryStore(TrioClock(START))
    one, other = engine(acting, script(plan(call("a", "slow")), DONE), store), engine(acting, script(DONE), store)
    session_id = await start(one, tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.drive, session_id)
        await trio.sleep(1)
        with pytest.raises(LiveElsewhere):
            await other.drive(session_id, wait=False)
        state = await other.drive(session_id)
        assert state.status is Status.DONE
    assert acting.runs("slow") == 1


async def stolen(store: MemoryStore, session_id: str) -> None:
    """Somebody else takes the session, as if its lease had ended."""
    ((seq, epoch),) = (await store.heads([session_id])).values()
    await store.release(Lease(session_id, "", epoch))
    claimed = Event(session_id, seq + 1, 0, EventKind.SESSION_CLAIMED, {"owner": "thief", "epoch": epoch + 1}, START)
    take = Claim(Lease(session_id, "thief", epoch + 1), LEASE)
    assert await store.append(session_id, seq, [claimed], take=take) == Appended()


async def test_a_driver_that_lost_its_lease_lets_go_and_its_tool_is_cancelled(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    acting.acts["slow"] = after(14)
    store = MemoryStore(TrioClock(START))
    one = engine(acting, script(plan(call("a", "slow")), DONE), store)
    session_id = await start(one, tmp_path)
    lost: list[BaseException] = []

    async def driving() -> None:
        try:
            await one.drive(session_id)
        except LeaseLost as error:
            lost.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(driving)
        await trio.sleep(1)
        await stolen(store, session_id)
    assert len(lost) == 1
    assert acting.lines[-1] == "cancelled slow"
    assert fold(await store.load(session_id)).status is Status.RUNNING


async def test_a_fenced_append_lets_go_too(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    store = MemoryStore(TrioClock(START))
    session: list[str] = []

    async def steal(run: ToolInvocation) -> Any:
        await stolen(store, session[0])
        return {}

    acting.acts["look"] = steal
    one = engine(acting, script(plan(call("a", "look")), DONE), store)
    session.append(await start(one, tmp_path))
    with pytest.raises(LeaseLost):
        await one.drive(session[0])


async def test_letting_go_leaves_the_session_running_and_another_driver_ends_it(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    acting.acts["slow"] = after(8)
    store = MemoryStore(TrioClock(START))
    one = engine(acting, script(plan(call("a", "slow")), DONE), store)
    session_id = await start(one, tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.drive, session_id)
        await trio.sleep(1)
        one.release_lease()
    assert trio.current_time() == pytest.approx(3, abs=0.01), "the grace period is two seconds"
    assert (await one.load(session_id)).status is Status.RUNNING
    assert acting.lines[-1] == "cancelled slow"
    state = await engine(acting, script(DONE, DONE), store).drive(session_id)
    assert state.status is Status.DONE
    assert state.calls["a"].ok
    assert state.calls["a"].attempt == 2


async def test_what_ends_within_the_grace_of_letting_go_is_recorded_and_nothing_new_begins(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    acting.acts["look"] = after(2)
    store = MemoryStore(TrioClock(START))
    one = engine(acting, script(plan(call("a", "look"), call("w", "write", n=1)), DONE), store)
    session_id = await start(one, tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.drive, session_id)
        await trio.sleep(1)
        one.release_lease()
    state = await one.load(session_id)
    assert trio.current_time() == pytest.approx(2, abs=0.01)
    assert state.calls["a"].ok
    assert acting.runs("write") == 0
    assert not state.calls["w"].ended
    other = engine(acting, script(DONE, DONE), store)
    other._clock = one._clock
    assert (await other.drive(session_id)).status is Status.DONE
    assert (acting.runs("look"), acting.runs("write")) == (1, 1)


async def test_a_message_from_another_process_reaches_the_driver_within_a_second(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    acting.acts["slow"] = after(8)
    store = MemoryStore(TrioClock(START))
    told: list[Event] = []
    one = engine(acting, script(plan(call("a", "slow")), DONE, DONE), store, on_event=told.append)
    other = engine(acting, script(DONE), store)
    session_id = await start(one, tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.drive, session_id)
        await trio.sleep(2)
        await other.send(session_id, "and this")
        await trio.sleep(1.1)
        assert [e.payload["text"] for e in told if e.kind is EventKind.MESSAGE_RECEIVED] == ["hello", "and this"]
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    state = await one.load(session_id)
    assert state.status is Status.DONE
    assert state.unseen == 0


async def test_two_people_who_answer_at_once_are_one_answer_and_one_refusal(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    store = MemoryStore(TrioClock(START))
    one = engine(acting, script(plan(call("h", "held")), DONE), store)
    session_id = await start(one, tmp_path)
    state = await one.drive(session_id)
    assert state.status is Status.AWAITING_HUMAN_REVIEW
    outcomes: list[str] = []

    async def approve() -> None:
        try:
            await one.answer(f"{session_id}.1", "approve", "ana")
            outcomes.append("taken")
        except NotAllowed as error:
            outcomes.append(error.reason)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(approve)
        nursery.start_soon(approve)
    assert sorted(outcomes) == ["already_answered", "taken"]
    assert (await one.drive(session_id)).status is Status.DONE
    assert acting.runs("held") == 1


async def test_a_race_with_another_writer_is_decided_again(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    class Racing(MemoryStore):
        raced = False

        async def append(self, session_id: str, after: int, events: Sequence[Event], **more: Any) -> AppendResult:
            if events[0].kind is EventKind.MESSAGE_RECEIVED and not self.raced:
                self.raced = True
                return Conflict(after)
            return await super().append(session_id, after, events, **more)

    one = engine(acting, script({"message": "which?"}, DONE), Racing())
    session_id = await start(one, tmp_path)
    await one.drive(session_id)
    await one.send(session_id, "this")
    assert (await one.drive(session_id)).messages == ("hello", "this")


async def test_two_sessions_that_race_for_a_key_run_the_tool_once(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    acting.acts["write"] = after(3, {"id": 1})
    store = MemoryStore(TrioClock(START))
    one = engine(acting, script(plan(call("w", "write", n=1)), DONE), store)
    ids = [await start(one, tmp_path) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        for session_id in ids:
            nursery.start_soon(one.drive, session_id)
    assert acting.runs("write") == 1
    states = [await one.load(session_id) for session_id in ids]
    results = [state.calls["w"].result for state in states]
    assert sorted(result.reason for result in results if result) == ["", "idempotency_in_flight"]
    third = await start(one, tmp_path)
    state = await one.drive(third)
    assert state.calls["w"].result is not None
    assert state.calls["w"].result.output == {"id": 1}
    assert acting.runs("write") == 1


async def test_an_overtaken_driver_does_not_act_on_what_the_new_one_started(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    class Stale(MemoryStore):
        """What it says of renewals and heads is old, for whoever came first."""

        old: Any = None

        async def renew(self, leases: Any, duration: Any) -> None:
            if self.old is None:
                await super().renew(leases, duration)

        async def heads(self, session_ids: Any) -> Any:
            return self.old or await super().heads(session_ids)

    acting.acts |= {"slow": after(14), "write": after(5, {"id": 1})}
    store = Stale(TrioClock(START))
    first = engine(acting, script(plan(call("a", "slow")), DONE), store)
    session_id = await start(first, tmp_path)
    outcome: list[str] = []

    async def driving() -> None:
        try:
            await first.drive(session_id)
        except LeaseLost:
            outcome.append("let go")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(driving)
        await trio.sleep(0.5)
        store.old = await store.heads([session_id])
        await trio.sleep(11)
        store.old = None
        second = engine(acting, script(plan(call("w", "write", n=1)), plan(call("w", "write", n=1)), DONE), store)
        nursery.start_soon(second.drive, session_id)
        await trio.sleep(0.1)
        await first.send(session_id, "hello?")
    assert outcome == ["let go"]
    assert acting.runs("write") <= 1


async def test_letting_go_or_an_interrupt_reaches_a_session_that_is_still_being_claimed(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    class Slow(MemoryStore):
        async def append(self, *arguments: Any, **more: Any) -> Any:
            await trio.sleep(1 if "take" in more else 0)
            return await super().append(*arguments, **more)

    for act in ("release_lease", "interrupt"):
        one = engine(acting, script(plan(call("w", "write", n=1)), DONE), Slow())
        session_id = await start(one, tmp_path)
        states: list[Status] = []

        async def driving(one: Runner = one, session_id: str = session_id, states: list[Status] = states) -> None:
            states.append((await one.drive(session_id)).status)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(driving)
            await trio.sleep(0.5)
            if act == "release_lease":
                one.release_lease()
            else:
                await one.interrupt("me")
        assert states == [Status.RUNNING if act == "release_lease" else Status.CANCELLED]
        assert acting.runs("write") == 0


async def test_an_interrupt_leaves_alone_what_another_process_drives(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    acting.acts["slow"] = after(8)
    store = MemoryStore(TrioClock(START))
    one, other = engine(acting, script(plan(call("a", "slow")), DONE), store), engine(acting, script(DONE), store)
    session_id = await start(one, tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.drive, session_id)
        await trio.sleep(1)
        await other.interrupt("me")
        with pytest.raises(LiveElsewhere):
            await other.drive(session_id)
    assert (await one.load(session_id)).status is Status.DONE


async def test_a_write_that_only_queued_for_its_tool_is_no_unknown_when_it_is_cancelled(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    made = bundle(
        agent("[single]", policies="[rules]", budgets="{step_time: 5s}"),
        policy(ALLOW),
        tool("single", "write", more="concurrency: 1"),
    )
    acting.acts["single"] = hang
    store = MemoryStore(TrioClock(START))
    one = Runner(store, adapters=acting, planner=script(plan(call("w", "single")), DONE))
    ids = [await one.start(made, Opening("bot", "hi", {"tenant": "acme"}), tmp_path) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        for session_id in ids:
            nursery.start_soon(one.drive, session_id)
    states = [await one.load(session_id) for session_id in ids]
    ends = sorted(c.result.status for state in states for c in state.calls.values() if c.result)
    assert ends == ["terminal_error", "unknown"]
    assert acting.runs("single") == 1


# -- bundles


async def test_a_session_goes_on_under_the_bundle_it_started_with(
    acting: Acting, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    store = MemoryStore(TrioClock(START))
    first = engine(acting, script({"message": "which?"}, DONE), store)
    session_id = await start(first, tmp_path)
    await first.drive(session_id)
    later = engine(acting, script({"message": "which?"}, DONE), store)
    later.bundles._known.clear()
    await later.send(session_id, "this")
    state = await later.drive(session_id)
    assert (state.status, state.bundle) == (Status.DONE, MADE.digest)


async def test_a_bundle_that_is_not_to_be_had_is_told(acting: Acting, tmp_path: Path) -> None:
    store = MemoryStore(TrioClock(START))
    one = engine(acting, script(DONE), store)
    session_id = await start(one, tmp_path)
    store._bundles.clear()
    other = engine(acting, script(DONE), store)
    other.bundles._known.clear()
    with pytest.raises(BundleUnavailable):
        await other.drive(session_id)
    store._bundles[MADE.digest] = {"specs/x.yaml": b"kind: Nothing"}
    with pytest.raises(BundleUnavailable):
        await other.drive(session_id)


async def test_attributes_that_do_not_fit_start_no_session(acting: Acting, tmp_path: Path) -> None:
    one = engine(acting, script(DONE))
    with pytest.raises(NotAllowed):
        await one.start(MADE, Opening("bot", "hello", {}), tmp_path)


# -- on a real file


async def test_a_whole_session_on_a_file(acting: Acting, tmp_path: Path) -> None:
    async with open_store(tmp_path / "e.db", clock=TrioClock(START)) as store:
        one = engine(acting, script(plan(call("a", "look"), call("w", "write", n=1)), DONE), store)
        session_id = await start(one, tmp_path)
        state = await one.drive(session_id)
        assert state.status is Status.DONE
        assert await store.verify(session_id) == []
    async with open_store(tmp_path / "e.db", clock=TrioClock(START)) as store:
        assert fold(await store.load(session_id)) == state
