"""Every verdict of a log, with the state it was given in; and the same call judged by another bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from engine.language.value import canonical_of_exact
from engine.policy.gate import FactNeed, FactOutput, MissingFacts, judge, withheld
from engine.policy.rule import Guard
from engine.policy.second_person import with_second_person
from engine.policy.verdict import RuleTrace, Verdict
from engine.session.decide.gate_calls import fresh, read_after
from engine.session.expression_names import gate_names
from engine.session.judge import shown_input
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import evolve
from engine.session.state.state import Call, State
from engine.spec.bundle import READ, Bundle


@dataclass(frozen=True, slots=True)
class JudgementPoint:
    """Where a log decides something: the state before it, the call that it is about, and the event that tells it."""

    state: State
    call: Call
    event: Event

    def guard(self, bundle: Bundle) -> Guard | None:
        """What judges the call in a bundle; None if the session's agent, or its tool, is not there."""
        return bundle.guard(self.state.agent, self.call.name)


@dataclass(frozen=True, slots=True)
class Judgement(JudgementPoint):
    """A verdict; `early` is the state in which its gate began, before it read what the verdict goes by."""

    early: State | None = None


class Release(JudgementPoint):
    """A read's result, which may be kept from the planner."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class NotKnown:
    """What can't be said from a log, and why."""

    why: str


def judgements(log: Iterable[Event]) -> Iterator[Judgement | Release]:
    """The verdicts of a log and the results of its reads, in order; raises BrokenHistory."""
    state: State | None = None
    early: dict[str, State] = {}
    for event in log:
        if event.kind is EventKind.GATE_PENDING and state is not None and event.payload["facts"]:
            early.setdefault(event.payload["call_id"], state)
        elif event.kind is EventKind.VERDICT and state is not None:
            call_id = event.payload["call_id"]
            yield Judgement(state, state.calls[call_id], event, early.pop(call_id, None))
        elif event.kind is EventKind.TOOL_RESULT and state is not None and event.payload["final"]:
            call = state.calls[event.payload["call_id"]]
            if call.effect is READ:
                yield Release(state, call, event)
        state = evolve(state, event)


def rejudge(moment: Judgement, bundle: Bundle) -> Verdict | NotKnown:
    """What another bundle says of the call in the same state; facts are what was recorded, and nothing is invented."""
    state, call = moment.state, moment.call
    guard = moment.guard(bundle)
    assert guard is not None, "asked only of tools that the agent has"
    if guard.by_seen and moment.early is not None:
        # rules that need no fact judge before anything is read, and see nothing of what the gate then read
        early = moment.early
        first = early.calls[call.id]
        told = judge(guard, gate_names(early, first, bundle), recorded(early, first, moment.event.at))
        if isinstance(told, Verdict):
            return with_second_person(told, state.draw_key, call.proposed)
    verdict = judge(guard, gate_names(state, call, bundle), recorded(state, call, moment.event.at))
    if isinstance(verdict, MissingFacts):
        given = [(need.tool, shown_input(bundle, need.tool, need.input)) for need in verdict.needs]
        needs = sorted({f"{tool} {canonical_of_exact(shown)}" for tool, shown in given})
        return NotKnown(f"it was not read: {', '.join(needs)}")
    return with_second_person(verdict, state.draw_key, call.proposed)


def recorded(state: State, call: Call, at: datetime) -> Callable[[FactNeed], FactOutput | None]:
    """The facts that a gate can know from a log: those it may use, and those read since the last write in any case."""
    usable = fresh(state, call, at)
    barrier = read_after(state, call)

    def find(need: FactNeed) -> FactOutput | None:
        found = usable(need)
        if found is not None:
            return found
        reading = state.readings.get(need.key)
        if reading is not None and reading.seq > barrier:
            return FactOutput(reading.output, reading.problem)
        # nothing was written yet: what the same read gave to anybody still holds
        return None if barrier else _recorded_fact(state, need)

    return find


def _recorded_fact(state: State, need: FactNeed) -> FactOutput | None:
    log = state.seen.get(need.tool)
    wanted = canonical_of_exact(dict(need.input))
    for entry in reversed(log.all() if log is not None else []):
        if canonical_of_exact(entry["input"]) == wanted:
            return FactOutput(entry["output"])
    return None


def rewithheld(moment: Release, bundle: Bundle) -> RuleTrace | NotKnown | None:
    """The rule of another bundle that keeps a read's result from the planner; None if it is released."""
    state, call, payload = moment.state, moment.call, moment.event.payload
    guard = moment.guard(bundle)
    if guard is None or not guard.releases:
        return None
    missing: list[str] = []
    known = recorded(state, call, moment.event.at)

    def read(need: FactNeed) -> FactOutput | None:
        reading = known(need)
        if reading is None:
            missing.append(need.tool)
        return reading

    kept = withheld(guard, gate_names(state, call, bundle), payload["output"], read)
    return NotKnown(f"it was not read: {', '.join(missing)}") if missing else kept
