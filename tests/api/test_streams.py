"""Streams of a session: nothing is lost, nobody waits for a reader, and each session has its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

import engine
from engine import (
    Approve,
    EngineClosed,
    EngineError,
    Event,
    PlannerView,
    Proposal,
    Status,
    load_bundle,
    open_engine,
    open_store,
)
from engine.api.streams import Events, LogReader
from engine.ports.planner import Say
from tests.api.test_door import CHARGED, LARGE, ROOT, SMALL, url


@pytest.fixture(scope="module")
def bundle() -> engine.Bundle:
    return load_bundle(ROOT)


class Talker:
    """A planner that says its message word by word, the next as soon as somebody lets it."""

    def __init__(self, message: str) -> None:
        self.words = message.split()
        self.may, self.next = trio.open_memory_channel[None](100)
        self.said = 0

    async def consider(self, view: PlannerView, log: Sequence[Event], say: Say) -> Proposal:
        for count in range(1, len(self.words) + 1):
            await self.next.receive()
            say(" ".join(self.words[:count]))
            self.said = count
        await self.next.receive()
        return Proposal({"message": " ".join(self.words), "tool_calls": [], "done": True})

    async def propose(self, view: PlannerView) -> Proposal:
        raise AssertionError("a planner that reads the log is asked with it")

    def let(self, words: int) -> None:
        for _ in range(words):
            self.may.send_nowait(None)


async def test_what_a_model_says_comes_while_it_says_it_and_ends_with_the_session(bundle: engine.Bundle) -> None:
    talker = Talker("we look into it")
    async with open_engine("memory:", planner=talker) as one:
        session = await one.start(bundle, message="hi", attributes=SMALL)
        heard = []
        texts = session.text()
        for _ in talker.words:
            talker.let(1)
            heard.append(await anext(texts))
        talker.let(1)
        assert heard == ["we", "we look", "we look into", "we look into it"]
        assert [text async for text in texts] == []
        assert (await session.view()).status is Status.DONE


async def test_a_slow_reader_of_texts_is_given_the_newest_and_keeps_nobody_waiting(bundle: engine.Bundle) -> None:
    talker = Talker("we look into it")
    async with open_engine("memory:", planner=talker) as one:
        session = await one.start(bundle, message="hi", attributes=SMALL)
        slow, other = session.text(follow=True), session.text()
        talker.let(5)
        assert (await session.settled()).over
        assert [text async for text in slow] == ["we look into it"]
        assert [text async for text in other] == ["we look into it"]


async def test_each_session_has_its_own_texts(bundle: engine.Bundle) -> None:
    talker = Talker("one word")
    async with open_engine("memory:", planner=talker) as one:
        spoken = await one.start(bundle, message="hi", attributes=SMALL)
        silent = await one.start(bundle, message="hi", attributes=SMALL, drive=False)
        heard, other = spoken.text(), silent.text()
        talker.let(3)
        assert (await spoken.settled()).over
        assert [text async for text in heard] == ["one word"]
        again = one.session(silent.id)
        await again.cancel("ada")
        assert (await again.settled()).over
        assert [text async for text in other] == []


async def test_a_slow_reader_of_events_keeps_nobody_waiting_and_loses_none(
    bundle: engine.Bundle, tmp_path: Path
) -> None:
    async with open_engine(url(tmp_path)) as one:
        session = await one.start(bundle, message=CHARGED, attributes=SMALL)
        events = session.events()
        seen = [(await anext(events)).seq]
        assert (await session.settled()).over
        seen += [event.seq async for event in events]
        assert seen == list(range(1, (await session.view()).seq + 1))


async def test_a_read_that_is_cut_off_loses_nothing(bundle: engine.Bundle, tmp_path: Path) -> None:
    async with open_engine(url(tmp_path)) as one:
        session = await one.start(bundle, message=CHARGED, attributes=SMALL)
        events, seen = session.events(), []
        while True:
            with trio.CancelScope() as scope:
                scope.cancel()
                seen.append((await anext(events)).seq)
            await trio.lowlevel.checkpoint()
            if not one._drives.running(session.id):
                break
        seen += [event.seq async for event in events]
        assert seen == list(range(1, (await session.view()).seq + 1))


async def test_who_follows_reads_on_where_the_session_waits(bundle: engine.Bundle, tmp_path: Path) -> None:
    async with open_engine(url(tmp_path)) as one:
        session = await one.start(bundle, message=CHARGED, attributes=LARGE)
        followed: list[int] = []

        async def follow() -> None:
            async for event in session.events(follow=True):
                followed.append(event.seq)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            waits = [event.seq async for event in session.events()]
            assert (await session.view()).status is Status.AWAITING_HUMAN_REVIEW
            (request,) = await session.open_requests()
            await one.answer(request.id, Approve(by="dana"))
        assert followed == list(range(1, (await session.view()).seq + 1))
        assert len(waits) < len(followed)


async def test_a_stream_tells_what_keeps_the_session_from_being_driven(bundle: engine.Bundle) -> None:
    async with open_engine("memory:", root="/nowhere/at/all") as one:
        session = await one.start(bundle, message=CHARGED, attributes=SMALL)
        with pytest.raises(EngineError, match="/nowhere/at/all"):
            [text async for text in session.text()]


async def test_an_engine_that_was_left_says_so_and_waits_for_nothing(bundle: engine.Bundle) -> None:
    async with open_store("memory:") as store:
        async with open_engine(store) as one:
            session = await one.start(bundle, message=CHARGED, attributes=SMALL, drive=False)
        waiting = one.session(session.id)
        for act in (
            lambda: waiting.settled(),
            lambda: anext(waiting.events()),
            lambda: anext(waiting.text()),
            lambda: waiting.send("hello?"),
            lambda: waiting.cancel("ada"),
            lambda: waiting.confirm("open_refund_case", {}),
            lambda: one.start(bundle, message=CHARGED, attributes=SMALL),
            lambda: one.answer(f"{session.id}.1", Approve(by="dana")),
            lambda: one.work(until_idle=True),
        ):
            with pytest.raises(EngineClosed, match="was left"):
                await act()
        assert len(await store.load(session.id)) == 2


class Slow:
    """A store in which the last events of a session come right when somebody asks whether it is over."""

    def __init__(self, log: list[engine.Event], row: object, seen: int) -> None:
        self._log, self._row, self._seen = log, row, seen

    async def load(self, session_id: str, after: int = 0) -> list[engine.Event]:
        return self._log[after : self._seen]

    async def session(self, session_id: str) -> object:
        self._seen = len(self._log)
        return self._row


async def test_no_event_is_lost_that_comes_while_it_is_asked_whether_there_are_more(
    bundle: engine.Bundle, tmp_path: Path
) -> None:
    async with open_store("memory:") as store, open_engine(store) as one:
        session = await one.start(bundle, message=CHARGED, attributes=SMALL)
        await session.settled()
        log = await store.load(session.id)
        slow = Slow(list(log), await store.session(session.id), seen=3)
        reader = LogReader(session.id, slow, session._drives, session._news, follow=False)  # type: ignore[arg-type]
        events = Events(reader, 0)
        assert [event.seq async for event in events] == [event.seq for event in log]
