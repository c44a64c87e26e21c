"""A handle of one session, for asyncio."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from engine.aio.thread import ThreadContext
from engine.api.engine import Engine
from engine.api.session import Session, log_reader, text_reader
from engine.api.streams import Events, LogReader, TextReader, Texts
from engine.api.views import CallView, SessionView
from engine.session.state.event import Event
from engine.session.state.state import Request
from engine.spec.planner_spec import NO_USAGE, Usage


class AsyncioSession:
    """See `engine.Session`."""

    def __init__(self, session: Session, context: ThreadContext[Engine]) -> None:
        self.id = session.id
        self._session = session
        self._context = context

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    def events(self, *, after: int = 0, follow: bool = False) -> Events:
        """See `engine.Session.events`; a task that is cancelled while it reads has lost no event."""
        return Events(CrossingLog(log_reader(self._session, follow), self._context), after)

    def text(self, *, follow: bool = False) -> Texts:
        """See `engine.Session.text`."""
        return Texts(CrossingText(self._session, follow, self._context))

    async def settled(self) -> SessionView:
        """See `engine.Session.settled`; cancelling who waits leaves the session to go on."""
        return await self._context.call(self._session.settled)

    async def view(self) -> SessionView:
        """See `engine.Session.view`."""
        return await self._context.call(self._session.view)

    async def open_requests(self) -> tuple[Request, ...]:
        """See `engine.Session.open_requests`."""
        return await self._context.call(self._session.open_requests)

    async def send(self, text: str, *, only_at: int | None = None) -> None:
        """See `engine.Session.send`."""
        await self._context.call(partial(self._session.send, text, only_at=only_at))

    async def confirm(self, tool: str, input: Mapping[str, Any], *, only_at: int | None = None) -> None:
        """See `engine.Session.confirm`."""
        await self._context.call(partial(self._session.confirm, tool, input, only_at=only_at))

    async def retry_job(self, call_id: str, *, by: str) -> None:
        """See `engine.Session.retry_job`."""
        await self._context.call(partial(self._session.retry_job, call_id, by=by))

    async def discard_job(self, call_id: str, *, by: str) -> None:
        """See `engine.Session.discard_job`."""
        await self._context.call(partial(self._session.discard_job, call_id, by=by))

    async def propose(
        self, decision: Mapping[str, Any], *, after: int, by: str = "client", usage: Usage = NO_USAGE
    ) -> None:
        """See `engine.Session.propose`."""
        await self._context.call(partial(self._session.propose, decision, after=after, by=by, usage=usage))

    async def call(
        self, tool: str, input: Mapping[str, Any], *, after: int, by: str = "client", usage: Usage = NO_USAGE
    ) -> CallView | Request:
        """See `engine.Session.call`; cancelling who waits leaves the call to go on."""
        return await self._context.call(partial(self._session.call, tool, input, after=after, by=by, usage=usage))

    async def cancel(self, by: str, *, only_at: int | None = None) -> None:
        """See `engine.Session.cancel`."""
        await self._context.call(partial(self._session.cancel, by, only_at=only_at))


class CrossingLog:
    """Reads a log over there, as much at once as there is."""

    def __init__(self, reader: LogReader, context: ThreadContext[Engine]) -> None:
        self._reader = reader
        self._context = context

    async def read(self, after: int) -> list[Event]:
        """See `LogReader.read`."""
        return await self._context.call(partial(self._reader.read, after))


class CrossingText:
    """Reads texts over there, from the moment in which it is made."""

    def __init__(self, session: Session, follow: bool, context: ThreadContext[Engine]) -> None:
        self._context = context
        self._reader: TextReader | None = None

        def listen() -> None:
            self._reader = text_reader(session, follow)

        context.thread.post(listen)

    async def read(self, after: int) -> tuple[int, str] | None:
        """See `TextReader.read`."""
        return await self._context.call(partial(self._read, after))

    async def _read(self, after: int) -> tuple[int, str] | None:
        assert self._reader is not None, "what is posted first is done first"
        return await self._reader.read(after)
