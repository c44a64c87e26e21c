"""A program whose rule delays a yes: its session goes on by itself once the yes counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import trio

from engine.api.answers import Approve
from engine.api.engine import open_engine
from engine.runtime.waiting_yes import TakenBack
from engine.session.state.event import EventKind
from engine.session.state.state import Status
from tests.bundle_texts import agent, bundle, policy, reviewers, tool
from tests.testing.live import KEYED

RULES = (
    "  - {id: open, tools: [write], effect: allow}\n"
    "  - {id: large, tools: [write], effect: require_approval, approvers: [leads], settle_delay: %s}\n"
)
PLAN = (
    "planners:\n  script:\n    kind: scripted\n    decisions:\n"
    "      - {message: a, tool_calls: [{id: w, name: write, input: {n: 1}}], done: false}\n"
    "      - {message: b, done: true}\n"
)


def delaying(delay: str) -> tuple[tuple[str, str], ...]:
    path, text = agent("[write]", policies="[rules]")
    planned = text.replace("planners:\n  script: {kind: scripted, decisions: [{message: hi, done: true}]}\n", PLAN)
    assert planned != text
    return (path, planned), policy(RULES % delay), tool("write", "write", more=KEYED), reviewers("leads", "[ana, bo]")


async def test_who_waits_for_it_is_told_how_it_stands_behind_the_delay() -> None:
    async with open_engine("memory:") as engine:
        session = await engine.start(bundle(*delaying("300ms")), message="hello", attributes={"tenant": "acme"})
        view = await session.settled()
        (request,) = view.requests
        await engine.answer(request.id, Approve(by="ana"), digest=request.digest)
        view = await session.settled()
        assert (view.status, view.over) == (Status.DONE, True)
        kinds = [event.kind async for event in session.events()]
        assert kinds.count(EventKind.SESSION_CLAIMED) == 3, "it is taken once for each thing that happens"


async def test_nobody_has_to_ask_for_it_to_go_on() -> None:
    async with open_engine("memory:") as engine:
        session = await engine.start(bundle(*delaying("300ms")), message="hello", attributes={"tenant": "acme"})
        (request,) = (await session.settled()).requests
        await engine.answer(request.id, Approve(by="ana"))
        kinds = [event.kind async for event in session.events(follow=True)]
        assert EventKind.CALL_STARTED in kinds


async def test_one_that_is_taken_back_is_waited_for_no_more() -> None:
    async with open_engine("memory:") as engine:
        session = await engine.start(bundle(*delaying("1h")), message="hello", attributes={"tenant": "acme"})
        (request,) = (await session.settled()).requests
        await engine.answer(request.id, Approve(by="ana"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.settled)
            assert await engine.take_back_all("bo", why="left") == TakenBack([], {})
            assert await engine.take_back_all("ana", why="left", tenant="globex") == TakenBack([], {})
            before = datetime.now(UTC) - timedelta(minutes=1)
            assert await engine.take_back_all("ana", why="left", said_until=before) == TakenBack([], {})
            assert await engine.take_back_all("ana", why="left") == TakenBack([request.id], {})
        assert (await session.settled()).status is Status.AWAITING_HUMAN_REVIEW
