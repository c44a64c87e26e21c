"""The door for asyncio programs: the same surface, and nothing hangs, is lost or changes its class on the way."""

from __future__ import annotations

import asyncio
import inspect
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

import engine
from engine import aio
from engine.aio.thread import hold, open_thread
from engine.ports.planner import Say
from engine.ports.store import Store
from tests.api.test_door import CHARGED, LARGE, ROOT, SMALL, url
from tests.cli.shell import Shell, copy_of_root, environment

DONE = {"message": "thanks", "tool_calls": [], "done": True}


@pytest.fixture(scope="module")
def bundle() -> engine.Bundle:
    return engine.load_bundle(ROOT)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Any:
    yield
    assert [one for one in threading.enumerate() if one.name == "engine-trio"] == []


class Asked:
    """A planner of asyncio that is asked and then waits until it may answer."""

    def __init__(self) -> None:
        self.asked, self.may = asyncio.Event(), asyncio.Event()
        self.loops: list[asyncio.AbstractEventLoop] = []

    async def propose(self, view: engine.PlannerView) -> engine.Proposal:
        self.loops.append(asyncio.get_running_loop())
        self.asked.set()
        await self.may.wait()
        return engine.Proposal(DONE)


# -- the surface


def test_it_has_the_names_of_the_door() -> None:
    assert set(aio.__all__) == set(engine.__all__), "a name of the door stands in engine/aio/__init__.py as well"
    own = {name for name in engine.__all__ if getattr(aio, name) is not getattr(engine, name)}
    assert own == {"Engine", "Session", "open_engine", "open_store"}


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    found = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, one.default, one.annotation) for one in found]  # type: ignore[misc]


@pytest.mark.parametrize("name", ["open_engine", "open_store"])
def test_a_function_takes_the_same(name: str) -> None:
    assert parameters(getattr(aio, name)) == parameters(getattr(engine, name))


@pytest.mark.parametrize("name", ["Engine", "Session"])
def test_a_class_has_the_same_methods_that_take_the_same(name: str) -> None:
    one, other = getattr(engine, name), getattr(aio, name)
    methods = {each: value for each, value in vars(one).items() if not each.startswith("_") and callable(value)}
    assert set(methods) == {each for each in vars(other) if not each.startswith("_")}
    for each, value in methods.items():
        assert parameters(value) == parameters(getattr(other, each)), each
        assert inspect.iscoroutinefunction(value) == inspect.iscoroutinefunction(getattr(other, each)), each


def test_a_store_has_the_methods_of_the_port() -> None:
    async def main() -> None:
        async with aio.open_store("memory:") as store:
            for name, value in inspect.getmembers(Store, inspect.iscoroutinefunction):
                assert parameters(value) == parameters(getattr(type(store), name)), name
            assert store.keeps_snapshots in (True, False)

    asyncio.run(main())


def test_the_door_does_not_load_it() -> None:
    code = "import sys, engine; [getattr(engine, one) for one in engine.__all__]; print('engine.aio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


# -- sessions


def test_a_session_runs_and_a_person_answers(bundle: engine.Bundle, tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.open_engine(url(tmp_path)) as one:
            session = await one.start(bundle, message=CHARGED, attributes=LARGE)
            assert repr(session) == f"<Session {session.id}>"
            seqs = [event.seq async for event in session.events()]
            assert seqs == list(range(1, len(seqs) + 1))
            (request,) = await session.open_requests()
            assert [row.id for row in await one.requests()] == [request.id]
            again = await one.answer(request.id, engine.Approve(by="dana"), digest=request.digest)
            assert again.id == session.id
            view = await session.settled()
            assert (view.outcome, (await session.view()).seq) == ("case_opened", view.seq)
            assert [row.id for row in await one.sessions(limit=5)] == [session.id]
            assert [event.seq async for event in session.events(after=view.seq - 1, follow=True)] == [view.seq]

    asyncio.run(main())


def test_sessions_go_on_side_by_side(bundle: engine.Bundle, tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.open_engine(url(tmp_path)) as one:

            async def run() -> str:
                session = await one.start(bundle, message=CHARGED, attributes=SMALL)
                seqs = [event.seq async for event in session.events()]
                assert seqs == list(range(1, len(seqs) + 1))
                return session.id

            first, second = await asyncio.gather(run(), run())
            assert first != second
            assert {row.state for row in await one.sessions()} == {"done"}

    asyncio.run(main())


def test_a_worker_drives_what_is_only_recorded(bundle: engine.Bundle, tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.open_engine(url(tmp_path)) as one:
            session = await one.start(bundle, message=CHARGED, attributes=SMALL, drive=False)
            assert (await session.view()).status is engine.Status.RUNNING
            await one.work(until_idle=True)
            assert (await one.session(session.id, drive=False).settled()).over

    asyncio.run(main())


def test_what_a_customer_says_is_recorded(bundle: engine.Bundle, tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.open_engine(url(tmp_path)) as one:
            session = await one.start(bundle, message=CHARGED, attributes=LARGE)
            await session.settled()
            await session.send("hello?")
            await session.confirm("change_billing_email", {"account_id": "a", "new_email": "b"})
            await session.cancel("ada")
            assert (await session.settled()).status is engine.Status.CANCELLED
            kinds = [event.kind async for event in session.events()]
            assert {"message_received", "customer_confirmed", "cancel_requested"} <= set(kinds)

    asyncio.run(main())


# -- what the program gives


def test_a_planner_of_the_program_runs_in_its_loop(bundle: engine.Bundle) -> None:
    async def main() -> None:
        planner = Asked()
        planner.may.set()
        async with aio.open_engine("memory:", planner=planner) as one:
            session = await one.start(bundle, message="hi", attributes=SMALL)
            assert (await session.settled()).message == "thanks"
        assert planner.loops == [asyncio.get_running_loop()]

    asyncio.run(main())


def test_a_tool_of_the_program_runs_in_its_loop(bundle: engine.Bundle) -> None:
    loops = []

    class Tool:
        async def run(self, run: engine.ToolInvocation) -> Any:
            loops.append(asyncio.get_running_loop())
            raise engine.ToolError("down", "it is down", acted=False)

    async def main() -> None:
        async with aio.open_engine("memory:", adapters=lambda bundle, clock: lambda tool: Tool()) as one:
            session = await one.start(bundle, message=CHARGED, attributes=SMALL)
            view = await session.settled()
            assert "down" in {call.reason for call in view.calls}
        assert set(loops) == {asyncio.get_running_loop()}

    asyncio.run(main())


def test_what_a_model_says_reaches_the_program_while_it_says_it(bundle: engine.Bundle) -> None:
    class Talker(Asked):
        async def consider(self, view: engine.PlannerView, log: Sequence[engine.Event], say: Say) -> engine.Proposal:
            say("than")
            await self.may.wait()
            say("thanks")
            return engine.Proposal(DONE)

    async def main() -> None:
        planner = Talker()
        async with aio.open_engine("memory:", planner=planner) as one:
            session = await one.start(bundle, message="hi", attributes=SMALL, drive=False)
            texts = one.session(session.id).text()
            settling = asyncio.ensure_future(one.session(session.id).settled())
            assert await anext(texts) == "than"
            planner.may.set()
            assert [text async for text in texts] in (["thanks"], [])
            assert (await settling).message == "thanks"

    asyncio.run(main())


def test_a_planner_that_the_program_cancels_itself_is_an_error_and_no_end_of_the_engine(bundle: engine.Bundle) -> None:
    class Cancelled(Asked):
        async def propose(self, view: engine.PlannerView) -> engine.Proposal:
            raise asyncio.CancelledError

    async def main() -> None:
        async with aio.open_engine("memory:", planner=Cancelled()) as one:
            session = await one.start(bundle, message="hi", attributes=SMALL)
            assert (await session.settled()).status is engine.Status.FAILED
            told = [str(event.payload) async for event in session.events()]
            assert any("broke: RuntimeError" in one for one in told), told
            assert [row.state for row in await one.sessions()] == ["failed"]

    asyncio.run(main())


# -- cancellation


def test_cancelling_who_waits_leaves_the_session_to_go_on(bundle: engine.Bundle) -> None:
    async def main() -> None:
        planner = Asked()
        async with aio.open_engine("memory:", planner=planner) as one:
            session = await one.start(bundle, message="hi", attributes=SMALL)
            waiting = asyncio.ensure_future(session.settled())
            reading = asyncio.ensure_future(_all(session.events(follow=True)))
            await planner.asked.wait()
            for task in (waiting, reading):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            planner.may.set()
            assert (await session.settled()).message == "thanks"
            assert len(planner.loops) == 1

    asyncio.run(main())


async def _all(events: AsyncIterator[engine.Event]) -> list[int]:
    return [event.seq async for event in events]


def test_a_read_that_is_cancelled_loses_no_event(bundle: engine.Bundle, tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.open_engine(url(tmp_path)) as one:
            session = await one.start(bundle, message=CHARGED, attributes=SMALL)
            events, seen = session.events(), []
            for turns in range(40):
                reading = asyncio.ensure_future(anext(events))
                for _ in range(turns):
                    await asyncio.sleep(0)
                reading.cancel()
                (read,) = await asyncio.gather(reading, return_exceptions=True)
                if isinstance(read, engine.Event):
                    seen.append(read.seq)
            seen += await _all(events)
            assert seen == list(range(1, (await session.view()).seq + 1))

    asyncio.run(main())


def test_a_cancelled_call_has_ended_over_there_when_the_program_goes_on() -> None:
    async def main() -> None:
        async with open_thread() as thread, hold(thread, nothing) as context:
            begun, ended = asyncio.Event(), []

            async def long() -> None:
                try:
                    thread.tell(begun.set)
                    await trio.sleep_forever()
                finally:
                    ended.append(True)

            task = asyncio.ensure_future(context.call(long))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert ended == [True]

    asyncio.run(main())


def test_a_second_cancellation_does_not_wait_for_what_does_not_end() -> None:
    async def main() -> None:
        async with open_thread() as thread, hold(thread, nothing) as context:
            begun, may = asyncio.Event(), trio.Event()

            async def stubborn() -> None:
                with trio.CancelScope(shield=True):
                    thread.tell(begun.set)
                    await may.wait()

            task = asyncio.ensure_future(context.call(stubborn))
            await begun.wait()
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            thread.post(may.set)

    asyncio.run(main())


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


# -- the end


def test_leaving_gives_the_session_to_the_next(bundle: engine.Bundle, tmp_path: Path) -> None:
    async def main() -> None:
        planner = Asked()
        async with aio.open_engine(url(tmp_path), planner=planner) as one:
            session = await one.start(bundle, message=CHARGED, attributes=SMALL)
            await planner.asked.wait()
            waiting = asyncio.ensure_future(session.settled())
            await asyncio.sleep(0)
        with pytest.raises(engine.EngineClosed, match="was left"):
            await waiting
        with pytest.raises(engine.EngineClosed, match="was left"):
            await session.view()
        async with aio.open_engine(url(tmp_path)) as other:
            again = other.session(session.id)
            assert (await again.settled()).outcome == "case_opened"
            assert "session_released" in [event.kind async for event in again.events()]

    asyncio.run(main())


def test_an_error_of_the_program_comes_out_as_it_is(bundle: engine.Bundle, tmp_path: Path) -> None:
    async def main() -> None:
        planner = Asked()
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            async with aio.open_engine(url(tmp_path), planner=planner) as one:
                await one.start(bundle, message=CHARGED, attributes=SMALL)
                await planner.asked.wait()
                raise ZeroDivisionError

    asyncio.run(main())


def test_errors_keep_their_class(bundle: engine.Bundle, tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.open_engine("memory:", root="/nowhere/at/all") as one:
            with pytest.raises(engine.UnknownSession):
                await one.session("ses_none").view()
            with pytest.raises(engine.NotAllowed, match="no agent `bot`"):
                await one.start(bundle, agent="bot", message="hi")
            session = await one.start(bundle, message=CHARGED, attributes=SMALL)
            with pytest.raises(engine.EngineError, match="/nowhere/at/all"):
                await session.settled()
        with pytest.raises(engine.BadStoreUrl):
            async with aio.open_engine("nonsense:"):
                raise AssertionError("it is not opened")
        with pytest.raises(engine.EngineError, match="/nowhere/at/all"):
            async with aio.open_engine("memory:", root="/nowhere/at/all") as one:
                await one.start(bundle, message=CHARGED, attributes=SMALL)

    asyncio.run(main())


def test_a_thread_that_has_died_fails_whoever_waits_and_whoever_comes() -> None:
    async def main() -> None:
        with pytest.raises(engine.EngineClosed, match="broken down"):  # noqa: PT012
            async with aio.open_engine("memory:") as one:
                waiting = asyncio.ensure_future(one.work())
                await asyncio.sleep(0)
                one._context.thread.post(lambda: 1 // 0)
                with pytest.raises(engine.EngineClosed, match="TrioInternalError") as caught:
                    await waiting
                assert isinstance(caught.value.__cause__, trio.TrioInternalError)
                with pytest.raises(engine.EngineClosed, match="broken down"):
                    await one.requests()

    asyncio.run(main())


def test_what_has_broken_down_in_the_background_fails_whoever_waits_and_is_raised_at_the_end() -> None:
    async def main() -> None:
        breaks = trio.Event()

        async def broken() -> None:
            await breaks.wait()
            raise ZeroDivisionError

        @asynccontextmanager
        async def opened() -> AsyncIterator[None]:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(broken)
                yield

        with pytest.raises(ExceptionGroup) as group:  # noqa: PT012
            async with open_thread() as thread, hold(thread, opened) as context:
                waiting = asyncio.ensure_future(context.call(trio.sleep_forever))
                await asyncio.sleep(0)
                thread.post(breaks.set)
                with pytest.raises(engine.EngineClosed):
                    await waiting
                with pytest.raises(engine.EngineClosed):
                    await context.call(trio.sleep_forever)
        assert group.group_contains(ZeroDivisionError)

    asyncio.run(main())


@pytest.mark.parametrize("turns", range(6))
def test_an_opening_that_is_cancelled_leaves_nothing_behind(turns: int, tmp_path: Path) -> None:
    async def opened() -> None:
        async with aio.open_engine(url(tmp_path)):
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.ensure_future(opened())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_leaving_that_is_cancelled_is_finished_first(bundle: engine.Bundle, tmp_path: Path) -> None:
    async def main() -> None:
        planner, inside, may = Asked(), asyncio.Event(), asyncio.Event()

        async def opened() -> None:
            async with aio.open_engine(url(tmp_path), planner=planner) as one:
                await one.start(bundle, message=CHARGED, attributes=SMALL)
                await planner.asked.wait()
                inside.set()
                await may.wait()

        task = asyncio.ensure_future(opened())
        await inside.wait()
        may.set()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with aio.open_engine(url(tmp_path)) as other:
            (row,) = await other.sessions()
            assert (await other.session(row.id).settled()).outcome == "case_opened"

    asyncio.run(main())


def test_it_is_used_in_its_own_loop_alone() -> None:
    async def main() -> aio.Engine:
        async with aio.open_engine("memory:") as one:
            with pytest.raises(RuntimeError, match="in no other"):
                await asyncio.to_thread(lambda: asyncio.run(_coroutine(one.requests)))
            return one

    one = asyncio.run(main())
    with pytest.raises(RuntimeError, match="in no other"):
        asyncio.run(_coroutine(one.requests))


async def _coroutine(function: Callable[[], Awaitable[Any]]) -> Any:
    return await function()


def test_a_store_that_is_open_is_used_where_it_lives(bundle: engine.Bundle, tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.open_store(url(tmp_path)) as store:
            async with aio.open_engine(store) as one:
                session = await one.start(bundle, message=CHARGED, attributes=SMALL)
                assert (await session.settled()).over
                assert len([one for one in threading.enumerate() if one.name == "engine-trio"]) == 1
            assert [row.id for row in await store.sessions()] == [session.id]
            assert await store.verify(session.id) == []
            with pytest.raises(engine.UnknownSession):
                await store.load("ses_none")

    asyncio.run(main())


# -- processes

SCRIPT = """
import asyncio, sys
from engine import Proposal
from engine.aio import load_bundle, open_engine

class Slow:
    async def propose(self, view):
        print("asked", flush=True)
        await asyncio.Event().wait()

async def main():
    async with open_engine("sqlite:///e.db", planner=Slow()) as engine:
        session = await engine.start(load_bundle("."), message="hi", attributes={"tenant": "acme", "account_id": "a"})
        print(session.id, flush=True)
        await session.settled()

asyncio.run(main())
"""


def test_an_interrupt_ends_a_script_and_leaves_its_session_to_another(tmp_path: Path) -> None:
    at = copy_of_root(tmp_path)
    (at / "script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, "script.py"], cwd=at, env=environment(at / "e.db"), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = {process.stdout.readline().strip(), process.stdout.readline().strip()}
    (session_id,) = lines - {"asked"}
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert "never retrieved" not in err
    shell = Shell(at)
    done = shell("resume", session_id, "--store", f"sqlite:///{at / 'e.db'}")
    assert done.code == 0, done.err
