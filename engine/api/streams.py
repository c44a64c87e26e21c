"""Streams of a session: its events and what its model says, as they come; whoever reads may stop at any time.

A reader is slow at nobody's cost: events are read from the store when they are asked for, and of a text that grows only
the newest state is kept.  So no driver waits for a reader, no event is lost, and nothing has to be closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Protocol

import trio

from engine.api.drives import Drives
from engine.api.notifications import News
from engine.ports.store import Store
from engine.session.sealed_tokens import shown
from engine.session.state.event import Event
from engine.session.state.state import FINAL, Status

# what other processes do is looked for so often, in seconds
LOOK_EVERY = 0.25


class LogReader:
    """Reads the events of a session, and waits for them; it keeps no place, so that a cut read loses nothing."""

    def __init__(self, session_id: str, store: Store, drives: Drives, news: News, *, follow: bool) -> None:
        self._id = session_id
        self._store = store
        self._drives = drives
        self._news = news
        self._follow = follow

    async def read(self, after: int) -> list[Event]:
        """All that happened behind an event, once there is something; nothing where the stream ends.

        Raises UnknownSession, EngineClosed, and what keeps this process from driving the session.
        """
        while True:
            self._drives.check_open()
            news = self._news.next(self._id)
            # asked first: what is recorded until it is over stands in the log then
            ended = await self.ended()
            if found := await self._store.load(self._id, after):
                return [replace(event, payload=shown(event.payload)) for event in found]
            self._drives.check(self._id)
            if ended:
                return []
            with trio.move_on_after(LOOK_EVERY):
                await news.wait()

    async def ended(self) -> bool:
        """Whether the session is over, or, unless it is followed, waits for somebody."""
        driven = self._drives.running(self._id)
        state = (await self._store.session(self._id)).state
        return state in FINAL or (state != Status.RUNNING and not driven and not self._follow)


class ReadsEvents(Protocol):
    """Gives the events behind one, or nothing where there are no more to come."""

    async def read(self, after: int) -> Sequence[Event]:
        """See LogReader.read."""
        ...


class ReadsTexts(Protocol):
    """Gives the newest text behind a number, or None where there is no more to come."""

    async def read(self, after: int) -> tuple[int, str] | None:
        """See TextReader.read."""
        ...


class Events(AsyncIterator[Event]):
    """The events of a session, one after the other, from a place in its log."""

    def __init__(self, reader: ReadsEvents, after: int) -> None:
        self._reader = reader
        self._after = after
        self._found: deque[Event] = deque()

    async def __anext__(self) -> Event:
        if not self._found:
            self._found.extend(await self._reader.read(self._after))
            if not self._found:
                raise StopAsyncIteration
        event = self._found.popleft()
        self._after = event.seq
        return event


class TextReader:
    """Waits for what the model of a session says from now on, if this process drives it."""

    def __init__(self, session_id: str, reader: LogReader, drives: Drives, news: News) -> None:
        self._id = session_id
        self._reader = reader
        self._drives = drives
        self._heard = news.partial_text(session_id)
        self._start = self._heard.number

    async def read(self, after: int) -> tuple[int, str] | None:
        """The newest text with its number, once there is one behind `after`; None where the stream ends.

        Raises as LogReader.read.
        """
        after = max(after, self._start)
        while True:
            self._drives.check_open()
            changed = self._heard.changed
            ended = await self._reader.ended()
            if self._heard.number > after:
                return self._heard.number, self._heard.text
            self._drives.check(self._id)
            if ended:
                return None
            with trio.move_on_after(LOOK_EVERY):
                await changed.wait()


class Texts(AsyncIterator[str]):
    """What the model of a session says, each text as far as it is known by then."""

    def __init__(self, reader: ReadsTexts) -> None:
        self._reader = reader
        self._seen = 0

    async def __anext__(self) -> str:
        found = await self._reader.read(self._seen)
        if found is None:
            raise StopAsyncIteration
        self._seen, text = found
        return text
