"""Workers: run the jobs of a store, each under a lease, and wake the sessions that something is due for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import trio

from engine.errors import EngineError
from engine.language.value import timestamp
from engine.ports.records import (
    Appended,
    Conflict,
    CorruptLog,
    DamagedRow,
    Fenced,
    JobLease,
    SealedLog,
    StoreMoved,
    UnknownSession,
)
from engine.ports.resources import EnvironmentFault
from engine.ports.store import Store
from engine.runtime.driver import DriverContext
from engine.runtime.effect_runner import EffectRunner
from engine.runtime.errors import BundleUnavailable, LeaseLost, LiveElsewhere, unwrapped
from engine.runtime.lease_keeper import GRACE, LEASE
from engine.runtime.person_keys import KeyDestroyed
from engine.runtime.runner import Runner
from engine.session.decide.decide import decide_job_draft
from engine.session.state import inputs
from engine.session.state.effects import NextEffect, RunTool
from engine.session.state.evolve import BrokenHistory, fold
from engine.session.state.pending import pending_job
from engine.session.state.state import State
from engine.spec.bundle import Bundle
from engine.tool.databases import MissingRoot

BEAT_EVERY = 2.0
LOOK_EVERY = 1.0
# sessions that one worker drives at once
MOST_DRIVEN = 32
# how long a session is left alone that could not be driven, or for which nothing was to be done after all
PAUSE = timedelta(seconds=30)

# what is wrong with one session, or with what it needs and this worker has not: another may have it
TROUBLE = (
    LeaseLost,
    BundleUnavailable,
    MissingRoot,
    EnvironmentFault,
    CorruptLog,
    SealedLog,
    BrokenHistory,
    UnknownSession,
)
OnTrouble = Callable[[str, Exception], None]


class UnforeseenFault(EngineError):
    """Driving one session came to an error that nobody foresaw."""


class JobRun:
    """One job under one lease, from its gate to its end."""

    def __init__(
        self,
        context: DriverContext,
        hands: EffectRunner,
        lease: JobLease,
        good_until: float,
        state: State,
        root: str,
    ) -> None:
        """The lease is good for certain until a moment of Trio's clock."""
        self._store = context.store
        self._clock = context.clock
        self._on_event = context.on_event
        self._hands = hands
        self._overlays_of = context.overlays
        self._lease = lease
        self._good_until = good_until
        self._root = root
        self._state = state
        self._lost = False
        self._stopped = False
        self._fault: EnvironmentFault | None = None
        self._running = trio.CancelScope()

    def stop(self) -> None:
        """Cut what runs, and give the job back."""
        self._stopped = True
        self._running.cancel()

    async def run(self) -> None:
        """Judge the call again, run its tool, and record what came of it; or find the lease lost.

        Raises EnvironmentFault where the job was given back for what is missing here.
        """
        await self._say(inputs.JobLeased(self._lease.call_id, self._lease.owner, self._lease.epoch, self._clock.now()))
        while not self._lost:
            effects = pending_job(self._state, self._hands.bundle, self._lease.call_id)
            if not effects:
                break
            replies = await self._perform(effects)
            with trio.CancelScope(shield=True):
                for reply in replies:
                    await self._say(reply)
            if self._fault is not None:
                raise self._fault

    async def _perform(self, effects: tuple[NextEffect, ...]) -> list[inputs.Input]:
        """What came of the effects; of those that were cut off, that the job is given back."""
        replies: list[inputs.Input] = []

        async def one(effect: NextEffect) -> None:
            try:
                reply = await self._hands.perform(effect, self._state, self._root)
            except EnvironmentFault as error:
                self._fault = error
                self._running.cancel()
                return
            self._hands.forget(effect, self._state.session_id)
            replies.append(reply)

        if not self._stopped:
            with trio.CancelScope() as self._running:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._beat)
                    async with trio.open_nursery() as acting:
                        for effect in effects:
                            acting.start_soon(one, effect)
                    nursery.cancel_scope.cancel()
        if replies and self._fault is None:
            return replies
        acted = self._may_have_acted(effects) and self._fault is None
        return [*replies, inputs.JobReleased(self._lease.call_id, acted, self._clock.now())]

    def _may_have_acted(self, effects: tuple[NextEffect, ...]) -> bool:
        """Whether the tool of an effect that was cut off had begun."""
        acted = False
        for effect in effects:
            if isinstance(effect, RunTool):
                short = self._hands.cancelled_reply(effect, self._state.session_id)
                acted |= isinstance(short, inputs.ToolFailed) and short.acted
            self._hands.forget(effect, self._state.session_id)
        return acted

    async def _beat(self) -> None:
        """Keep the lease, and heed a session that was cancelled meanwhile."""
        while True:
            await trio.sleep(BEAT_EVERY)
            if not await self._renewed():
                self._lost = True
                self._running.cancel()
                return
            ((seq, _),) = (await self._store.heads([self._lease.session_id])).values()
            if seq > self._state.seq:
                await self._catch_up()
                if self._state.calls[self._lease.call_id].cancelled is not None:
                    self._running.cancel()

    async def _renewed(self) -> bool:
        """Whether the lease is ours for certain; it counts from before it was asked for."""
        sent = trio.current_time()
        with trio.move_on_at(self._good_until - GRACE):
            if await self._store.renew_job(self._lease, LEASE):
                self._good_until = sent + LEASE.total_seconds()
                return True
        return False

    async def _say(self, reply: inputs.Input) -> None:
        while not self._lost:
            overlays = await self._overlays_of(self._state.bundle)
            draft = decide_job_draft(self._state, self._lease.call_id, reply, self._hands.bundle, overlays)
            if not draft.events:
                return
            result = await self._store.append(self._state.session_id, self._state.seq, draft.events, job=self._lease)
            match result:
                case Appended():
                    self._state = draft.state
                    for event in draft.events:
                        self._on_event(event)
                    return
                case Conflict():
                    await self._catch_up()
                case Fenced():
                    self._lost = True
                case _:
                    raise AssertionError("a job has its key and its meters since it was enqueued")

    async def _catch_up(self) -> None:
        self._state = fold(await self._store.load(self._state.session_id, self._state.seq), self._state)


@dataclass(slots=True)
class WorkDone:
    """What a worker did, and the sessions that it could do nothing for."""

    jobs: int = 0
    sessions: int = 0
    troubled: set[str] = field(default_factory=set)


class Worker:
    """Takes jobs, so many at once, and drives the sessions that are due, until it is let go of."""

    def __init__(self, engine: Runner, *, at_once: int = 4, on_trouble: OnTrouble = lambda id_, error: None) -> None:
        self._engine = engine
        self._reins = engine.context
        self._store: Store = engine.context.store
        self._clock = engine.context.clock
        self._limit = trio.CapacityLimiter(at_once)
        self._running: set[JobRun] = set()
        self._driving: set[str] = set()
        self._on_trouble = on_trouble
        self._leaving = False
        self._changed = trio.Event()
        # of sessions and of jobs, by their ids
        self._pause_until: dict[str, datetime] = {}
        self._told: dict[str, str] = {}
        self.done = WorkDone()

    def wake(self) -> None:
        """Look at once: something has changed."""
        self._changed.set()

    def release_lease(self) -> None:
        """Take nothing new; what runs has the grace period to end."""
        self._leaving = True
        self._changed.set()

    async def work(self, *, until_idle: bool = False, grace: float = 10.0) -> WorkDone:
        """Work until `release_lease`, or until nothing is due any more; at the end nothing runs."""
        async with trio.open_nursery() as around:
            async with trio.open_nursery() as nursery:
                while not self._leaving:
                    busy = bool(self._limit.borrowed_tokens or self._driving)
                    found = await self._look(nursery)
                    if until_idle and not found and not busy:
                        return self.done
                    if not found:
                        with trio.move_on_after(LOOK_EVERY):
                            await self._changed.wait()
                        self._changed = trio.Event()
                self._engine.release_lease()
                around.start_soon(self._cut, grace)
            around.cancel_scope.cancel()
        return self.done

    async def _cut(self, grace: float) -> None:
        """What has not ended in its grace period is cut off, and given back."""
        await trio.sleep(grace)
        for run in list(self._running):
            run.stop()

    async def _look(self, nursery: trio.Nursery) -> bool:
        """Start what is due; whether there was anything."""
        found = False
        now = self._clock.now()
        for session_id in await self._store.due_sessions():
            if len(self._driving) >= MOST_DRIVEN:
                break  # some end before others begin
            if session_id not in self._driving and not self._pauses(session_id, now):
                found = True
                self._driving.add(session_id)
                nursery.start_soon(self._drive, session_id)
        for job in await self._store.damaged_jobs():
            if not self._pauses(job.id, now):
                damaged = DamagedRow(job.session_id, "jobs", f"{job.id}: {job.problem}")
                self._trouble(job.session_id, damaged, job.id)
        while self._limit.available_tokens:
            now, sent = self._clock.now(), trio.current_time()
            paused = [id_ for id_ in self._pause_until if self._pauses(id_, now)]
            lease = await self._store.lease_job(self._engine.name, LEASE, but=paused)
            if lease is None:
                break
            found = True
            # taken here, so that no more are leased than can run
            self._limit.acquire_on_behalf_of_nowait(lease)
            nursery.start_soon(self._run, lease, sent + LEASE.total_seconds())
        return found

    def _pauses(self, id_: str, now: datetime) -> bool:
        """Whether a session or a job is left alone for now."""
        return self._pause_until.get(id_, now) > now

    def _trouble(self, session_id: str, error: Exception, id_: str) -> None:
        """Tell once what is wrong with one session, and leave it or its job alone for a while."""
        if not isinstance(error, TROUBLE):
            # a fault of the engine or of a package: it is one session's, and the others have to go on
            error = UnforeseenFault(f"{type(error).__name__}: {error}")
        if not isinstance(error, LeaseLost):  # then somebody else does it
            self.done.troubled.add(session_id)
        self._pause_until[id_] = self._clock.now() + PAUSE
        if self._told.get(id_) != str(error):
            self._told[id_] = str(error)
            self._on_trouble(session_id, error)

    async def _run(self, lease: JobLease, good_until: float) -> None:
        run: JobRun | None = None
        try:
            state = await self._engine.load(lease.session_id)
            if not await self._is_to_run(lease, state):
                return
            bundle: Bundle = await self._engine.bundle_of(state)
            root = await self._engine.ready_for(state, bundle, lease.call_id)
            run = JobRun(self._reins, self._engine.effect_runner(bundle), lease, good_until, state, root)
            self._running.add(run)
            try:
                await run.run()
            except BaseExceptionGroup as group:
                raise unwrapped(group) from None
            self.done.jobs += 1
            self._resume(lease.job_id)
        except KeyDestroyed:
            # all that its session can do is end, and its jobs with it
            await self._store.release_job(lease)
            if lease.session_id not in self._driving:
                self._driving.add(lease.session_id)
                await self._drive(lease.session_id)
        except StoreMoved:
            raise
        except Exception as error:
            self._trouble(lease.session_id, error, lease.job_id)
            if run is None:
                # a worker that can run it gets it; of one that was begun the lease has to run out
                await self._store.release_job(lease)
        finally:
            if run is not None:
                self._running.discard(run)
            self._limit.release_on_behalf_of(lease)
            self._changed.set()

    async def _is_to_run(self, lease: JobLease, state: State) -> bool:
        """Whether the log still has the job to run; raises DamagedRow where only the queue has it, or has it now."""
        call = state.calls.get(lease.call_id)
        if call is not None and call.handed_over:
            if call.due_at is not None and call.due_at > self._clock.now():
                told = f"{lease.job_id}: its log has it to run from {timestamp(call.due_at)}"
                raise DamagedRow(lease.session_id, "jobs", told)
            return True
        # both are written in one transaction: who has the lease still finds that the queue was changed apart
        if await self._store.renew_job(lease, LEASE):
            raise DamagedRow(lease.session_id, "jobs", f"{lease.job_id}: the log has no such job that is to be run")
        return False

    async def _drive(self, session_id: str) -> None:
        try:
            await self._engine.drive(session_id, wait=False)
            self.done.sessions += 1
            self._resume(session_id)
            if session_id in await self._store.due_sessions():
                self._pause_until[session_id] = self._clock.now() + PAUSE
        except LiveElsewhere:
            # another worker was first, and while its lease lives the session is not due
            self._resume(session_id)
        except StoreMoved:
            raise  # nothing is to be done here any more
        except Exception as error:
            self._trouble(session_id, error, session_id)
        finally:
            self._driving.discard(session_id)
            self._changed.set()

    def _resume(self, id_: str) -> None:
        self._pause_until.pop(id_, None)
        self._told.pop(id_, None)
