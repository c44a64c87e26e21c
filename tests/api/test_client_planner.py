"""Decisions from outside, through the door for programs: `propose` and `call`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

import engine.aio
from engine import (
    Approve,
    CallView,
    Deny,
    Engine,
    NotAllowed,
    Proposal,
    Request,
    Session,
    Status,
    Usage,
    load_bundle,
    open_engine,
    open_store,
)
from engine.trio_clock import TrioClock
from tests.bundle_texts import ALLOW, CODE, agent, policy, reviewers, tool

ASK = "  - {id: ask, tools: [pay], effect: require_approval, approvers: [bosses], reason: large, message: m}"
DONE = {"message": "all is well", "tool_calls": [], "done": True}


class Later(TrioClock):
    """The time of the machine, and some days."""

    days = 0

    def now(self) -> datetime:
        return super().now() + timedelta(days=self.days)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> engine.Bundle:
    """An agent whose decisions come from outside."""
    path, text = agent("[look, pay]", policies="[rules]")
    client = text.replace("script: {kind: scripted, decisions: [{message: hi, done: true}]}", "script: {kind: client}")
    assert client != text
    at = tmp_path_factory.mktemp("bundle")
    files = [(path, client), policy(f"{ALLOW}\n{ASK}"), reviewers("bosses", "[dana]"), tool("look")]
    for name, content in [*files, tool("pay", "write"), ("specs/tools/code.py", CODE)]:
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(content)
    return load_bundle(at)


@asynccontextmanager
async def started(made: engine.Bundle, at: Path, **more: Any) -> AsyncIterator[tuple[Engine, Session]]:
    async with open_engine(f"sqlite:///{at / 'e.db'}", root=at) as one:
        yield one, await one.start(made, message="hi", attributes={"tenant": "acme"}, **more)


async def test_a_program_takes_a_session_from_step_to_step(made: engine.Bundle, tmp_path: Path) -> None:
    async with started(made, tmp_path) as (_, session):
        view = await session.settled()
        assert view.status is Status.AWAITING_PLANNER
        called = await session.call("look", {"n": 1}, after=view.seq)
        assert isinstance(called, CallView)
        assert (called.tool, called.status, called.output) == ("look", "ok", {})
        view = await session.settled()
        assert view.status is Status.AWAITING_PLANNER
        await session.propose(DONE, after=view.seq, by="the robot")
        view = await session.settled()
        assert (view.status, view.outcome, view.message) == (Status.DONE, "answered", "all is well")
        proposed = [e.payload async for e in session.events() if e.kind == "decision_proposed"]
        assert [payload["by"] for payload in proposed] == ["client", "the robot"]


async def test_a_held_call_gives_its_request_and_goes_on_with_the_answer(made: engine.Bundle, tmp_path: Path) -> None:
    async with started(made, tmp_path) as (one, session):
        request = await session.call("pay", {"n": 5}, after=(await session.settled()).seq)
        assert isinstance(request, Request)
        assert (request.kind, request.groups) == ("approval", ("bosses",))
        await one.answer(request.id, Approve(by="dana"), digest=request.digest)
        view = await session.settled()
        assert [(call.tool, call.status) for call in view.calls] == [("pay", "ok")]
        assert view.status is Status.AWAITING_PLANNER


async def test_a_call_that_is_denied_or_does_not_fit_has_ended_too(made: engine.Bundle, tmp_path: Path) -> None:
    async with started(made, tmp_path) as (one, session):
        request = await session.call("pay", {"n": 5}, after=(await session.settled()).seq)
        assert isinstance(request, Request)
        await one.answer(request.id, Deny(by="dana"))
        again = await session.call("pay", {"n": 5}, after=(await session.settled()).seq)
        assert isinstance(again, CallView)
        assert (again.status, again.reason) == ("blocked", "denied_by_reviewer")
        wrong = await session.call("look", {"n": "five"}, after=(await session.settled()).seq)
        assert isinstance(wrong, CallView)
        assert (wrong.status, wrong.reason) == ("blocked", "invalid_input")


async def test_of_two_programs_that_answer_the_same_step_one_is_refused(made: engine.Bundle, tmp_path: Path) -> None:
    async with started(made, tmp_path) as (_, session):
        seq = (await session.settled()).seq
        outcomes: list[str] = []

        async def propose() -> None:
            try:
                await session.propose(DONE, after=seq)
                outcomes.append("taken")
            except NotAllowed as error:
                outcomes.append(error.reason)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(propose)
            nursery.start_soon(propose)
        assert sorted(outcomes) in (["not_asked", "taken"], ["session_over", "taken"])


async def test_what_the_customer_says_meanwhile_has_to_be_read(made: engine.Bundle, tmp_path: Path) -> None:
    async with started(made, tmp_path) as (_, session):
        view = await session.settled()
        await session.send("wait, there is more")
        with pytest.raises(NotAllowed, match="has to be read first"):
            await session.propose(DONE, after=view.seq)
        await session.propose(DONE, after=(await session.settled()).seq)
        assert (await session.settled()).status is Status.DONE


async def test_nobody_is_asked_in_the_inbox_for_what_a_client_decides(made: engine.Bundle, tmp_path: Path) -> None:
    async with started(made, tmp_path) as (one, session):
        view = await session.settled()
        assert view.requests == ()
        assert await session.open_requests() == ()
        assert list(await one.requests()) == []


async def test_what_is_recorded_here_a_worker_takes_in(made: engine.Bundle, tmp_path: Path) -> None:
    async with started(made, tmp_path, drive=False) as (one, session), trio.open_nursery() as nursery:
        nursery.start_soon(one.work)
        with trio.fail_after(600):
            view = await session.settled()
            assert view.status is Status.AWAITING_PLANNER
            called = await session.call("look", {}, after=view.seq)
            assert isinstance(called, CallView)
            assert called.status == "ok"
        nursery.cancel_scope.cancel()


async def test_a_client_that_dies_is_followed_by_another(made: engine.Bundle, tmp_path: Path) -> None:
    async with started(made, tmp_path) as (_, session):
        await session.settled()
    async with open_engine(f"sqlite:///{tmp_path / 'e.db'}", root=tmp_path) as other:
        later = other.session(session.id)
        called = await later.call("look", {}, after=(await later.view()).seq)
        assert isinstance(called, CallView)
        assert called.status == "ok"


def test_it_is_the_same_from_asyncio(made: engine.Bundle, tmp_path: Path) -> None:
    import asyncio

    async def main() -> None:
        async with engine.aio.open_engine(f"sqlite:///{tmp_path / 'e.db'}", root=tmp_path) as one:
            session = await one.start(made, message="hi", attributes={"tenant": "acme"})
            called = await session.call("look", {}, after=(await session.settled()).seq)
            assert isinstance(called, CallView)
            await session.propose(DONE, after=(await session.settled()).seq)
            assert (await session.settled()).status is Status.DONE

    asyncio.run(main())


async def test_a_session_whose_client_is_late_is_over_for_whoever_looks(made: engine.Bundle, tmp_path: Path) -> None:
    clock = Later()
    at = f"sqlite:///{tmp_path / 'e.db'}"
    async with open_store(at, clock=clock) as store, open_engine(store, root=tmp_path) as one:
        session = await one.start(made, message="hi", attributes={"tenant": "acme"})
        assert (await session.settled()).status is Status.AWAITING_PLANNER
        clock.days = 2
        assert (await session.settled()).status is Status.TIMED_OUT


async def test_a_planner_that_there_is_not_is_refused_at_the_start(made: engine.Bundle, tmp_path: Path) -> None:
    async with open_engine(f"sqlite:///{tmp_path / 'e.db'}", root=tmp_path) as one:
        with pytest.raises(NotAllowed, match="no planner zz: it has script"):
            await one.start(made, message="hi", attributes={"tenant": "acme"}, planner="zz")


class Bad:
    """A planner whose answers can't be counted, or that wants the process to end."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def propose(self, view: Any) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer", [Proposal(DONE, Usage(-5000)), Proposal(DONE, Usage(1, float("nan"))), SystemExit(0), RuntimeError("x")]
)
async def test_what_a_planner_foresaw_badly_fails_its_question_alone(answer: Any, tmp_path: Path) -> None:
    at = tmp_path / "bundle"
    for name, content in [agent("[look]"), tool("look"), ("specs/tools/code.py", CODE)]:
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(content)
    async with open_engine(f"sqlite:///{tmp_path / 'e.db'}", root=tmp_path, planner=Bad(answer)) as one:
        session = await one.start(load_bundle(at), message="hi", attributes={"tenant": "acme"})
        view = await session.settled()
        assert view.status is Status.FAILED
        kinds = [event.kind async for event in session.events()]
        assert "planner_failed" in kinds


class Torn(dict[str, Any]):
    """A decision that can't even be looked at."""

    def items(self) -> Any:
        raise RuntimeError("torn")


async def test_a_worker_outlives_a_session_that_breaks_it(made: engine.Bundle, tmp_path: Path) -> None:
    class Once:
        """Breaks the first session that asks."""

        broken = ""

        async def propose(self, view: Any) -> Any:
            self.broken = self.broken or view.session_id
            return Torn(DONE) if view.session_id == self.broken else DONE

    at = tmp_path / "bundle"
    for name, content in [agent("[look]"), tool("look"), ("specs/tools/code.py", CODE)]:
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(content)
    planner = Once()
    async with open_engine(f"sqlite:///{tmp_path / 'e.db'}", root=tmp_path, planner=planner) as one:
        bundle = load_bundle(at)
        given = {"message": "hi", "attributes": {"tenant": "acme"}, "drive": False}
        sessions = [await one.start(bundle, **given) for _ in range(3)]  # type: ignore[arg-type]
        with trio.fail_after(600):
            await one.work(until_idle=True)
        over = [(await session.view()).over for session in sessions if session.id != planner.broken]
        assert over == [True, True]
