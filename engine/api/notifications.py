"""Wakes whoever follows a session when something of it happens in this process, and hands on what a model says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from engine.session.state.event import Event

# a listener that is behind by more misses what a model says so far: the event tells it whole
BEHIND = 1_000


class News:
    """What happens to the sessions of this process, by session."""

    def __init__(self) -> None:
        self._changed: dict[str, trio.Event] = {}
        self._partial: dict[str, set[trio.MemorySendChannel[str]]] = {}

    def tell(self, event: Event) -> None:
        """Something happened to a session."""
        changed = self._changed.pop(event.session_id, None)
        if changed is not None:
            changed.set()

    def next(self, session_id: str) -> trio.Event:
        """Set once something more happens to a session."""
        return self._changed.setdefault(session_id, trio.Event())

    def tell_partial(self, session_id: str, text: str) -> None:
        """A model has said so much so far."""
        for channel in self._partial.get(session_id, ()):
            try:
                channel.send_nowait(text)
            except trio.WouldBlock:
                continue  # what comes next holds this as well

    @asynccontextmanager
    async def partial(self, session_id: str) -> AsyncIterator[trio.MemoryReceiveChannel[str]]:
        """What models say of a session while this is open: each text holds the one before."""
        sending, receiving = trio.open_memory_channel[str](BEHIND)
        listening = self._partial.setdefault(session_id, set())
        listening.add(sending)
        try:
            async with receiving:
                yield receiving
        finally:
            listening.discard(sending)
            if not listening:
                self._partial.pop(session_id, None)
