"""Drives sessions beside a program: one task for each that has something to do, none of which outlives the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import trio

from engine.runtime.errors import EngineClosed, unwrapped
from engine.runtime.runner import Runner as Runner
from engine.session.state.state import State, Status

# what is let go of has so long to end its calls, in seconds
GRACE = 10.0


@dataclass(slots=True)
class _Drive:
    """A session that is driven; `again` if something came for it meanwhile."""

    over: trio.Event = field(default_factory=trio.Event)
    again: bool = False


class Drives:
    """The sessions that this process drives, and what kept it from driving others."""

    def __init__(self, runner: Runner, nursery: trio.Nursery) -> None:
        self._runner = runner
        self._nursery = nursery
        self._running: dict[str, _Drive] = {}
        self._faults: dict[str, Exception] = {}
        self._timers: set[tuple[str, datetime]] = set()
        self._closing = False

    def start(self, session_id: str) -> None:
        """Drive a session on, if nobody here does; what goes wrong is raised to whoever waits for it."""
        known = self._running.get(session_id)
        if known is not None:
            known.again = True
        elif not self._closing:
            drive = self._running[session_id] = _Drive()
            self._nursery.start_soon(self._drive, session_id, drive)

    def check_open(self) -> None:
        """Raise EngineClosed once the engine is left: nothing is driven, and to wait would be for ever."""
        if self._closing:
            raise EngineClosed("the engine was left: open another on the same store, and go on there")

    def running(self, session_id: str) -> bool:
        """Whether a session is driven here."""
        return session_id in self._running

    async def ended(self, session_id: str) -> None:
        """Wait until a session is not driven here any more; raises what went wrong with that."""
        drive = self._running.get(session_id)
        if drive is not None:
            await drive.over.wait()
        self.check(session_id)

    def check(self, session_id: str) -> None:
        """Raise, once, what went wrong with driving a session."""
        fault = self._faults.pop(session_id, None)
        if fault is not None:
            raise fault

    def check_all(self) -> None:
        """Raise what went wrong with driving a session and was told to nobody."""
        for session_id in list(self._faults):
            self.check(session_id)

    async def close(self) -> None:
        """Let go of all that is driven."""
        self._closing = True
        self._runner.release_lease()
        with trio.move_on_after(GRACE):
            for drive in list(self._running.values()):
                await drive.over.wait()
        self._nursery.cancel_scope.cancel()

    async def _drive(self, session_id: str, drive: _Drive) -> None:
        try:
            while True:
                drive.again = False
                state = await self._runner.drive(session_id)
                # nothing is awaited between this look and the end, so that nothing that comes is lost
                if not drive.again and (self._closing or state.final or state.status is not Status.RUNNING):
                    self._go_on_later(state)
                    return
        except Exception as error:
            found = unwrapped(error)
            self._faults[session_id] = found if isinstance(found, Exception) else error
        finally:
            del self._running[session_id]
            drive.over.set()

    def _go_on_later(self, state: State) -> None:
        """Drive a session again when a yes counts that was said already: nothing else would."""
        for at in {one.counts_at for one in state.open_requests() if one.counts_at is not None}:
            timer = state.session_id, at
            if timer not in self._timers and not self._closing:
                self._timers.add(timer)
                self._nursery.start_soon(self._at, *timer)

    async def _at(self, session_id: str, at: datetime) -> None:
        await trio.sleep(max(0.0, (at - self._runner.context.clock.now()).total_seconds()))
        self._timers.discard((session_id, at))
        self.start(session_id)
