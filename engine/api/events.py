"""The events of a session as they happen; whoever reads them may stop at any time."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace

import trio

from engine.api.drives import Drives
from engine.api.notifications import News
from engine.ports.store import Store
from engine.session.sealed_tokens import shown
from engine.session.state.event import Event
from engine.session.state.state import FINAL, Status

# what other processes do is looked for so often, in seconds
LOOK_EVERY = 0.25


class Events(AsyncIterator[Event]):
    """An iterator that nothing has to close: it holds nothing between two events."""

    def __init__(self, session_id: str, store: Store, drives: Drives, news: News, *, after: int, follow: bool) -> None:
        self._id = session_id
        self._store = store
        self._drives = drives
        self._news = news
        self._after = after
        self._follow = follow
        self._found: deque[Event] = deque()

    async def __anext__(self) -> Event:
        while not self._found:
            news = self._news.next(self._id)
            # asked first: what is recorded until it is over stands in the log then
            ended = await self._ended()
            self._found.extend(await self._store.load(self._id, self._after))
            if self._found:
                break
            self._drives.check(self._id)
            if ended:
                raise StopAsyncIteration
            with trio.move_on_after(LOOK_EVERY):
                await news.wait()
        event = self._found.popleft()
        self._after = event.seq
        return replace(event, payload=shown(event.payload))

    async def _ended(self) -> bool:
        driven = self._drives.running(self._id)
        state = (await self._store.session(self._id)).state
        return state in FINAL or (state != Status.RUNNING and not driven and not self._follow)
