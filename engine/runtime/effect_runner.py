"""Performing one effect: a question to the planner, a tool's run, a fact's read.  Each ends in a reply."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any, cast

import trio

from engine.language.value import span
from engine.ports.clock import Clock
from engine.ports.planner import LogPlanner, Planner, PlannerError, Proposal
from engine.ports.resources import EnvironmentFault, Secrets
from engine.ports.tool import ToolAdapter, ToolError, ToolInvocation
from engine.random_bytes import random_hex
from engine.runtime.connections import NotEntered
from engine.session.handles import Handles, handles_of, inert
from engine.session.planner_view import planner_view
from engine.session.shared_meters import is_meter
from engine.session.state import inputs
from engine.session.state.effects import AskPlanner, NextEffect, ReadFact, RunTool
from engine.session.state.event import Event
from engine.session.state.state import Call, State
from engine.spec.bundle import WRITE, Bundle, Tool
from engine.spec.planner_spec import NO_USAGE, usage_problem
from engine.spec.retry import FailureKind
from engine.tool.databases import MissingRoot
from engine.tool.python import runs_in_thread

# what is no fault of an adapter or a planner: the caller's, our own, and that of where we are
OURS = (MissingRoot, NotEntered, EnvironmentFault)

# what code of others raises that foresaw nothing: it ends what it was asked for, and not the process
BROKEN = (Exception, SystemExit, GeneratorExit)

CANCELLED, STUBBORN = "cancelled", "ignores_cancellation"


@cache
def _reads_log(kind: type) -> bool:
    """Whether planners of a kind read the log, asked once: a protocol's own check costs more than a question."""
    return issubclass(kind, LogPlanner)


def random_fraction() -> Decimal:
    """Chance: a number of six digits, at least 0 and less than 1."""
    return Decimal(secrets.randbelow(1_000_000)) / 1_000_000


def drawn() -> str:
    """A mark that nobody can have foreseen, to fence a result with that has just come back."""
    return random_hex(12)


@dataclass(slots=True)
class EffectRunner:
    """What effects are performed with, for the sessions of one bundle."""

    bundle: Bundle
    clock: Clock
    adapters: Callable[[Tool], ToolAdapter]
    planner: Callable[[str, str], Planner]
    secrets: Secrets
    log: Callable[[str], Awaitable[Sequence[Event]]]
    say: Callable[[str, str], None]
    meter_used: Callable[[str, Mapping[str, Any], datetime | None], Awaitable[Any]]
    random_fraction: Callable[[], Decimal] = random_fraction
    _limiters: dict[str, trio.CapacityLimiter] = field(default_factory=dict)
    _entered: set[tuple[str, str]] = field(default_factory=set)

    def _turn(self, tool: Tool) -> AbstractAsyncContextManager[object]:
        """The runs of a tool that may be under way at once in this process; more wait here."""
        if tool.concurrency is None:
            return nullcontext()
        if tool.name not in self._limiters:
            self._limiters[tool.name] = trio.CapacityLimiter(tool.concurrency)
        return self._limiters[tool.name]

    async def perform(self, effect: NextEffect, state: State, root: str) -> inputs.Input:
        """What came of an effect; a state as of when it was called for; raises MissingRoot, EnvironmentFault."""
        if isinstance(effect, AskPlanner):
            return await self._ask(effect, state)
        if isinstance(effect, ReadFact):
            return await self._read(effect, state, root)
        return await self._run(effect, state, root)

    async def _ask(self, effect: AskPlanner, state: State) -> inputs.Input:
        """What the session's planner proposes, or another of its chain where one has nothing to propose."""
        notes: tuple[inputs.Note, ...] = ()
        usage = NO_USAGE
        chain = (state.planner, *state.fallback)
        for name, next_ in zip(chain, (*chain[1:], None), strict=True):
            try:
                made = await self._proposed(name, state)
            except PlannerError as error:
                problem = self.secrets.masked(str(error))
                usage = usage.plus(error.usage)
                notes += error.notes
                if error.final and next_ is not None:
                    notes += (inputs.PlannerFellBack(name, next_, problem[:500]),)
                    continue
                return inputs.PlannerFailed(
                    effect.ask, problem, self.clock.now(), usage, self._masked(notes), error.final
                )
            notes = self._masked(notes + made.notes)
            return inputs.PlannerAnswered(effect.ask, made.decision, self.clock.now(), usage.plus(made.usage), notes)
        raise AssertionError("a session has a planner")

    async def _proposed(self, name: str, state: State) -> Proposal:
        planner, view = self.planner(state.agent, name), planner_view(state, self.bundle)
        try:
            if _reads_log(type(planner)):
                log = await self.log(state.session_id)
                heard = partial(self._tell_partial, state.session_id, handles_of(state, self.bundle))
                raw = await cast(LogPlanner, planner).consider(view, log, heard)
            else:
                raw = await planner.propose(view)
            made = raw if isinstance(raw, Proposal) else Proposal(raw)
            wrong = usage_problem(made.usage)
            if not wrong:
                return replace(made, decision=self.secrets.masked(made.decision))
        except PlannerError as error:
            wrong = usage_problem(error.usage)
            if not wrong:
                raise
        except OURS:
            raise
        except BROKEN as error:
            # what it did not foresee ends this question, and not the process
            raise PlannerError(f"planner {name} broke: {type(error).__name__}", final=True) from None
        raise PlannerError(f"planner {name} told a use that can't be counted: {wrong}", final=True)

    def _tell_partial(self, session_id: str, handles: Handles | None, text: str) -> None:
        """Tell people what a model has said so far, without what is secret or sensitive."""
        told = self.secrets.beginning(text)
        self.say(session_id, told if handles is None else handles.so_far(told))

    def _masked(self, notes: tuple[inputs.Note, ...]) -> tuple[inputs.Note, ...]:
        return tuple(replace(note, **self.secrets.masked(asdict(note))) for note in notes)

    def _tool_run(
        self, tool: Tool, given: Mapping[str, Any], state: State, root: str, key: str | None = None
    ) -> ToolInvocation:
        return ToolInvocation(
            tool,
            given,
            state.attributes,
            key,
            state.session_id,
            root,
            self.secrets.masked,
            partial(self._hidden, state),
        )

    def _hidden(self, state: State, text: str) -> str:
        handles = handles_of(state, self.bundle)
        return text if handles is None else inert(str(handles.within(text)))

    async def _run(self, effect: RunTool, state: State, root: str) -> inputs.Input:
        tool = self.bundle.tools[effect.tool]
        given = self._tool_run(tool, effect.input, state, root, effect.idempotency_key)
        async with self._turn(tool):
            self._entered.add((state.session_id, effect.key))
            with trio.move_on_after(effect.timeout.total_seconds()) as limit:
                try:
                    output = self.secrets.masked(await self.adapters(tool).run(given))
                    return inputs.ToolReturned(effect.call_id, effect.attempt, output, self.clock.now(), drawn())
                except OURS:
                    raise
                except ToolError as error:
                    if not (limit.cancel_called and not error.acted):
                        failure = _kind_of(error)
                        return self._failed(
                            effect, failure, error.reason, error.message, acted=error.acted, wait=error.wait
                        )
                except BROKEN as error:
                    # what an adapter did not foresee: nobody knows what was done
                    writes = tool.effect is WRITE
                    said = f"{tool.name} broke: {type(error).__name__}"
                    return self._failed(
                        effect, FailureKind.LOST if writes else FailureKind.ERROR, "adapter_broke", said, acted=writes
                    )
            message = f"{tool.name} took longer than {effect.timeout.total_seconds():g} s"
            # a tool that vouches for having done nothing ends by itself, any other is cut off
            return self._failed(effect, FailureKind.TIMEOUT, "timeout", message, acted=limit.cancelled_caught)

    def _failed(
        self,
        effect: RunTool,
        failure: FailureKind,
        reason: str,
        message: str,
        *,
        acted: bool,
        wait: Decimal | None = None,
    ) -> inputs.ToolFailed:
        said = self.secrets.masked(message)
        return inputs.ToolFailed(
            effect.call_id,
            effect.attempt,
            failure,
            reason,
            said,
            acted,
            self.clock.now(),
            self.random_fraction(),
            wait,
            drawn(),
        )

    async def _read_meter(self, effect: ReadFact, state: State) -> inputs.Input:
        """What all sessions have added to a meter that they share, within its window."""
        started, given = self.clock.now(), effect.input
        since = started - span(given["window"]) if given["window"] is not None else None
        used = await self.meter_used(state.session_id, given, since)
        return inputs.FactReturned(effect.fact_key, effect.gate, {"used": used}, started, self.clock.now())

    async def _read(self, effect: ReadFact, state: State, root: str) -> inputs.Input:
        if is_meter(effect.tool):
            return await self._read_meter(effect, state)
        tool, started = self.bundle.tools[effect.tool], self.clock.now()
        problem = "; ".join(tool.check_input(effect.input))
        output = None
        if not problem:
            run = self._tool_run(tool, effect.input, state, root)
            try:
                async with self._turn(tool):
                    with trio.fail_after(tool.timeout.total_seconds()):
                        output = self.secrets.masked(await self.adapters(tool).run(run))
            except trio.TooSlowError:
                problem = f"{tool.name} took longer than {tool.timeout.total_seconds():g} s"
            except OURS:
                raise
            except ToolError as error:
                problem = self.secrets.masked(f"{error.reason}: {error.message}")
            except BROKEN as error:
                problem = f"{tool.name} broke: {type(error).__name__}"
        if problem:
            return inputs.FactFailed(effect.fact_key, effect.gate, problem, started, self.clock.now())
        return inputs.FactReturned(effect.fact_key, effect.gate, output, started, self.clock.now())

    def cancelled_reply(self, effect: NextEffect, session_id: str) -> inputs.Input | None:
        """What to tell the core of an effect that was cancelled: only a tool's run leaves a trace."""
        if not isinstance(effect, RunTool):
            return None
        acted = (session_id, effect.key) in self._entered
        thread = acted and runs_in_thread(self.bundle.tools[effect.tool], self.bundle.files)
        message = "it was cancelled; its thread can't be stopped and may still run" if thread else ""
        return self._failed(effect, FailureKind.CANCELLED, CANCELLED, message, acted=acted)

    def ignored_cancellation_reply(self, call: Call, seconds: float) -> inputs.Input:
        """What to tell the core of a tool that was cancelled and does not end."""
        message = f"it was cancelled {seconds:g} s ago and has not ended: it ignores cancellation"
        return inputs.ToolFailed(
            call.id, call.attempt, FailureKind.CANCELLED, STUBBORN, message, True, self.clock.now()
        )

    def not_begun(self, effect: NextEffect, error: EnvironmentFault) -> inputs.Input | None:
        """What to tell the core of an effect that lacks what it needs: only a tool's run has begun in the log."""
        if not isinstance(effect, RunTool):
            return None
        return inputs.ToolNotBegun(effect.call_id, effect.attempt, self.secrets.masked(str(error)), self.clock.now())

    def not_started_reply(self, call: Call) -> inputs.Input:
        """What to tell the core of a started call whose tool was never run."""
        return inputs.ToolFailed(
            call.id, call.attempt, FailureKind.CANCELLED, CANCELLED, "it never ran", False, self.clock.now()
        )

    def forget(self, effect: NextEffect, session_id: str) -> None:
        """The effect is over, and its reply decided."""
        self._entered.discard((session_id, effect.key))


def _kind_of(error: ToolError) -> FailureKind:
    if error.lost:
        return FailureKind.LOST
    return FailureKind.RETRYABLE if error.retryable else FailureKind.ERROR
