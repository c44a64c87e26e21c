"""The engine: starts sessions, takes what people send, and drives."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import trio

from engine.planner.planners import planner_for
from engine.planner.resources import PlannerResources
from engine.ports.clock import Clock
from engine.ports.external_work import outside
from engine.ports.planner import Planner
from engine.ports.records import Appended, Conflict, HeldSession, Lease
from engine.ports.resources import Secrets
from engine.ports.store import Store
from engine.ports.tool import AdapterResources, ToolAdapter, Warmable
from engine.random_bytes import random_hex
from engine.runtime import environment
from engine.runtime.bundles import Bundles
from engine.runtime.connections import ConnectionPool
from engine.runtime.driver import Driver, DriverContext, OnEvent
from engine.runtime.effect_runner import EffectRunner, random_fraction
from engine.runtime.erasure import BY as ERASED
from engine.runtime.errors import LiveElsewhere, NotAllowed, not_recorded
from engine.runtime.host_secrets import HostSecrets
from engine.runtime.lease_keeper import LeaseKeeper
from engine.runtime.opening import Opening, _absolute, _chain, check_stands, new_session_id
from engine.runtime.person_keys import PersonKeys, person_keys
from engine.runtime.redaction import Redaction
from engine.runtime.sealed_store import SealedStore, check_keys
from engine.runtime.state_loader import load_state
from engine.session.decide.decide import begin_draft, decide
from engine.session.decide.draft import Draft
from engine.session.state import inputs
from engine.session.state.event import Event
from engine.session.state.state import State
from engine.spec.bundle import Bundle, Tool
from engine.spec.planner_spec import NO_USAGE, Usage
from engine.tool.adapters import Adapters
from engine.tool.databases import MissingRoot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.planner.transport import Traffic

OnPartial = Callable[[str, str], None]
# raises NotAllowed for a state that what is sent is not meant for
Check = Callable[[State], None]

SHORT = 2.0


class Runner:
    """Sessions of one store, driven by this process; make it inside of `trio.run`."""

    def __init__(
        self,
        store: Store,
        *,
        root: Path | None = None,
        adapters: Callable[[Bundle, Clock], Callable[[Tool], ToolAdapter]] | None = None,
        planner: Planner | None = None,
        on_event: OnEvent = lambda event: None,
        on_partial: OnPartial = lambda session_id, text: None,
        secrets: Secrets | None = None,
        connections: ConnectionPool | None = None,
        traffic: Traffic | None = None,
        people: PersonKeys | None = None,
    ) -> None:
        """`root` overrides where the databases of the sessions lie; `planner` stands in for the agents' own.

        `on_partial` is told what a model has said so far.  `connections` given are somebody else's to enter;
        `traffic` is how requests reach models, `people` are the keys of those that sessions are about.
        """
        self.secrets = secrets or HostSecrets()
        self._own = ConnectionPool() if connections is None else None
        self.connections: ConnectionPool = connections or self._own or ConnectionPool()
        self._traffic = traffic
        self._on_partial = on_partial
        self.bundles = Bundles(store)
        store = self._store = self._sealed = SealedStore(store, self.secrets, self.bundles.get, people or person_keys())
        self._clock = store.clock
        self._root = root
        self._adapters = adapters
        self._planner = planner
        self._tell_event = on_event
        self.context = DriverContext(store, LeaseKeeper(store), self._on_event, self.bundles.overlays)
        self._hands: dict[str, EffectRunner] = {}
        self._equipped: set[tuple[str | None, ...]] = set()
        self._drivers: dict[str, Driver] = {}
        self._letting_go = False
        self._interrupted_by: str | None = None
        self.name = f"{socket.gethostname()}:{os.getpid()}"

    async def __aenter__(self) -> Runner:
        """Needed where bundles use models, `http` or `mcp` tools: what these open is closed on the way out."""
        if self._own is not None:
            await self._own.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return None if self._own is None else await self._own.__aexit__(kind, error, trace)

    def _on_event(self, event: Event) -> None:
        """Tell of an event as it is stored: who listens may not see what is sealed."""
        self._tell_event(self._sealed.shown(event))

    # -- what people do

    async def start(self, bundle: Bundle, opening: Opening, root: Path) -> str:
        """Start a session and give its id; nothing of it runs yet.  Raises NotAllowed."""
        events = (await self._begun(bundle, opening, root)).events
        result = await self._store.append(events[0].session_id, 0, events)
        if opening.session_id is not None and isinstance(result, Conflict):
            return opening.session_id  # it was asked for twice, and begins once
        assert isinstance(result, Appended), "a new session has no rivals"
        for event in events:
            self._on_event(event)
        return events[0].session_id

    async def prepare(self, bundle: Bundle, agent: str, planner: str | None = None) -> None:
        """Find and open what an agent's sessions need, before one begins; raises EnvironmentFault, ToolError."""
        known = bundle.agents[agent]
        self._check_environment(bundle, agent, _chain(known, planner))
        adapters = self.effect_runner(bundle).adapters
        for tool in environment.reached(bundle, known, known.tools):
            if tool.adapter.kind != "mcp" or bundle.servers[tool.adapter.settings["server"]].optional:
                continue
            adapter = adapters(tool)
            if isinstance(adapter, Warmable):
                await adapter.ready(tool)

    async def run(self, bundle: Bundle, opening: Opening, root: Path) -> State:
        """Start a session and drive it until it waits or is over: one commit less than one after the other.

        Raises NotAllowed, LeaseLost, MissingRoot, EnvironmentFault.
        """
        draft = await self._begun(bundle, opening, root)
        return await self._drive(draft.state, bundle, wait=True, unsaved=tuple(draft.events))

    async def _begun(self, bundle: Bundle, opening: Opening, root: Path) -> Draft:
        draft = self.check(bundle, opening, root)
        await self.bundles.keep(bundle)
        return draft

    def check(self, bundle: Bundle, opening: Opening, root: Path) -> Draft:
        """How a session would begin; nothing is kept.  Raises NotAllowed."""
        agent = bundle.agents[opening.agent]
        if agent.seal is not None:
            check_keys(agent.seal, self.secrets)
        opening.check(agent)
        planner, *fallback = _chain(agent, opening.planner)
        first = inputs.SessionRequested(
            opening.session_id or new_session_id(),
            opening.agent,
            planner,
            opening.attributes,
            opening.message,
            opening.started_by,
            _absolute(root),
            self._clock.now(),
            tuple(fallback),
            key := opening.key or random_hex(16),
            environment.value_digests(bundle, agent.name, key),
            opening.stands_for,
        )
        draft = begin_draft(first, bundle)
        if isinstance(draft, inputs.InputRefused):
            raise NotAllowed(draft)
        return draft

    async def send(self, session_id: str, text: str, *, only_at: int | None = None) -> None:
        """Record a further message of the user; raises NotAllowed, UnknownSession."""
        await self.record(session_id, lambda at: inputs.MessageSent(text, at), only_at)

    async def cancel(self, session_id: str, by: str, *, only_at: int | None = None) -> None:
        """Record that somebody wants the session to end; raises NotAllowed, UnknownSession."""
        await self._sealed.key_destroyed(session_id)
        await self.record(session_id, lambda at: inputs.CancelRequested(by, at), only_at)

    async def retry_job(self, session_id: str, call_id: str, by: str) -> None:
        """Enqueue a job that failed for good once more, as a new call; raises NotAllowed, UnknownSession."""
        await self.record(session_id, lambda at: inputs.JobRetryRequested(call_id, by, at))

    async def discard_job(self, session_id: str, call_id: str, by: str) -> None:
        """Give a job up; raises NotAllowed, UnknownSession."""
        await self.record(session_id, lambda at: inputs.JobDiscardRequested(call_id, by, at))

    async def confirm(self, session_id: str, tool: str, input_: Mapping[str, Any], only_at: int | None = None) -> None:
        """Record the customer's yes to an action that is not proposed yet; raises NotAllowed, UnknownSession."""
        await self.record(session_id, lambda at: inputs.ActionConfirmed(tool, input_, at), only_at)

    async def propose(self, session_id: str, raw: Any, after: int, by: str, usage: Usage = NO_USAGE) -> None:
        """Record what a client decides; raises NotAllowed, UnknownSession."""
        await self.record(session_id, lambda at: inputs.DecisionProposed(after, raw, by, at, usage))

    async def answer(
        self, request_id: str, action: str, by: str, *, note: str = "", value: Any = None,
        edit: Mapping[str, Any] | None = None, roles: Iterable[str] = (), check: Check = lambda state: None,
    ) -> str:  # fmt: skip
        """Record an answer to a request and give its session; raises NotAllowed, UnknownSession."""
        session_id = request_id.rpartition(".")[0]
        said, by_role = (request_id, action, by, note, value, edit), frozenset(roles)
        await self.record(session_id, lambda at: inputs.RequestAnswered(*said, at, by_role), check=check)
        return session_id

    async def record(
        self, session_id: str, reply: inputs.InputAt, only_at: int | None = None, check: Check = lambda state: None
    ) -> None:
        """Record what somebody sends a session at a moment; raises NotAllowed, as `check` may, and UnknownSession."""
        while True:
            state = await self.load(session_id)
            check_stands(state, only_at)
            check(state)
            own, overlays = await self.bundles.get(state.bundle), await self.bundles.overlays(state.bundle)
            decided = decide(state, reply(self._clock.now()), own, overlays)
            if isinstance(decided, inputs.InputRefused):
                raise NotAllowed(decided)
            if not decided:
                return
            result = await self._store.append(session_id, state.seq, decided)
            if isinstance(result, Appended):
                break
            if not isinstance(result, Conflict):
                raise not_recorded(result)
        self._tell(session_id, decided)

    def _tell(self, session_id: str, events: tuple[Event, ...]) -> None:
        """A driver in this process tells of the events itself, as it takes them in."""
        driver = self._drivers.get(session_id)
        if driver is not None:
            driver.nudge()
            return
        for event in events:
            self._on_event(event)

    async def load(self, session_id: str) -> State:
        """A session's state as its log tells it; raises UnknownSession."""
        return await load_state(self._store, session_id)

    async def log(self, session_id: str) -> list[Event]:
        """A session's events, with what is sealed in them; raises UnknownSession."""
        return await self._store.load(session_id)

    async def look(self, session_id: str) -> State:
        """A session's state for people: what is sealed in its log is not shown.  Raises UnknownSession."""
        return await self._sealed.look(session_id)

    async def veil(self, session_id: str) -> Redaction | None:
        """What hides from people what is sensitive of a session; None if nothing is.  Raises as `log` does."""
        return await self._sealed.veil(session_id)

    async def bundle_of(self, state: State) -> Bundle:
        """The bundle that a session runs under; raises BundleUnavailable."""
        return await self.bundles.get(state.bundle)

    async def drive(self, session_id: str, *, wait: bool = True) -> State:
        """Drive a session until it waits or is over.

        Raises UnknownSession, LiveElsewhere (only without `wait`), LeaseLost, BundleUnavailable, MissingRoot, and
        EnvironmentFault: then the session is left as it is, for whoever has what is missing here.  One whose person's
        key was destroyed is cancelled: it can't go on.
        """
        erased, state = await self._sealed.key_destroyed(session_id), await self.load(session_id)
        if state.final:
            return state
        if erased and state.cancel_by is None:
            await self.cancel(session_id, ERASED)
            state = await self.load(session_id)
        return await self._drive(state, await self.bundle_of(state), wait=wait)

    async def _drive(self, state: State, bundle: Bundle, *, wait: bool, unsaved: tuple[Event, ...] = ()) -> State:
        session_id = state.session_id
        root = await self.ready_for(state, bundle)
        owner = f"{self.name}:{random_hex(4)}"
        epoch = state.epoch
        while True:
            lease = Lease(session_id, owner, epoch + 1)
            driver = Driver(self.context, self.effect_runner(bundle), lease, state, root, unsaved)
            with trio.CancelScope(shield=True):
                # whether it was taken has to be known, or nobody would give it back
                refused = await driver.take(alone=self._letting_go or self._interrupted_by is not None)
            if refused is None:
                unsaved = ()
                state = await self._run(driver)
                if not driver.again or state.final:
                    return state
            elif isinstance(refused, HeldSession):
                await self._wait_for(refused, session_id, wait)
            state = await self.load(session_id)
            if state.final:
                return state
            epoch = max(state.epoch, (await self._store.heads([session_id]))[session_id][1])

    async def _run(self, driver: Driver) -> State:
        session_id = driver.lease.session_id
        self._drivers[session_id] = driver
        try:
            if self._interrupted_by is not None and not driver.state.final:
                await self._cancel_quietly(session_id, self._interrupted_by)
            if self._letting_go:
                driver.release_lease()
            return await driver.run()
        finally:
            if self._drivers.get(session_id) is driver:
                del self._drivers[session_id]
            if not driver.left:
                with trio.move_on_after(SHORT, shield=True):
                    await self._store.release(driver.lease)

    async def _wait_for(self, held: HeldSession, session_id: str, wait: bool) -> None:
        if not wait or self._letting_go or self._interrupted_by is not None:
            raise LiveElsewhere(session_id, held.owner, held.until)
        left = (held.until - self._clock.now()).total_seconds()
        await trio.sleep(min(max(left, 0.05), 1.0))

    def release_lease(self) -> None:
        """Let go of all sessions that this process drives, without ending them; none is driven after this."""
        self._letting_go = True
        for driver in self._drivers.values():
            driver.release_lease()

    async def interrupt(self, by: str) -> None:
        """Cancel what this process drives, and what it is about to; what others drive is left to them."""
        self._interrupted_by = by
        for session_id in list(self._drivers):
            await self._cancel_quietly(session_id, by)

    async def _cancel_quietly(self, session_id: str, by: str) -> None:
        try:
            await self.cancel(session_id, by)
        except NotAllowed:
            return  # it ended by itself in this moment

    def driven(self) -> list[str]:
        """The sessions that this process drives now."""
        return [*self._drivers]

    async def ready_for(self, state: State, bundle: Bundle, call: str | None = None) -> str:
        """Where the databases of a session lie, when all is here that it needs, or that one call of it needs.

        Raises MissingRoot, EnvironmentFault.
        """
        # to end a session nothing is needed
        if call is not None or (state.cancel_by is None and state.ending is None):
            environment.check_same(bundle, state.agent, state.environment, state.handle_key)
            asked = (state.planner, *state.fallback) if call is None else ()
            self._check_environment(bundle, state.agent, asked, None if call is None else state.calls[call].name)
        return await self.root_of(state, bundle)

    def _check_environment(self, bundle: Bundle, agent: str, planners: Sequence[str], tool: str | None = None) -> None:
        """Raises EnvironmentFault, which names all that is missing here; what was found once is found."""
        key = (bundle.digest, agent, *planners, tool)
        if key in self._equipped or agent not in bundle.agents:
            return
        known = bundle.agents[agent]
        # what stands in for the bundle's own tools and planners needs nothing of theirs
        tools = () if self._adapters is not None else known.tools if tool is None else (tool,)
        asked = planners if self._planner is None else ()
        offline = self._traffic is not None and self._traffic.offline
        environment.check(environment.needs(bundle, known, asked, tools, keys=not offline), self.secrets)
        self._equipped.add(key)

    async def root_of(self, state: State, bundle: Bundle) -> str:
        """Where the databases of a session lie; raises MissingRoot."""
        root = _absolute(self._root) if self._root else state.root
        with outside():
            if bundle.databases and not await trio.Path(root).is_dir():
                raise MissingRoot(root)
        return root

    def effect_runner(self, bundle: Bundle) -> EffectRunner:
        """What the effects of a bundle's sessions are performed with."""
        if bundle.digest not in self._hands:
            reach = PlannerResources(self.secrets, self.connections, random_fraction, self._traffic)

            @cache
            def planner(agent: str, name: str) -> Planner:
                return self._planner or planner_for(bundle.agents[agent], name, bundle, reach)

            own = Adapters(AdapterResources(bundle, self._clock, self.secrets, self.connections))
            adapters = self._adapters(bundle, self._clock) if self._adapters is not None else own
            self._hands[bundle.digest] = EffectRunner(
                bundle, self._clock, adapters, planner, self.secrets, self.log, self._on_partial,
                self._sealed.meter_asked,
            )  # fmt: skip
        return self._hands[bundle.digest]
