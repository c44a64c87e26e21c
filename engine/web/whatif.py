"""What a bundle would have done in past sessions: found in a process of its own, one at a time, and told as it goes on.

What was found is kept by this process alone: it follows from the store and the bundle, and is asked for again.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import trio

from engine.api.engine import Engine
from engine.language.value import timestamp
from engine.ports.clock import Clock
from engine.random_bytes import random_hex
from engine.runtime.errors import BundleUnavailable
from engine.web.bundle_checks import judged_since
from engine.web.problems import HttpProblem

_log = logging.getLogger("engine.web")

# that wait at once, and that are kept
MOST_WAITING, MOST_KEPT = 8, 50
# and how long one may take, in seconds: nobody waits for its answer
LONGEST = 3600.0
# what is told of a result: no value of a call
_TOLD = ("sessions", "erased", "decisions", "open_requests", "table")


class ComparisonState(StrEnum):
    """How a comparison stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass
class PastComparison:
    """A bundle that judges past sessions: how many are `done`, and what came out; `asked` is `since` in words."""

    id: str
    bundle: str
    since: datetime | None
    asked: str
    by: str
    asked_at: datetime
    state: ComparisonState = ComparisonState.WAITING
    done: int = 0
    sessions: int | None = None
    result: dict[str, Any] | None = None
    problem: str = ""

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id, "bundle": self.bundle, "since": timestamp(self.since) if self.since else None,
            "by": self.by, "asked_at": timestamp(self.asked_at), "state": self.state.value, "done": self.done,
            "of": self.sessions, "problem": self.problem, "result": self.result,
        }  # fmt: skip

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self.state in (ComparisonState.DONE, ComparisonState.FAILED)


@dataclass
class PastComparisons:
    """Those that were asked for, in their order."""

    clock: Clock
    _kept: OrderedDict[str, PastComparison] = field(default_factory=OrderedDict)
    _news: trio.Event = field(default_factory=trio.Event)

    def ask(self, bundle: str, since: datetime | None, asked: str, by: str) -> PastComparison:
        """Ask for one, or get the one like it that is not over; raises HttpProblem 429."""
        waiting = [one for one in self._kept.values() if not one.is_over]
        for one in waiting:
            if (one.bundle, one.asked, one.by) == (bundle, asked, by):
                return one
        if len(waiting) >= MOST_WAITING:
            raise HttpProblem(429, "too_many_checks", "too many bundles are looked at: ask again")
        made = PastComparison(f"wif_{random_hex(8)}", bundle, since, asked, by, self.clock.now())
        self._kept[made.id] = made
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        self._news.set()
        return made

    def get(self, id_: str) -> PastComparison | None:
        """One of them, as long as it is kept."""
        return self._kept.get(id_)

    async def run(self, engine: Engine, store: str | None, closing: trio.Event) -> None:
        """Find out what was asked of the store with a URL, one after the other, until it is closing."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow, engine, store)
            await closing.wait()
            nursery.cancel_scope.cancel()

    async def _follow(self, engine: Engine, store: str | None) -> None:
        while True:
            waiting = next((one for one in self._kept.values() if one.state is ComparisonState.WAITING), None)
            if waiting is not None:
                await self._find_out(engine, store, waiting)
                continue
            self._news = trio.Event()
            await self._news.wait()

    async def _find_out(self, engine: Engine, store: str | None, one: PastComparison) -> None:
        one.state = ComparisonState.RUNNING

        def tell(done: int, sessions: int) -> None:
            one.done, one.sessions = done, sessions

        try:
            if store is None:
                raise HttpProblem(503, "not_available", "a store in memory is not read by another process")
            files = (await engine.bundle(one.bundle)).files
            found = await judged_since(files, store, one.since, tell, LONGEST)
        except (HttpProblem, BundleUnavailable) as error:
            one.state, one.problem = ComparisonState.FAILED, str(error)
        except Exception:
            _log.exception("what %s would have done is not known", one.bundle)
            one.state, one.problem = ComparisonState.FAILED, "this is a fault of the engine; its log says which"
        else:
            one.result = {name: found[name] for name in _TOLD}
            one.done = one.sessions = found["sessions"]
            one.state = ComparisonState.DONE
