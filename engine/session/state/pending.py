"""`pending`: what the stored facts now call for, and when to look again."""

from __future__ import annotations

from datetime import datetime

from engine.session.state.effects import AskPlanner, NextEffect, ReadFact, RunTool
from engine.session.state.state import Call, Phase, State, Status, StepPhase
from engine.spec.bundle import Bundle
from engine.spec.planner_spec import CLIENT, Usage


def pending(state: State, bundle: Bundle) -> tuple[NextEffect, ...]:
    """The effects to be under way now for the session's driver; none means that the session waits or is over."""
    if state.final or state.status is not Status.RUNNING:
        return ()
    effects: list[NextEffect] = []
    if state.releasing:
        # the driver is leaving: what runs may end in its grace, and nothing new begins
        return tuple(_run(c, bundle) for c in state.running_calls() if c.cancelled is None and c.epoch == state.epoch)
    planning = state.step_phase is StepPhase.PLANNING and state.ending is None
    if planning and not plans_outside(state, bundle) and not reserves(state, bundle):
        effects.append(AskPlanner(state.asks))
    reads: dict[str, ReadFact] = {}
    for call in state.calls.open.values():
        if call.job and call.handed_over:
            continue
        if call.phase is Phase.STARTED and call.cancelled is None and call.epoch == state.epoch:
            effects.append(_run(call, bundle))
        if call.phase is Phase.GATING and state.ending is None:
            reads |= _reads(state, call)
        if call.probing is not None and state.ending is None:
            want = call.probing
            probe = ReadFact(f"probe:{call.id}", want["tool"], want["input"], want["gate"])
            reads[probe.key] = probe
    return (*effects, *reads.values())


def plans_outside(state: State, bundle: Bundle) -> bool:
    """Whether the session's decisions come from a client, which nobody here can ask."""
    planner = bundle.agents[state.agent].planners.get(state.planner)
    return planner is not None and planner.kind == CLIENT


def reserves(state: State, bundle: Bundle) -> Usage | None:
    """What has to be reserved before the planner is asked; None if that was done, or nothing has to be."""
    planners = bundle.agents[state.agent].planners
    chain = [planners[name].usage for name in (state.planner, *state.fallback) if name in planners]
    usage = Usage(max((u.tokens for u in chain), default=0), max((u.cost_usd for u in chain), default=0))
    if not usage or (state.reserved is not None and state.reserved["ask"] == state.asks):
        return None
    return usage


def pending_job(state: State, bundle: Bundle, call_id: str) -> tuple[NextEffect, ...]:
    """The effects to be under way for the worker that has leased a job: its facts, or its tool's run."""
    call = state.calls[call_id]
    if not call.leased or call.cancelled is not None:
        return ()
    if call.phase is Phase.STARTED:
        return (_run(call, bundle),)
    return tuple(_reads(state, call).values()) if call.phase is Phase.GATING else ()


def _reads(state: State, call: Call) -> dict[str, ReadFact]:
    """The facts that a call's gate waits for and that are not read yet."""
    reads = {}
    for want in call.wants:
        reading = state.readings.get(want["key"])
        if reading is None or reading.gate < want["gate"]:
            read = ReadFact(want["key"], want["tool"], want["input"], want["gate"])
            reads[read.key] = read
    return reads


def wake_at(state: State) -> datetime | None:
    """When time alone changes something: the end of the wall clock, of the step, or of the grace period."""
    if state.status is not Status.RUNNING or state.clock_at is None:
        return None
    moments = []
    if state.limits.wall_clock is not None and state.ending is None:
        moments.append(state.clock_at + state.limits.wall_clock - state.used.active)
    if state.limits.step_time is not None and _step_clock_runs(state):
        moments.append(state.clock_at + state.limits.step_time - state.used.step_active)
    if state.ending is None:
        moments += [call.due_at for call in state.retrying_calls() if call.due_at is not None]
        moments += [one.counts_at for one in state.open_requests() if one.counts_at is not None]
    if state.ending_at is not None and state.limits.grace is not None and in_grace(state):
        moments.append(state.ending_at + state.limits.grace)
    return min(moments, default=None)


def in_grace(state: State) -> bool:
    """Whether running calls may still end by themselves, although the session was cancelled."""
    return state.ending == Status.CANCELLED and "grace" not in state.crossed


def _step_clock_runs(state: State) -> bool:
    return state.step_phase is not StepPhase.IDLE and state.ending is None and "step_time" not in state.crossed


def _run(call: Call, bundle: Bundle) -> RunTool:
    tool = bundle.tools[call.name]
    # what was declared for the policy's sake is no business of the tool's
    given = {name: value for name, value in call.input.items() if name not in tool.declared}
    return RunTool(call.id, call.name, given, call.attempt, call.full_key, tool.timeout)
