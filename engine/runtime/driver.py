"""One driver of one session: one writer decides, one nursery performs, replies come back over one channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import trio

from engine.ports import Appended, Clock, Conflict, Fenced, Lease, MeterFull, Store
from engine.runtime.errors import LeaseLost
from engine.runtime.perform import Hands
from engine.session import reply as r
from engine.session.decide import decide
from engine.session.effect import Effect, RunTool
from engine.session.event import Event, EventKind
from engine.session.evolve import fold
from engine.session.pending import pending, wake_at
from engine.session.state import State

LEASE = timedelta(seconds=10)
RENEW_EVERY = 3.0
LOOK_EVERY = 1.0

OnEvent = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class _Came:
    """What came in: a reply and the effect it ends; without a reply, a nudge to look at the log."""

    reply: r.Reply | None = None
    effect: str | None = None


class Driver:
    """Holds the session for as long as `run` runs."""

    def __init__(
        self, store: Store, clock: Clock, hands: Hands, lease: Lease, state: State, root: str, on_event: OnEvent
    ) -> None:
        self._store = store
        self._clock = clock
        self._hands = hands
        self._lease = lease
        self._root = root
        self._on_event = on_event
        self._under_way: dict[str, trio.CancelScope] = {}
        self._replies, self._inbox = trio.open_memory_channel[_Came](float("inf"))
        self._lost = False
        self._let_go = False
        self._leave_by: datetime | None = None
        self.state = state

    def nudge(self) -> None:
        """Look for what others appended, now."""
        self._replies.send_nowait(_Came())

    def let_go(self) -> None:
        """Stop driving: what runs gets its grace period, nothing new begins, and another driver goes on."""
        self._let_go = True
        self.nudge()

    async def run(self) -> State:
        """Drive until the session waits or is over; raises LeaseLost."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_lease, nursery.cancel_scope)
            nursery.start_soon(self._look_around, nursery.cancel_scope)
            await self._loop(nursery)
            nursery.cancel_scope.cancel()
        if self._lost:
            raise LeaseLost(self.state.session_id)
        return self.state

    async def _loop(self, nursery: trio.Nursery) -> None:
        await self._say(r.Claimed(self._lease.owner, self._lease.epoch, self._clock.now()))
        while not self._lost:
            if self._let_go and self._leave_by is None:
                await self._say(r.Released(self._lease.owner, self._clock.now()))
                self._leave_by = self._clock.now() + (self.state.limits.grace or timedelta(0))
            self._match_effects(nursery)
            if not self._under_way and not self._inbox.statistics().current_buffer_used and self._is_done():
                return
            if self._leave_by is not None and self._clock.now() >= self._leave_by:
                return
            came = await self._next()
            if came.reply is None:
                await self._catch_up()
                if self._lost:
                    return
            await self._say(came.reply or r.Tick(self._clock.now()))
            # until its reply is decided, the log still calls for the effect
            self._under_way.pop(came.effect or "", None)

    def _is_done(self) -> bool:
        """Whether nothing is left to drive; a call may be waiting for the time of its next attempt."""
        return self.state.final or self._let_go or not self.state.retrying_calls()

    def _match_effects(self, nursery: trio.Nursery) -> None:
        """Start what the log calls for and is not under way; cancel what it no longer calls for."""
        wanted = {effect.key: effect for effect in pending(self.state, self._hands.bundle)}
        for key, scope in self._under_way.items():
            if key not in wanted:
                scope.cancel()
        for call in self.state.running_calls():
            if call.cancelled is not None and RunTool.key_of(call.id, call.attempt) not in self._under_way:
                # cancelled in the same breath in which it was started: nothing ran
                self._replies.send_nowait(_Came(self._hands.never_ran(call)))
        for key, effect in wanted.items():
            if key not in self._under_way:
                scope = self._under_way[key] = trio.CancelScope()
                nursery.start_soon(self._perform, effect, scope, self.state)

    async def _perform(self, effect: Effect, scope: trio.CancelScope, state: State) -> None:
        reply: r.Reply | None = None
        with scope:
            reply = await self._hands.perform(effect, state, self._root)
        if scope.cancelled_caught:
            reply = self._hands.cut_short(effect, self.state.session_id)
        self._hands.forget(effect, self.state.session_id)
        self._replies.send_nowait(_Came(reply, effect.key))

    async def _next(self) -> _Came:
        due = self._leave_by or wake_at(self.state)
        delay = float("inf") if due is None else max((due - self._clock.now()).total_seconds(), 0)
        with trio.move_on_after(delay):
            return await self._inbox.receive()
        return _Came(r.Tick(self._clock.now()))

    async def _say(self, reply: r.Reply) -> None:
        """Decide a reply and append what follows; if another writer was first, decide it again."""
        while not self._lost:
            events = decide(self.state, reply, self._hands.bundle)
            assert not isinstance(events, r.Refused), "only people are refused"
            if not events:
                return
            result = await self._store.append(self.state.session_id, self.state.seq, events, epoch=self._lease.epoch)
            match result:
                case Appended():
                    self._take(events)
                    return
                case Conflict():
                    await self._catch_up()
                case Fenced():
                    self._lost = True
                case MeterFull():
                    call_id = result.holder.partition("/")[2]
                    await self._say(r.MeterFull(call_id, result.meter, result.used, result.limit, self._clock.now()))
                case _:
                    held = (result.key, result.status, result.output, result.holder)
                    await self._say(r.KeyTaken(*held, self._clock.now(), result.compared))

    def _take(self, events: Iterable[Event]) -> None:
        events = list(events)
        self.state = fold(events, self.state)
        for event in events:
            self._on_event(event)

    async def _catch_up(self) -> None:
        """Take in what others appended; what a newer driver did is not ours to act on."""
        events = await self._store.load(self.state.session_id, self.state.seq)
        if any(e.kind is EventKind.SESSION_CLAIMED and e.payload["epoch"] > self._lease.epoch for e in events):
            self._lost = True
        else:
            self._take(events)

    async def _look_around(self, scope: trio.CancelScope) -> None:
        while True:
            await trio.sleep(LOOK_EVERY)
            seq, epoch = await self._store.head(self.state.session_id)
            if epoch > self._lease.epoch:
                self._lose(scope)
            elif seq > self.state.seq:
                self.nudge()

    async def _keep_lease(self, scope: trio.CancelScope) -> None:
        while True:
            await trio.sleep(RENEW_EVERY)
            if not await self._store.renew(self._lease, self._clock.now() + LEASE):
                self._lose(scope)

    def _lose(self, scope: trio.CancelScope) -> None:
        self._lost = True
        scope.cancel()
