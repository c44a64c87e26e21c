"""One driver of one session: one writer decides, one nursery performs, replies come back over one channel.

The loop is: see what the log calls for, start and cancel effects until they match it, wait for a reply, decide it,
append what follows, and again.  What is decided is always what the appended log says; an effect's answer counts once
its event is in the store, and the events that start a tool are there before the tool runs.

What holds:
- An append names the newest event that the driver knows and the epoch of its lease.  If somebody else was first,
  nothing is written: it takes in what they wrote, and decides again.  If somebody newer drives, it is fenced, and
  stops.
- An effect that the log does not call for any more is cancelled, and its answer decides nothing.
- A session that waits or is over is let go of in the append that says so; nothing can slip in between.

What can go wrong: the process dies (the next driver claims the session, and finds each call as its last event left
it); the store refuses a key, a meter or the place in the log (the refusal is one more reply); a tool ignores its
cancellation (it is given up after a while, and the log says so); something that tools need is missing here
(`EnvironmentFault`: what runs may end in its grace, and the session is left to somebody who has it).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import trio

from engine.ports.clock import Clock
from engine.ports.records import (
    Appended,
    AppendResult,
    Claim,
    Conflict,
    ExpiredKey,
    Fenced,
    FullMeter,
    HeldSession,
    Lease,
)
from engine.ports.resources import EnvironmentFault
from engine.ports.store import Store
from engine.runtime.effect_runner import EffectRunner
from engine.runtime.errors import LeaseLost, unwrapped
from engine.runtime.lease_keeper import LEASE, LeaseKeeper
from engine.runtime.state_loader import keep_state
from engine.session.decide.decide import decide_draft
from engine.session.decide.draft import Draft, OverlayBundles
from engine.session.state import inputs
from engine.session.state.effects import NextEffect, RunTool
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import fold
from engine.session.state.pending import pending, wake_at
from engine.session.state.state import State, Status

OnEvent = Callable[[Event], None]

# how long a cancelled effect may take to end before it is said to ignore its cancellation, in seconds
STUBBORN = 5.0


@dataclass(frozen=True, slots=True)
class _Incoming:
    """What came in: a reply and the effect it ends; without a reply, a nudge to look at the log."""

    reply: inputs.Input | None = None
    effect: str | None = None


@dataclass(frozen=True, slots=True)
class DriverContext:
    """What drivers of one process share."""

    store: Store
    keeper: LeaseKeeper
    on_event: OnEvent
    overlays: Callable[[str], Awaitable[OverlayBundles]]

    @property
    def clock(self) -> Clock:
        """The store's."""
        return self.store.clock


class Driver:
    """Takes the session, and holds it for as long as `run` runs."""

    def __init__(
        self,
        context: DriverContext,
        hands: EffectRunner,
        lease: Lease,
        state: State,
        root: str,
        unsaved: Sequence[Event] = (),
    ) -> None:
        """`unsaved` are the events that begin the session, where taking it is to make them durable."""
        self._store = context.store
        self._clock = context.clock
        self._keeper = context.keeper
        self._on_event = context.on_event
        self._hands = hands
        self._overlays_of = context.overlays
        self._root = root
        self._unsaved = tuple(unsaved)
        self._under_way: dict[str, trio.CancelScope] = {}
        self._give_up_at: dict[str, float] = {}
        self._replies, self._inbox = trio.open_memory_channel[_Incoming](float("inf"))
        self._scope: trio.CancelScope | None = None
        self._lost = False
        self._let_go = False
        self._leave_by: datetime | None = None
        self._fault: EnvironmentFault | None = None
        self._snapshot_at: int | None = None
        self.left = False
        self.again = False
        self.lease = lease
        self.good_until = 0.0
        self.state = state

    @property
    def seq(self) -> int:
        """The newest event that it knows."""
        return self.state.seq

    def nudge(self) -> None:
        """Look for what others appended, now."""
        self._replies.send_nowait(_Incoming())

    @property
    def _nudged(self) -> bool:
        """Whether something came in that nobody has looked at."""
        return bool(self._inbox.statistics().current_buffer_used)

    def release_lease(self) -> None:
        """Stop driving: what runs gets its grace period, nothing new begins, and another driver goes on."""
        self._let_go = True
        self.nudge()

    def lose(self) -> None:
        """Another driver has the session."""
        self._lost = True
        if self._scope is not None:
            self._scope.cancel()

    async def take(self, *, alone: bool = False) -> HeldSession | Conflict | None:
        """Claim the session, and make the events that begin it durable with it; None when it is ours.

        What follows from the claim is appended with it, unless it is to be taken `alone`.
        """
        claimed = inputs.SessionClaimed(self.lease.owner, self.lease.epoch, self._clock.now())
        draft = decide_draft(self.state, claimed, self._hands.bundle, await self._overlays())
        assert isinstance(draft, Draft), "only people are refused"
        result = None if alone else await self._append_first(draft)
        if not isinstance(result, Appended | HeldSession | Conflict):
            # or a key or a meter that the first move wants is taken: the loop finds out
            draft = Draft(self.state, self._hands.bundle, self._clock.now())
            draft.emit(EventKind.SESSION_CLAIMED, owner=claimed.owner, epoch=claimed.epoch)
            result = await self._append_first(draft)
            self.nudge()
        if isinstance(result, HeldSession | Conflict):
            return result
        self._take_in((*self._unsaved, *draft.events), draft.state)
        return None

    async def _overlays(self) -> OverlayBundles:
        """The urgent bundles that judge beside the session's own."""
        return () if self._unsaved else await self._overlays_of(self.state.bundle)

    async def _append_first(self, draft: Draft) -> AppendResult:
        after = 0 if self._unsaved else self.state.seq
        self.good_until = trio.current_time() + LEASE.total_seconds()
        self.left = self._leaves(draft.state) and draft.events[-1].kind is not EventKind.SESSION_CLAIMED
        return await self._store.append(
            self.state.session_id,
            after,
            (*self._unsaved, *draft.events),
            take=Claim(self.lease, LEASE),
            release_lease=self.left,
        )

    async def run(self) -> State:
        """Drive until the session waits or is over.

        Raises LeaseLost, CorruptLog, BrokenHistory; EnvironmentFault where it was let go of for what is missing here.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._scope = nursery.cancel_scope
                nursery.start_soon(self._keeper.keep, self)
                await self._loop(nursery)
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # who drives is to know what is wrong with this one session
            raise unwrapped(group) from None
        # what was said after the session was let go of is for another drive
        self.again = self.left and (self.again or self._nudged)
        if self._lost:
            raise LeaseLost(self.state.session_id)
        if self._fault is not None and not self.left:
            raise self._fault
        return self.state

    async def _loop(self, nursery: trio.Nursery) -> None:
        while not self._lost:
            if leaving := self._leaving():
                await self._say(leaving)
            self._match_effects(nursery)
            if not self._under_way and self.left:
                return
            if not self._under_way and not self._nudged and self._is_done():
                return
            if self._leave_by is not None and self._clock.now() >= self._leave_by:
                return
            came = await self._next()
            if self.left:
                self.again |= any(one.effect is None and one.reply is None for one in came)
            elif any(one.reply is None for one in came):
                await self._catch_up()
                if self._lost:
                    return
            # first that nothing new begins, where what is missing has just been found
            await self._say([*self._leaving(), *(one.reply or inputs.TimePassed(self._clock.now()) for one in came)])
            for one in came:
                # until its reply is decided, the log still calls for the effect
                self._under_way.pop(one.effect or "", None)

    def _leaving(self) -> list[inputs.Input]:
        """What there is to say, once, when the session is to be let go of: what runs is in its grace from then on."""
        if not self._let_go or self._leave_by is not None or self.left:
            return []
        self._leave_by = self._clock.now() + (self.state.limits.grace or timedelta(0))
        return [inputs.SessionReleased(self.lease.owner, self._clock.now())]

    def _is_done(self) -> bool:
        """Whether nothing is left to drive; a call may be waiting for the time of its next attempt."""
        return self.state.final or self._let_go or not self.state.retrying_calls()

    def _leaves(self, state: State) -> bool:
        """Whether a session in this state is let go of: it waits or is over."""
        return state.status is not Status.RUNNING

    def _match_effects(self, nursery: trio.Nursery) -> None:
        """Start what the log calls for and is not under way; cancel what it no longer calls for."""
        wanted = {} if self.left else {effect.key: effect for effect in pending(self.state, self._hands.bundle)}
        for key, scope in self._under_way.items():
            if key not in wanted:
                scope.cancel()
                self._give_up_at.setdefault(key, trio.current_time() + STUBBORN)
        for call in self.state.running_calls():
            if call.cancelled is not None and RunTool.key_of(call.id, call.attempt) not in self._under_way:
                # cancelled in the same breath in which it was started: nothing ran
                self._replies.send_nowait(_Incoming(self._hands.not_started_reply(call)))
        for key, effect in wanted.items():
            if key not in self._under_way:
                scope = self._under_way[key] = trio.CancelScope()
                nursery.start_soon(self._perform, effect, scope, self.state)

    async def _perform(self, effect: NextEffect, scope: trio.CancelScope, state: State) -> None:
        reply: inputs.Input | None = None
        with scope:
            try:
                reply = await self._hands.perform(effect, state, self._root)
            except EnvironmentFault as error:
                # what runs beside it may end in its grace, and whoever has what is missing goes on
                self._fault = self._fault or error
                self._let_go = True
                reply = self._hands.not_begun(effect, error)
        if scope.cancelled_caught:
            reply = self._hands.cancelled_reply(effect, self.state.session_id)
        self._hands.forget(effect, self.state.session_id)
        if effect.key not in self._under_way:
            # it ended after all, long after the log had to go on without it
            return
        self._replies.send_nowait(_Incoming(reply, effect.key))

    def _give_up(self) -> None:
        """Go on without effects that ignore their cancellation; the log says so, and nothing of them counts."""
        now = trio.current_time()
        for call in self.state.running_calls():
            key = RunTool.key_of(call.id, call.attempt)
            if self._give_up_at.get(key, now + 1) <= now and self._under_way.pop(key, None) is not None:
                self._replies.send_nowait(_Incoming(self._hands.ignored_cancellation_reply(call, STUBBORN)))

    async def _next(self) -> list[_Incoming]:
        """All that has come in, once there is something; a tick when time alone changes something."""
        due = self._leave_by or wake_at(self.state)
        left = float("inf") if due is None else max((due - self._clock.now()).total_seconds(), 0)
        came = []
        self._give_up()
        give_up_at = min((at for key, at in self._give_up_at.items() if key in self._under_way), default=float("inf"))
        with trio.CancelScope(deadline=min(trio.current_time() + left, give_up_at)):
            came.append(await self._inbox.receive())
        while self._nudged:
            came.append(self._inbox.receive_nowait())
        return came or [_Incoming(inputs.TimePassed(self._clock.now()))]

    async def _say(self, replies: list[inputs.Input]) -> None:
        """Decide replies and append what follows; if another writer was first, decide them again."""
        while not self._lost and not self.left:
            overlays = await self._overlays_of(self.state.bundle)
            state, events = self.state, list[Event]()
            for reply in replies:
                draft = decide_draft(state, reply, self._hands.bundle, overlays)
                assert isinstance(draft, Draft), "only people are refused"
                state = draft.state
                events += draft.events
            if not events:
                return
            leaves = self._leaves(state)
            result = await self._store.append(
                self.state.session_id, self.state.seq, events, epoch=self.lease.epoch, release_lease=leaves
            )
            match result:
                case Appended():
                    self.left = leaves
                    self._take_in(events, state)
                    self._snapshot_at = await keep_state(self._store, state, self._snapshot_at)
                    return
                case Conflict():
                    await self._catch_up()
                case Fenced():
                    self._lost = True
                case FullMeter():
                    call_id = result.holder.partition("/")[2]
                    full = inputs.MeterFull(call_id, result.meter, result.used, result.limit, self._clock.now())
                    await self._say([full])
                case ExpiredKey():
                    await self._say([inputs.KeyExpired(result.key, result.generation, self._clock.now())])
                case HeldSession():
                    raise AssertionError("only who takes a session is told that it is held")
                case _:
                    held = (result.key, result.status, result.output, result.holder)
                    await self._say([inputs.KeyTaken(*held, self._clock.now(), result.compared)])

    def _take_in(self, events: Iterable[Event], state: State) -> None:
        self.state = state
        for event in events:
            self._on_event(event)

    async def _catch_up(self) -> None:
        """Take in what others appended; what a newer driver did is not ours to act on."""
        events = await self._store.load(self.state.session_id, self.state.seq)
        if any(e.kind is EventKind.SESSION_CLAIMED and e.payload["epoch"] > self.lease.epoch for e in events):
            self._lost = True
        elif events:
            self._take_in(events, fold(events, self.state))
