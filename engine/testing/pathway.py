"""Runs one fixture: a session on a fresh store and fresh databases, under virtual time."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import trio

from engine.bundle.asking import authorize, was_refused
from engine.planner.scripted import ScriptedPlanner
from engine.policy.rule import CUSTOMER
from engine.policy.value import span
from engine.ports import Planner, Store, ToolError
from engine.reach import EnvironmentFault
from engine.runtime.clock import TrioClock
from engine.runtime.connections import OpenConnections
from engine.runtime.engine import Engine, Opening
from engine.runtime.errors import NotAllowed, unwrapped
from engine.runtime.person_keys import PersonKeys
from engine.runtime.secrets import HostSecrets
from engine.runtime.worker import Worker
from engine.session.bundle import Bundle, PlannerSpec
from engine.session.event import Event
from engine.session.secret import references
from engine.session.state import Call, Request, State
from engine.session.trace import Entry, entries
from engine.store.memory import MemoryStore
from engine.testing import virtual_time
from engine.testing.border import Border, border_of
from engine.testing.expectations import Failure, Mistake, Result, check
from engine.testing.mortal import Mortal, MortalStore, mortal_adapters, suppress_killed
from engine.testing.standins import Counted, stubs_of
from engine.tool.databases import locate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.planner.traffic import Traffic

START = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a fixture; it passed if nothing failed.  `logs` are those of its sessions.

    `kept` are the tools and planners that would have acted for real without being live, each of them a failure;
    `untried` is what the fixture calls live, came to, and was kept from acting: what follows from it is not known.
    """

    name: str
    failures: tuple[Failure, ...]
    trace: tuple[Entry, ...]
    logs: tuple[tuple[Event, ...], ...] = ()
    kept: frozenset[str] = frozenset()
    untried: frozenset[str] = frozenset()

    @property
    def passed(self) -> bool:
        """Whether everything came out as declared."""
        return not self.failures


def run_fixture(bundle: Bundle, fixture: Mapping[str, Any], *, real: bool = True) -> Report:
    """Run a fixture, as its checked document says, and compare; if not `real`, nothing that is `live` acts either."""
    with tempfile.TemporaryDirectory(prefix="engine-test-") as root:
        return virtual_time.run(lambda: Pathway(bundle, fixture, Path(root), real=real).report())


@dataclass(slots=True)
class Pathway:
    """A fixture on its way: `acts` happen one after the other in `engine`, which may be another one for each."""

    bundle: Bundle
    fixture: Mapping[str, Any]
    root: Path
    store: Store = field(default_factory=MemoryStore)
    real: bool = True
    events: list[Event] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    session_id: str = ""
    refused: str | None = None
    clock: TrioClock = field(init=False)
    border: Border = field(init=False)
    counted: Counted = field(init=False)
    secrets: HostSecrets = field(init=False)
    connections: OpenConnections = field(init=False)
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        begins = self.fixture.get("now")
        self.clock = TrioClock(START if begins is None else datetime.fromisoformat(begins).astimezone(UTC))
        self.border = border_of(self.fixture, real=self.real)
        self.secrets = HostSecrets({**_own_keys(self.bundle), **os.environ})
        self.connections = OpenConnections()
        self.counted = Counted(stubs_of(self.fixture.get("stubs", {})), self.border, self.secrets, self.connections)
        self.engine = self.made(self.store, self.counted, self.planner())

    def made(self, store: Store, adapters: Any, planner: Planner | None) -> Engine:
        """An engine for the pathway's sessions."""
        engine = Engine(
            store, self.clock, root=self.root, adapters=adapters, planner=planner, on_event=self.events.append,
            secrets=self.secrets, connections=self.connections, traffic=self.traffic(),
            people=PersonKeys(self.root / ".person-keys"),
        )  # fmt: skip
        engine.bundles.know(self.bundle)
        return engine

    async def report(self) -> Report:
        """Do it all, and compare."""
        self.prepare()
        if self.failures:
            return Report(self.fixture["name"], tuple(self.failures), ())
        async with self.connections:
            for act in self.acts():
                await act()
        self._unexpected_refusal()
        failures = (*self.border.failures.values(), *self.failures, *await self.checks())
        kept, untried = frozenset(self.border.failures), frozenset(self.border.untried)
        return Report(self.fixture["name"], failures, tuple(entries(self.events)), await self.logs(), kept, untried)

    async def logs(self) -> tuple[tuple[Event, ...], ...]:
        """The logs of its sessions, oldest first."""
        rows = await self.store.sessions()
        return tuple([tuple(await self.engine.log(row.id)) for row in reversed(rows)])

    def prepare(self) -> None:
        """Set the databases up; SQL that one does not take is a failure."""
        try:
            for change in self.fixture.get("setup", ()):
                self._sql(change)
        except Mistake as error:
            self.failures.append(Failure("setup", "SQL that the database takes", str(error)))

    def acts(self) -> list[Callable[[], Awaitable[None]]]:
        """What happens, in order."""
        then = [partial(self._happen, happening) for happening in self.fixture.get("then", ())]
        return [partial(self._attempt, self._start), *then]

    async def checks(self) -> list[Failure]:
        """What is not as the fixture expects."""
        state = await self.engine.load(self.session_id) if self.session_id else None
        trace = entries(e for e in self.events if e.session_id == self.session_id)
        veil = await self.engine.veil(self.session_id) if self.session_id else None
        if veil is None:
            return list(check(self.fixture["expect"], Result(state, trace, dict(self.counted.ran), self._rows)))

        def shown(call: Call, output: Any) -> Any:
            return veil.output(call.name, call.id, output)

        found = check(self.fixture["expect"], Result(state, trace, dict(self.counted.ran), self._rows, shown))
        return [replace(failure, came=veil.words(failure.came)) for failure in found]

    def planner(self) -> ScriptedPlanner | None:
        """The fixture's own planner, if it has one."""
        decisions = self.fixture.get("decisions")
        if decisions is None:
            return None
        exhausted = self.fixture.get("when_exhausted", "fail")
        return ScriptedPlanner(PlannerSpec("scripted", decisions=tuple(decisions), when_exhausted=exhausted))

    def traffic(self) -> Traffic | None:
        """The recorded answers of models that the fixture names; without them only `live` models are asked."""
        folder = self.fixture.get("cassette")
        if folder is None:
            return self.border.traffic(self._models())
        from engine.planner.traffic import Replayed

        prefix = f"{folder.rstrip('/')}/"
        return Replayed({path: raw for path, raw in self.bundle.files.items() if path.startswith(prefix)})

    def _models(self) -> list[str]:
        """The planners of the session that ask a model."""
        agent, own = self.bundle.agents[self.fixture["agent"]], self.fixture.get("planner")
        return [
            name
            for name in ([own] if own else (agent.planner, *agent.fallback))
            if agent.planners[name].model is not None
        ]

    async def _start(self) -> None:
        f = self.fixture
        opening = Opening(f["agent"], f["message"], f.get("attributes", {}), f.get("planner"), f.get("started_by"))
        self.session_id = await self.engine.start(self.bundle, opening, self.root)
        await self.engine.drive(self.session_id)

    # -- what happens

    async def _happen(self, happening: Mapping[str, Any]) -> None:
        (kind, value), *_ = happening.items()
        if kind == "refused":
            if self.refused != value:
                self.failures.append(Failure("refused", value, self.refused or "it was not refused"))
            self.refused = None
            return
        self._unexpected_refusal()
        acts: Mapping[str, Callable[[], Awaitable[Any]]] = {
            "approve": lambda: self._answer("approval", "approve", value["by"], edit=value.get("edit")),
            "deny": lambda: self._answer("approval", "deny", value["by"], note=value.get("note", "")),
            "answer": lambda: self._answer(None, "answer", value["by"], value=value["value"]),
            "confirm": lambda: self._answer("approval", "approve" if value else "deny", CUSTOMER),
            "confirmed": lambda: self.engine.confirm(self.session_id, value["tool"], value.get("input", {})),
            "send": lambda: self._send(value),
            "cancel": lambda: self._cancel(value),
            "resume": self._resume,
            "again": self._start,
            "wait": lambda: self._wait(span(value).total_seconds()),
            "work": lambda: self._work(value),
            "sql": lambda: trio.to_thread.run_sync(self._sql, value),
        }
        await self._attempt(acts[kind])

    async def _attempt(self, act: Callable[[], Awaitable[Any]]) -> None:
        try:
            await act()
        except NotAllowed as error:
            self.refused = error.reason
        except EnvironmentFault as error:
            self.failures.append(Failure("environment", "all that the session needs", str(error)))
        except Mistake as error:
            self.failures.append(Failure("then", "SQL that the database takes", str(error)))
        except Exception as error:
            cause = unwrapped(error)
            if not isinstance(cause, OverflowError):
                raise
            self.failures.append(Failure("time", "moments up to the year 9999", str(cause)))

    def _unexpected_refusal(self) -> None:
        if self.refused is not None:
            self.failures.append(Failure("then", "the act is allowed", f"refused: {self.refused}"))
            self.refused = None

    async def _wait(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def _work(self, how: Any) -> None:
        """A worker does what is due; one that dies leaves all as it is, for another to find after its lease."""
        if how is True:
            await Worker(self.engine, on_trouble=self._trouble).work(until_idle=True)
            return
        mortal = Mortal()
        doomed = self.made(
            cast(Store, MortalStore(self.store, mortal)), mortal_adapters(self.counted, mortal), self.planner()
        )
        with trio.move_on_after(span(how["dies_after"]).total_seconds()) as life:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_die, mortal, life)
                with suppress_killed():
                    await Worker(doomed).work()

    def _trouble(self, session_id: str, error: Exception) -> None:
        self.failures.append(Failure("work", "sessions that can be driven", f"{session_id}: {error}"))

    async def _resume(self) -> None:
        await self.engine.drive(self.session_id)

    async def _send(self, text: str) -> None:
        await self.engine.send(self.session_id, text)
        await self._resume()

    async def _cancel(self, by: str) -> None:
        await self.engine.cancel(self.session_id, by)
        await self._resume()

    async def _answer(self, kind: str | None, action: str, by: str, **more: Any) -> None:
        state = await self.engine.load(self.session_id)
        request = _asked(state, kind, by == CUSTOMER)
        if request is None:
            what = {("approval", True): "a customer's approval", ("approval", False): "an approval"}
            wanted = what.get((kind or "", by == CUSTOMER), "a question")
            self.failures.append(Failure("then", f"{wanted} to answer", _open(state)))
            return
        await self.engine.answer(request.id, action, by, **more)
        await self._resume()

    # -- databases

    def _sql(self, change: Mapping[str, Any]) -> None:
        with self._connected(change["database"]) as connection:
            connection.executescript(change["run"])

    def _rows(self, database: str, sql: str) -> list[list[Any]]:
        with self._connected(database) as connection:
            connection.set_authorizer(authorize)
            try:
                return [list(row) for row in connection.execute(sql)]
            except sqlite3.Error as error:
                if was_refused(error):
                    raise Mistake(f"{database}: this changes the database, and `rows` asks what it holds") from None
                raise

    @contextmanager
    def _connected(self, database: str) -> Iterator[sqlite3.Connection]:
        """A database of the pathway; raises Mistake for what SQLite says of what is done with it."""
        try:
            path = locate(self.bundle, self.bundle.databases[database], str(self.root))
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                yield connection
        except (sqlite3.Error, sqlite3.Warning, ValueError, ToolError) as error:
            raise Mistake(f"{database}: {error}") from None


def _own_keys(bundle: Bundle) -> dict[str, str]:
    """Keys for sensitive values, for a store that is gone when the fixture is over."""
    seals = [agent.seal for agent in bundle.agents.values() if agent.seal is not None]
    named = [name for seal in seals for text in (*seal.keys, seal.comparing) for name in references(text)]
    return dict.fromkeys(named, "the key of a fixture, as long as keys have to be")


async def _die(mortal: Mortal, life: trio.CancelScope) -> None:
    """Nothing of a dead process is recorded, not even what is done on its way out."""
    try:
        await trio.sleep_forever()
    finally:
        mortal.kill()


def _open(state: State) -> str:
    """What else waits for an answer."""
    waiting = [one for one in state.requests.values() if one.open]
    if not waiting:
        return "nothing that was asked is of this kind" if state.requests else "nothing was ever asked"
    told = [f"{one.kind} of {', '.join(one.groups)}" if one.groups else one.kind for one in waiting]
    return f"what is open is of another kind: {'; '.join(told)}"


def _asked(state: State, kind: str | None, of_customer: bool) -> Request | None:
    """The oldest request of a kind that is open, else the newest that was."""
    fitting = [
        request
        for request in state.requests.values()
        if (request.kind == kind if kind else request.kind != "approval")
        and (not of_customer or request.groups == (CUSTOMER,))
    ]
    waiting = [request for request in fitting if request.open]
    return waiting[0] if waiting else fitting[-1] if fitting else None
