"""An engine for asyncio programs: Trio runs in a thread of its own, and each call crosses over to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from engine.aio.program import adapters_in_loop, planner_in_loop
from engine.aio.session import AsyncioSession
from engine.aio.store import ThreadStore
from engine.aio.thread import ThreadContext, TrioThread, hold, open_thread
from engine.api import engine as api
from engine.api.answers import Approve, Deny, Reply
from engine.ports.clock import Clock
from engine.ports.planner import Planner
from engine.ports.records import RequestRow, SessionRow
from engine.ports.resources import Secrets
from engine.ports.store import Store
from engine.ports.tool import ToolAdapter
from engine.runtime.waiting_yes import TakenBack
from engine.session.state.state import State
from engine.spec.bundle import Bundle, Tool
from engine.store.log_key import LogKey


class AsyncioEngine:
    """See `engine.Engine`; used in the loop in which it was opened."""

    def __init__(self, context: ThreadContext[api.Engine]) -> None:
        self._context = context

    async def start(
        self,
        bundle: Bundle,
        *,
        message: str,
        agent: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        planner: str | None = None,
        started_by: str | None = None,
        root: str | Path | None = None,
        drive: bool = True,
        session_id: str | None = None,
        stands_for: Sequence[str] = (),
    ) -> AsyncioSession:
        """See `engine.Engine.start`; one that is cancelled may be recorded, as any commit may."""
        begin = partial(
            self._context.value.start,
            bundle,
            message=message,
            agent=agent,
            attributes=attributes,
            planner=planner,
            started_by=started_by,
            root=root,
            drive=drive,
            session_id=session_id,
            stands_for=stands_for,
        )
        return AsyncioSession(await self._context.call(begin), self._context)

    def check_start(
        self,
        bundle: Bundle,
        *,
        message: str,
        agent: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        planner: str | None = None,
    ) -> None:
        """See `engine.Engine.check_start`; it waits for nothing, and crosses over to no thread."""
        self._context.value.check_start(bundle, message=message, agent=agent, attributes=attributes, planner=planner)

    async def look(self, session_id: str) -> State:
        """See `engine.Engine.look`."""
        return await self._context.call(partial(self._context.value.look, session_id))

    async def bundle(self, digest: str) -> Bundle:
        """See `engine.Engine.bundle`."""
        return await self._context.call(partial(self._context.value.bundle, digest))

    def session(self, session_id: str, *, drive: bool = True) -> AsyncioSession:
        """See `engine.Engine.session`."""
        return AsyncioSession(self._context.value.session(session_id, drive=drive), self._context)

    async def answer(
        self,
        request_id: str,
        reply: Reply,
        *,
        digest: str | None = None,
        drive: bool = True,
        roles: Iterable[str] = (),
    ) -> AsyncioSession:
        """See `engine.Engine.answer`."""
        record = partial(self._context.value.answer, request_id, reply, digest=digest, drive=drive, roles=roles)
        return AsyncioSession(await self._context.call(record), self._context)

    async def comment(self, request_id: str, text: str, by: str) -> None:
        """See `engine.Engine.comment`."""
        await self._context.call(partial(self._context.value.comment, request_id, text, by))

    async def take_back(self, request_id: str, by: str, *, why: str = "") -> None:
        """See `engine.Engine.take_back`."""
        await self._context.call(partial(self._context.value.take_back, request_id, by, why=why))

    async def refusal(
        self, request_id: str, reply: Approve | Deny, *, roles: Iterable[str] = ()
    ) -> tuple[str, str] | None:
        """See `engine.Engine.refusal`."""
        return await self._context.call(partial(self._context.value.refusal, request_id, reply, roles=roles))

    async def take_back_all(
        self, by: str, *, why: str, said_until: datetime | None = None, tenant: str | None = None
    ) -> TakenBack:
        """See `engine.Engine.take_back_all`."""
        wanted = partial(self._context.value.take_back_all, by, why=why, said_until=said_until, tenant=tenant)
        return await self._context.call(wanted)

    async def requests(self, *, open_only: bool = True) -> Sequence[RequestRow]:
        """See `engine.Engine.requests`."""
        return await self._context.call(partial(self._context.value.requests, open_only=open_only))

    async def sessions(self, *, limit: int | None = None, state: str | None = None) -> Sequence[SessionRow]:
        """See `engine.Engine.sessions`."""
        return await self._context.call(partial(self._context.value.sessions, limit=limit, state=state))

    async def work(self, *, until_idle: bool = False, at_once: int = 4) -> None:
        """See `engine.Engine.work`."""
        await self._context.call(partial(self._context.value.work, until_idle=until_idle, at_once=at_once))


@asynccontextmanager
async def open_engine(
    store: str | Store,
    *,
    root: str | Path | None = None,
    log_key: LogKey | None = None,
    secrets: Secrets | None = None,
    planner: Planner | None = None,
    adapters: Callable[[Bundle, Clock], Callable[[Tool], ToolAdapter]] | None = None,
) -> AsyncIterator[AsyncioEngine]:
    """See `engine.open_engine`; the coroutines of `planner` and `adapters` run in this program's loop.

    A store that `engine.aio.open_store` has opened is used where it lives; the methods of any other run under Trio.
    Raises BadStoreUrl, StoreFault and NewerStore for a store that can't be used.

        async with open_engine("sqlite:///refunds.db") as engine:
            session = await engine.start(bundle, message="I was charged twice", attributes={"tenant": "acme"})
    """

    async def opened(thread: TrioThread, at: str | Store) -> AsyncIterator[AsyncioEngine]:
        make = partial(
            api.open_engine,
            at,
            root=root,
            log_key=log_key,
            secrets=secrets,
            planner=planner_in_loop(planner, thread),
            adapters=adapters_in_loop(adapters, thread),
        )
        async with hold(thread, make) as context:
            yield AsyncioEngine(context)

    if isinstance(store, ThreadStore):
        async with asynccontextmanager(opened)(store.context.thread, store.context.value) as engine:
            yield engine
    else:
        async with open_thread() as thread, asynccontextmanager(opened)(thread, store) as engine:
            yield engine
