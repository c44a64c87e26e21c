"""An engine for programs: it opens a store, starts sessions, takes what people say, and drives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import trio

from engine.api.answers import Approve, Deny, Reply, recorded
from engine.api.drives import Drives
from engine.api.notifications import News
from engine.api.session import Session
from engine.api.shown_digests import is_about, with_digests
from engine.ports.clock import Clock
from engine.ports.planner import Planner
from engine.ports.records import RequestRow, SessionRow
from engine.ports.resources import Secrets
from engine.ports.store import Store
from engine.ports.tool import ToolAdapter
from engine.runtime.errors import NotAllowed
from engine.runtime.opening import Opening
from engine.runtime.refusal import refusal
from engine.runtime.runner import Runner as Runner
from engine.runtime.waiting_yes import TakenBack, take_back_all
from engine.runtime.worker import Worker
from engine.session.state.inputs import InputRefused, RequestCommented, YesTakenBack
from engine.session.state.state import State
from engine.spec.bundle import Bundle, Tool
from engine.store.log_key import LogKey
from engine.store.urls import open_url


class Engine:
    """The sessions of one store; made by `open_engine`."""

    def __init__(self, runner: Runner, store: Store, drives: Drives, news: News) -> None:
        self._runner = runner
        self._store = store
        self._drives = drives
        self._news = news

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
    ) -> Session:
        """Record a new session and return its handle; this process drives it, unless a worker is to (`drive=False`).

        `agent` may be left out if the bundle has one; `planner` names one of the agent's own; `started_by` is None for
        the customer; `root` is where its databases lie, which is where the bundle was loaded from.  A `session_id` that
        was chosen before begins once, however often it is asked for.  A machine that starts it `stands_for` people, who
        approve nothing that it asks for.  Raises NotAllowed for an agent or attributes that do not fit, MissingSecret
        and others of EnvironmentFault, EngineClosed.
        """
        self._drives.check_open()
        place = Path(root) if root is not None else Path(bundle.root or ".")
        opening = Opening(
            _agent_of(bundle, agent), message, dict(attributes or {}), planner, started_by, session_id,
            stands_for=tuple(stands_for),
        )  # fmt: skip
        session = self.session(await self._runner.start(bundle, opening, place), drive=drive)
        if drive:
            self._drives.start(session.id)
        return session

    def check_start(
        self,
        bundle: Bundle,
        *,
        message: str,
        agent: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        planner: str | None = None,
    ) -> None:
        """Raise what `start` would raise of what it is given; nothing is recorded."""
        opening = Opening(_agent_of(bundle, agent), message, dict(attributes or {}), planner)
        self._runner.check(bundle, opening, Path(bundle.root or "."))

    async def look(self, session_id: str) -> State:
        """A session's state as people may see it, with digests that requests are answered by; raises UnknownSession."""
        return await with_digests(self._runner, await self._runner.look(session_id))

    async def bundle(self, digest: str) -> Bundle:
        """The bundle that sessions stand under, as their views name it; raises BundleUnavailable."""
        return await self._runner.bundles.get(digest)

    def session(self, session_id: str, *, drive: bool = True) -> Session:
        """A handle of a session; whether there is one is found when it is used (UnknownSession)."""
        return Session(session_id, self._runner, self._store, self._drives, self._news, drive=drive)

    async def answer(
        self,
        request_id: str,
        reply: Reply,
        *,
        digest: str | None = None,
        drive: bool = True,
        roles: Iterable[str] = (),
    ) -> Session:
        """Record what somebody says to a request, and drive its session on; its handle is returned.

        `digest` is that of the request as it was shown: an answer to anything else is refused.  `roles` are those that
        they identified with, by which they may belong to a group of reviewers.  Raises NotAllowed for
        who may not answer, what does not fit, and a request that was answered, expired or closed; UnknownSession, and
        EngineClosed once the engine was left.
        """
        self._drives.check_open()
        session_id = session_of(request_id)
        session = self.session(session_id, drive=drive)
        action, value, edit = recorded(reply)
        await self._runner.answer(
            request_id, action, reply.by, note=reply.note, value=value, edit=edit, roles=roles,
            check=partial(_check_digest, request_id, digest),
        )  # fmt: skip
        if drive:
            self._drives.start(session.id)
        return session

    async def refusal(
        self, request_id: str, reply: Approve | Deny, *, roles: Iterable[str] = ()
    ) -> tuple[str, str] | None:
        """Why a yes or a no would be refused now, as a reason and a sentence; None where it would count.

        It is for who shows a question: nothing is recorded, and who answers is asked again.
        """
        self._drives.check_open()
        action, _, _ = recorded(reply)
        found = await refusal(self._runner, request_id, action, reply.by, frozenset(roles))
        return (found.reason, found.message) if found is not None else None

    async def take_back(self, request_id: str, by: str, *, why: str = "") -> None:
        """Take a yes back that does not count yet, as whoever said it; the question is open again.

        A yes counts at once unless a rule delays it (`settle_delay`).  Raises NotAllowed for a request that there is
        not, where no yes waits, and for another's; UnknownSession, and EngineClosed once the engine was left.  `why` is
        kept in the log, where it is not their own wish.
        """
        self._drives.check_open()
        session_id = session_of(request_id)
        await self._runner.record(session_id, lambda at: YesTakenBack(request_id, by, at, why))

    async def take_back_all(
        self, by: str, *, why: str, said_until: datetime | None = None, tenant: str | None = None
    ) -> TakenBack:
        """Take back every yes of a person that waits to count: in a tenant's sessions, of those said until a moment."""
        self._drives.check_open()
        return await take_back_all(self._runner, self._store, by, why, said_until=said_until, tenant=tenant)

    async def comment(self, request_id: str, text: str, by: str) -> None:
        """Record what somebody says about a request to others who are asked; it answers nothing.

        Raises NotAllowed for a request that there is not, for a text of more than 2,000 characters, and for more than a
        hundred comments; UnknownSession, and EngineClosed once the engine was left.
        """
        self._drives.check_open()
        session_id = session_of(request_id)
        await self._runner.record(session_id, lambda at: RequestCommented(request_id, by, text, at))

    async def requests(self, *, open_only: bool = True) -> Sequence[RequestRow]:
        """The inbox: what people are asked in all sessions, the oldest first."""
        return await self._store.requests(open_only=open_only)

    async def sessions(self, *, limit: int | None = None, state: str | None = None) -> Sequence[SessionRow]:
        """The sessions of the store as they are listed, the newest first."""
        return await self._store.sessions(limit, state)

    async def work(self, *, until_idle: bool = False, at_once: int = 4) -> None:
        """Run jobs and drive sessions that nobody drives, as `engine worker` does, until cancelled or idle."""
        self._drives.check_open()
        await Worker(self._runner, at_once=at_once).work(until_idle=until_idle)


@asynccontextmanager
async def open_engine(
    store: str | Store,
    *,
    root: str | Path | None = None,
    log_key: LogKey | None = None,
    secrets: Secrets | None = None,
    planner: Planner | None = None,
    adapters: Callable[[Bundle, Clock], Callable[[Tool], ToolAdapter]] | None = None,
) -> AsyncIterator[Engine]:
    """Open an engine on a store (`sqlite:///PATH` or `memory:`, made if it is not there); leaving it releases
    what it drives, for another process or a later start to go on with.

    `root` overrides where databases lie, `planner` stands in for the agents' own, and `adapters` for the tools'.
    Raises BadStoreUrl, StoreFault and NewerStore for a store that can't be used.

        async with open_engine("sqlite:///refunds.db") as engine:
            session = await engine.start(bundle, message="I was charged twice", attributes={"tenant": "acme"})
    """
    if isinstance(store, str):
        async with open_url(store, log_key) as opened, _running(opened, root, secrets, planner, adapters) as one:
            yield one
    else:
        async with _running(store, root, secrets, planner, adapters) as one:
            yield one


@asynccontextmanager
async def _running(
    store: Store,
    root: str | Path | None,
    secrets: Secrets | None,
    planner: Planner | None,
    adapters: Callable[[Bundle, Clock], Callable[[Tool], ToolAdapter]] | None,
) -> AsyncIterator[Engine]:
    news = News()
    runner = Runner(
        store,
        root=Path(root) if root is not None else None,
        secrets=secrets,
        planner=planner,
        adapters=adapters,
        on_event=news.tell,
        on_partial=news.tell_text,
    )
    failed: BaseException | None = None
    async with runner, trio.open_nursery() as nursery:
        drives = Drives(runner, nursery)
        try:
            yield Engine(runner, store, drives, news)
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            # raised below as it is: nurseries would wrap it, and which there are here is nobody's affair
            failed = error
        finally:
            await drives.close()
    if failed is not None:
        raise failed
    drives.check_all()


def session_of(request_id: str) -> str:
    """The session of a request; raises NotAllowed for what is no request's id."""
    session_id, _, number = request_id.rpartition(".")
    if not session_id or not number.isdecimal():
        raise NotAllowed(InputRefused("no_such_request", f"there is no request {request_id}"))
    return session_id


def _agent_of(bundle: Bundle, name: str | None) -> str:
    if name is None and len(bundle.agents) == 1:
        return next(iter(bundle.agents))
    if name is None or name not in bundle.agents:
        named = f"there is no agent `{name}`" if name is not None else "an agent has to be named"
        raise NotAllowed(InputRefused("no_such_agent", f"{named}: the bundle has {', '.join(sorted(bundle.agents))}"))
    return name


def _check_digest(request_id: str, digest: str | None, state: State) -> None:
    """Raise NotAllowed where a request, as it stands now, is about another call than was shown; None shows nothing."""
    request = state.requests.get(request_id)
    # of one that is answered or closed that is said, whatever it was about
    if digest is not None and request is not None and request.open and not is_about(state, request, digest):
        raise NotAllowed(InputRefused("another_call", f"request {request_id} is about another call than was shown"))
