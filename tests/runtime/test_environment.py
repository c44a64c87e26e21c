"""What is found missing while a session is driven is nobody's denial: it is let go of as it is, for whoever has it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.extras import MODULES, MissingExtra
from engine.planner.script import ScriptedPlanner
from engine.ports.resources import EnvironmentFault, MissingSecret
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.runtime.worker import Worker
from engine.session.state.event import EventKind
from engine.session.state.state import State, Status
from engine.spec.bundle import Bundle
from engine.spec.planner_spec import PlannerSpec
from engine.store.memory import MemoryStore
from engine.trio_clock import TrioClock
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.model import server as s
from tests.needing import CASES, KEY, KEYED, MODEL, acting, asking, planned
from tests.session.play import START, call

HERE = {KEY: "it is there, and as long as a key has to be"}
DONE = {"message": "bye", "tool_calls": [], "done": True}
BEGIN = Opening("bot", "hello", {"tenant": "acme"})


def engine(
    store: MemoryStore,
    made: Bundle,
    secrets: dict[str, str] | HostSecrets,
    *decisions: Any,
) -> Runner:
    planner = ScriptedPlanner(PlannerSpec("scripted", decisions=decisions)) if decisions else None
    found = secrets if isinstance(secrets, HostSecrets) else HostSecrets(secrets)
    one = Runner(store, planner=planner, secrets=found)
    one.bundles.know(made)
    return one


async def begun(store: MemoryStore, made: Bundle, at: Path) -> str:
    async with engine(store, made, HERE) as one:
        return await one.start(made, BEGIN, at)


async def driven(store: MemoryStore, made: Bundle, session: str, secrets: dict[str, str] | HostSecrets) -> State:
    async with engine(store, made, secrets) as one:
        return await one.drive(session)


async def lacking(
    store: MemoryStore, made: Bundle, session: str, secrets: dict[str, str] | HostSecrets, match: str | None = None
) -> EnvironmentFault:
    """What driving the session is ended by."""
    async with engine(store, made, secrets) as one:
        with pytest.raises(EnvironmentFault, match=match) as caught:
            await one.drive(session)
    return caught.value


class Skipping(TrioClock):
    """A clock that can be put forward."""

    def __init__(self) -> None:
        super().__init__(START)
        self._skipped = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self._skipped

    def skip(self, seconds: float) -> None:
        self._skipped += timedelta(seconds=seconds)


class Vanishing(HostSecrets):
    """Secrets that are taken away once they were found at start."""

    def __init__(self, after: int = 1) -> None:
        super().__init__(HERE)
        self.left = after

    def reveal(self, name: str) -> str:
        self.left -= 1
        if self.left < 0:
            raise MissingSecret(f"the secret {name} is gone")
        return super().reveal(name)


@pytest.mark.parametrize("kind", [kind for kind in CASES if kind != "a seal"])
async def test_a_session_is_not_taken_where_something_is_missing(kind: str, tmp_path: Path) -> None:
    store, made = MemoryStore(TrioClock(START)), bundle(*CASES[kind])
    session = await begun(store, made, tmp_path)
    before = await store.load(session)
    assert type(await lacking(store, made, session, {}, KEY)) is MissingSecret
    assert await store.load(session) == before


async def test_a_session_is_not_begun_where_something_is_missing(tmp_path: Path) -> None:
    store, made = MemoryStore(TrioClock(START)), bundle(*CASES["a read"])
    async with engine(store, made, {}) as one:
        with pytest.raises(MissingSecret, match=KEY):
            await one.run(made, BEGIN, tmp_path)
    assert await store.sessions() == []


async def test_what_stands_in_for_tools_and_planners_needs_nothing_of_theirs(tmp_path: Path) -> None:
    class Doing:
        async def run(self, run: Any) -> Any:
            return {}

    made = bundle(
        planned(agent("[look]"), f"{{model: {MODEL}}}", "model"), tool("look", more=asking()),
    )  # fmt: skip
    planner = ScriptedPlanner(PlannerSpec("scripted", decisions=(DONE,)))
    one = Runner(
        MemoryStore(TrioClock(START)), planner=planner, secrets=HostSecrets({}),
        adapters=lambda bundle, clock: lambda tool: Doing(),
    )  # fmt: skip
    one.bundles.know(made)
    assert (await one.run(made, BEGIN, tmp_path)).status is Status.DONE


async def test_a_library_that_is_missing_is_told_beside_the_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, made = MemoryStore(TrioClock(START)), bundle(*CASES["a planner that stands in"])
    monkeypatch.setitem(MODULES, "openai", ("no_such_library",))
    session = await begun(store, made, tmp_path)
    await lacking(store, made, session, {}, rf"{KEY}.*steadyhand\[openai\]")
    assert type(await lacking(store, made, session, HERE, r"steadyhand\[openai\]")) is MissingExtra


# -- what vanishes between the start and its use


@pytest.mark.parametrize(
    "kind", ["a read", "a write", "a write without a key", "a program", "a fact", "a planner", "a server",
             "a planner that another stands in for"],
)  # fmt: skip
async def test_what_vanishes_leaves_the_session_to_who_has_it(kind: str, tmp_path: Path) -> None:
    store, made = MemoryStore(TrioClock(START)), bundle(*CASES[kind])
    if kind == "a server":
        made = bundle(acting(agent("[look]"), "look"), *CASES[kind][1:])
    if kind == "a program":
        made = bundle(acting(agent("[look]"), "look"), *CASES[kind][1:])
    session = await begun(store, made, tmp_path)
    await lacking(store, made, session, Vanishing(), "is gone")
    told = {event.kind for event in await store.load(session)}
    assert not told & {
        EventKind.TOOL_RESULT,
        EventKind.FACT_READ,
        EventKind.PLANNER_FAILED,
        EventKind.PLANNER_FELL_BACK,
        EventKind.REQUEST_OPENED,
    }
    assert await store.due_sessions() == [session], "nobody holds it"


async def ok(exchange: s.Exchange) -> None:
    await exchange.json({})


@pytest.mark.parametrize("more", ["", KEYED])
@pytest.mark.parametrize("secrets", [dict, Vanishing])
async def test_a_write_that_never_began_runs_once_where_all_is_there_and_nobody_settles_it(
    more: str, secrets: Callable[[], Any], tmp_path: Path
) -> None:
    async with s.serving(ok) as server:
        write = tool("act", "write", more=more + asking(method="POST", url=f"{server.url}/x"))
        made = bundle(acting(agent("[act]", policies="[rules]"), "act"), policy(ALLOW), write)
        store = MemoryStore(TrioClock(START))
        session = await begun(store, made, tmp_path)
        await lacking(store, made, session, secrets())
        state = await driven(store, made, session, HERE)
    assert len(server.asked) == 1
    assert (state.status, state.calls["a"].ok, state.calls["a"].attempt) == (Status.DONE, True, 1)


async def test_what_runs_beside_what_is_missing_ends_in_its_grace(tmp_path: Path) -> None:
    async def slow(exchange: s.Exchange) -> None:
        started.set()
        await release.wait()
        await exchange.json({})

    started, release = trio.Event(), trio.Event()

    class Late(Vanishing):
        def reveal(self, name: str) -> str:
            if self.left == 0:
                release.set()
            return super().reveal(name)

    async with s.serving(slow) as server:
        own = tool("own", more=f"adapter: {{kind: http, url: '{server.url}/x', allow_private: true}}")
        made = bundle(agent("[own, look]", budgets="{grace: 60s}"), own, tool("look", more=asking()))
        store = MemoryStore(TrioClock(START))
        async with engine(store, made, HERE) as one:
            session = await one.start(made, BEGIN, tmp_path)
        plan = {"message": "", "tool_calls": [call("a", "own"), call("b", "look")], "done": False}
        async with engine(store, made, Late(), plan, plan) as one:
            with pytest.raises(MissingSecret):
                await one.drive(session)
            state = await one.load(session)
    assert state.calls["a"].ok
    assert state.calls["b"].result is None
    assert state.status is Status.RUNNING


# -- workers


@pytest.mark.parametrize("kind", ["a read", "a seal", "a planner"])
async def test_a_worker_gives_back_a_session_that_it_lacks_something_for(kind: str, tmp_path: Path) -> None:
    store, made = MemoryStore(TrioClock(START)), bundle(*CASES[kind])
    session = await begun(store, made, tmp_path)
    told: list[tuple[str, str]] = []
    async with engine(store, made, {}) as one:
        worker = Worker(one, on_trouble=lambda id_, error: told.append((id_, str(error))))
        await worker.work(until_idle=True)
        await worker.work(until_idle=True)
    assert [id_ for id_, _ in told] == [session], "it is told once"
    assert KEY in told[0][1]
    assert (await store.session(session)).state == "running"
    assert session in await store.due_sessions()


async def jobs(store: MemoryStore, at: Path, url: str = "http://127.0.0.1:9/x") -> tuple[Bundle, str, str]:
    """A session whose job needs a secret, and a later one whose job needs nothing."""
    write = tool("act", "write", more=f"mode: job\n{KEYED}{asking(method='POST', url=url)}")
    plain = tool("own", "write", more="mode: job\n")
    made = bundle(agent("[act, own]", policies="[rules]"), policy(ALLOW), write, plain)
    ids = []
    for name in ("act", "own"):
        plan = {"message": "", "tool_calls": [call("a", name, n=1)], "done": False}
        async with engine(store, made, HERE, plan) as one:
            state = await one.run(made, BEGIN, at)
        assert state.status is Status.AWAITING_JOB
        ids.append(state.session_id)
    return made, ids[0], ids[1]


@pytest.mark.parametrize("secrets", [dict, Vanishing])
async def test_a_worker_gives_back_a_job_and_goes_on_with_those_behind_it(
    secrets: Callable[[], Any], tmp_path: Path
) -> None:
    clock = Skipping()
    store = MemoryStore(clock)
    made, needy, plain = await jobs(store, tmp_path)
    told: list[str] = []
    async with engine(store, made, secrets(), DONE, DONE) as one:
        worker = Worker(one, at_once=1, on_trouble=lambda id_, error: told.append(id_))
        for _ in range(3):
            await worker.work(until_idle=True)
            clock.skip(60)
        state, other = await one.load(needy), await one.load(plain)
    assert needy in told
    assert len(told) == len(set(told)), "each is told once, however often it is looked at"
    assert (state.status, state.calls["a"].result) == (Status.AWAITING_JOB, None)
    assert other.calls["a"].ok


async def test_another_worker_takes_at_once_what_one_gave_back(tmp_path: Path) -> None:
    async with s.serving(ok) as server:
        clock = Skipping()
        store = MemoryStore(clock)
        made, needy, _ = await jobs(store, tmp_path, f"{server.url}/x")
        async with engine(store, made, {}, DONE, DONE) as one:
            await Worker(one).work(until_idle=True)
        assert server.asked == []
        async with engine(store, made, HERE, DONE, DONE) as one:
            await Worker(one).work(until_idle=True)
            state = await one.load(needy)
    assert len(server.asked) == 1
    assert state.calls["a"].ok
