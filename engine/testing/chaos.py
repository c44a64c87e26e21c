"""Chaos: a fixture once for each moment at which its process can die, and what held.

A first life counts the calls that leave the process.  Then, for each of them, one life dies right before it and one
right after it; another process takes over when the lease has ended, goes on from the log, and does again what the
people of the fixture did only if the log does not show it.  A write that nobody can vouch for is settled by what its
tool really did.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import trio

from engine.planner.planners import Reach, planner_for
from engine.ports import Store
from engine.runtime.keeper import LEASE
from engine.runtime.perform import roll
from engine.session.bundle import Bundle
from engine.session.event import Event
from engine.session.event import EventKind as K
from engine.session.state import Request, State
from engine.store.memory import MemoryStore
from engine.testing import virtual_time
from engine.testing.mortal import AFTER, BEFORE, Moment, Mortal, MortalStore, mortal_adapters, mortal_planner
from engine.testing.mortal import Killed as Death
from engine.testing.pathway import Pathway

# by what the log shows that somebody did something
_SHOWN_BY: Mapping[str, K] = {
    "approve": K.REQUEST_ANSWERED,
    "deny": K.REQUEST_ANSWERED,
    "answer": K.REQUEST_ANSWERED,
    "confirm": K.REQUEST_ANSWERED,
    "confirmed": K.CUSTOMER_CONFIRMED,
    "send": K.MESSAGE_RECEIVED,
    "cancel": K.CANCEL_REQUESTED,
}
_BEGINS = ("start", "again")
_SETTLER = "chaos"


@dataclass(frozen=True, slots=True)
class Life:
    """One life and what came after it; it held if nothing is listed as `broken`.

    `again` counts the runs of tools, in the undisturbed life all of them, in the others those beyond.
    """

    moment: Moment | None
    call: str
    status: str
    outcome: str
    settled: int
    again: int
    broken: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether every promise was kept."""
        return not self.broken


def chaos(
    bundle: Bundle, fixture: Mapping[str, Any], tell: Callable[[int, int], None] = lambda n, of: None
) -> list[Life]:
    """The undisturbed life first, then one for each moment; `tell` hears how far it is."""
    calls: list[str] = []
    whole = _live(bundle, fixture, None, None, calls)
    lives = [whole]
    moments = [Moment(number, side) for number in range(1, len(calls) + 1) for side in (BEFORE, AFTER)]
    for done, moment in enumerate(moments, 1):
        lives.append(_live(bundle, fixture, moment, whole, []))
        tell(done, len(moments))
    return lives


def _live(
    bundle: Bundle, fixture: Mapping[str, Any], moment: Moment | None, whole: Life | None, calls: list[str]
) -> Life:
    with tempfile.TemporaryDirectory(prefix="engine-chaos-") as root:
        return virtual_time.run(lambda: _Lives(bundle, fixture, Path(root), moment, whole, calls).run())


class _Lives:
    """A pathway that a mortal process begins and, once it is dead, an immortal one ends."""

    def __init__(
        self, bundle: Bundle, fixture: Mapping[str, Any], root: Path, moment: Moment | None, whole: Life | None,
        calls: list[str],
    ) -> None:  # fmt: skip
        self._bundle = bundle
        self._fixture = fixture
        self._store = MemoryStore()
        self._mortal = Mortal(moment, calls)
        self._whole = whole
        self._path = Pathway(bundle, fixture, root, self._store)
        self._settled = 0
        self._died_at = ""

    async def run(self) -> Life:
        async with self._path.connections:
            return await self._lived()

    async def _lived(self) -> Life:
        path, moment = self._path, self._mortal.moment
        own = path.planner()
        agent = self._bundle.agents[self._fixture["agent"]]
        name = self._fixture.get("planner") or agent.planner
        reach = Reach(path.secrets, path.connections, roll, path.traffic())
        planner = own or planner_for(agent, name, self._bundle, reach)
        path.engine = path.made(
            cast(Store, MortalStore(self._store, self._mortal)),
            mortal_adapters(path.counted, self._mortal),
            mortal_planner(planner, self._mortal),
        )
        path.prepare()
        happenings: list[Mapping[str, Any]] = [{"start": True}, *self._fixture.get("then", ())]
        for happening, act in zip(happenings, path.acts(), strict=True):
            await self._act(happening, act)
            await self._settle()
        if path.refused is not None:
            path.refused = None
        return await self._judge(moment)

    async def _act(self, happening: Mapping[str, Any], act: Callable[[], Awaitable[None]]) -> None:
        kind = next(iter(happening))
        before = await self._count(kind)
        try:
            await act()
        except* Death:
            pass
        if not self._mortal.dead:
            return
        await self._revive()
        if kind in _BEGINS and await self._count(kind) > before:
            # it is the newest by its place in the store: both may have begun in one moment
            self._path.session_id = (await self._store.session_ids())[-1]
            await self._path.engine.drive(self._path.session_id)
        elif kind in _SHOWN_BY and await self._count(kind) > before:
            # the log shows it: whoever did it would be told so
            await self._path.engine.drive(self._path.session_id)
        else:
            await act()

    async def _revive(self) -> None:
        """Another process, once the lease of the dead one has ended."""
        path = self._path
        moment = self._mortal.moment
        self._died_at = self._mortal.calls[moment.call - 1] if moment is not None else ""
        self._mortal = Mortal()
        path.engine = path.made(self._store, path.counted, path.planner())
        await trio.sleep(LEASE.total_seconds() + 1)

    async def _count(self, kind: str) -> int:
        if kind in _BEGINS:
            return len(await self._store.session_ids())
        if kind not in _SHOWN_BY:
            return 0
        log = [event for row in await self._store.sessions() for event in await self._store.load(row.id)]
        return sum(event.kind is _SHOWN_BY[kind] for event in log)

    async def _settle(self) -> None:
        """Say of each write that nobody can vouch for what its tool really did."""
        while True:
            asked = [
                request
                for row in await self._store.sessions()
                for request in (await self._path.engine.load(row.id)).open_requests()
                if request.kind == "settle"
            ]
            if not asked or self._expects_settling():
                return
            for request in asked:
                session_id = request.id.rpartition(".")[0]
                state = await self._path.engine.load(session_id)
                await self._path.engine.answer(request.id, "answer", _SETTLER, value=self._truth(state, request))
                self._settled += 1
                await self._path.engine.drive(session_id)

    def _expects_settling(self) -> bool:
        """Whether the people of the fixture settle by themselves."""
        return any("answer" in happening for happening in self._fixture.get("then", ()))

    def _truth(self, state: State, request: Request) -> Any:
        call = state.calls[request.call_id or ""]
        gave = [
            output
            for run in self._path.counted.runs
            if run.session_id == state.session_id and run.tool.name == call.name and dict(run.input) == dict(call.input)
            for output in run.gave
        ]
        return {"happened": gave[-1]} if gave else "did_not_happen"

    async def _judge(self, moment: Moment | None) -> Life:
        kept = [str(failure) for failure in self._path.border.failures.values()]
        # of each life what the undisturbed one did not say already: a probe is run by who comes after a death
        broken = [problem for problem in kept if self._whole is None or problem not in self._whole.broken]
        broken += [problem async for problem in self._broken()]
        state = await self._path.engine.load(self._path.session_id) if self._path.session_id else None
        status, outcome = (state.status.value, state.outcome) if state is not None else ("", "")
        if moment is None:
            broken += [str(failure) for failure in (*self._path.failures, *await self._path.checks())]
        elif self._whole is not None and not self._settled and (status, outcome) != (
            self._whole.status, self._whole.outcome,
        ):  # fmt: skip
            broken.append(
                f"it came to {status} {outcome}, and undisturbed to {self._whole.status} {self._whole.outcome}"
            )
        again = len(self._path.counted.runs) - (self._whole.again if self._whole is not None else 0)
        return Life(moment, self._died_at, status, outcome, self._settled, again, tuple(broken))

    async def _broken(self) -> Any:
        """The promises that were not kept."""
        for row in await self._store.sessions():
            for problem in await self._store.verify(row.id):
                yield f"its log does not verify: {problem}"
            log = await self._store.load(row.id)
            for problem in self._twice(row.id, log):
                yield problem
            if row.state == "running":
                yield "it is still running, and nobody drives it"
            resumed = await self._resumed(row.id)
            if resumed != row.seq:
                yield f"resumed once more it went on from event {row.seq} to {resumed}"

    def _twice(self, session_id: str, log: list[Event]) -> Iterator[str]:
        """Writes without an honoured key that ran more often than the log has calls and failed attempts of them."""
        started = {e.payload["call_id"]: e.payload["tool"] for e in log if e.kind is K.CALL_STARTED}
        allowed = Counter([*started.values(), *(e.payload["tool"] for e in log if e.kind is K.ATTEMPT_FAILED)])
        ran = Counter(run.tool.name for run in self._path.counted.runs if run.session_id == session_id)
        for name, times in ran.items():
            tool = self._bundle.tools[name]
            if tool.effect == "write" and not tool.honours_key and times > allowed[name]:
                yield f"{name} ran {times} times, and its calls allow {allowed[name]}"

    async def _resumed(self, session_id: str) -> int:
        """The newest event after a resume that should find nothing to do but the claim."""
        await self._path.engine.drive(session_id)
        log = await self._store.load(session_id)
        return next(event.seq for event in reversed(log) if event.kind is not K.SESSION_CLAIMED)
