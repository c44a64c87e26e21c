"""A past session under other limits: where one would have been crossed, and where one that was would not have been.

Meters that sessions share are left out, since what the others had added is not in a session's log; and new ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.language.arithmetic import EvaluationError, add
from engine.language.value import duration
from engine.policy.flip_names import ALLOW, APPROVAL, DENY
from engine.session.decide.proposals import crossed_limit
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import evolve
from engine.session.state.state import Call, State, Status
from engine.spec.bundle import Agent
from engine.spec.limits import LIMITS, REVIEW, Form, Limits

_PLAIN = tuple(name for name, limit in LIMITS.items() if limit.in_logs)
_TIMES = tuple(name for name in _PLAIN if LIMITS[name].form is Form.TIME)


@dataclass(frozen=True, slots=True)
class Crossing:
    """A limit that is crossed now and was not, or was and is no more: at which event, by which call if by one."""

    limit: str
    seq: int
    before: str
    after: str
    call: Call | None = None


def crossings(log: Sequence[Event], agent: Agent) -> Iterator[Crossing]:
    """The first of each limit that differs from the session's own; raises BrokenHistory."""
    own = Limits.from_payload(log[0].payload["limits"])
    other = _Other(own, agent)
    if not other.names:
        return
    told: set[tuple[str, str, str]] = set()
    state: State | None = None
    for number, event in enumerate(log):
        before, state = state, evolve(state, event)
        if before is None:
            continue
        for found in other.at(before, state, event, log[number + 1 : number + 3]):
            # each way of each limit, and of limits by tool for each tool
            by_tool = found.call.name if found.call is not None and found.limit == "calls_per_tool" else ""
            way = found.limit, found.after, by_tool
            if way not in told:
                told.add(way)
                yield found


class _Other:
    """The limits of another bundle's agent, and which of them differ."""

    def __init__(self, own: Limits, agent: Agent) -> None:
        self._limits = agent.limits
        self._agent = agent
        self._taken_in = 0
        meters = [meter.name for meter in agent.meters if not meter.per]
        self.names = {name for name in _PLAIN if getattr(own, name) != getattr(agent.limits, name)}
        self.names |= {f"meters.{m}" for m in meters if own.meters.get(m) != agent.limits.meters.get(m)}
        self.names |= {f"meters.{meter}" for meter in own.meters if meter not in agent.limits.meters}
        if any(own.per_tool(tool) != agent.limits.per_tool(tool) for tool in agent.tools):
            self.names.add("calls_per_tool")

    def at(self, before: State, state: State, event: Event, rest: Sequence[Event]) -> Iterator[Crossing]:
        """What an event crosses under these limits and did not, or the other way round; `rest` are the next two."""
        if event.kind is EventKind.LIMIT_CROSSED:
            yield from self._no_more(state, event, rest)
            return
        for name, call in self._crossed(before, state, event, rest):
            if name in self.names and name not in state.crossed:
                asks = self._limits.crossed_by(name) == REVIEW
                yield Crossing(name, event.seq, ALLOW, APPROVAL if asks else DENY, call)

    def _crossed(
        self, before: State, state: State, event: Event, rest: Sequence[Event]
    ) -> Iterator[tuple[str, Call | None]]:
        limits, payload = self._limits, event.payload
        if event.kind is EventKind.STEP_STARTED:
            self._taken_in = 0
            if limits.steps is not None and before.used.steps >= limits.steps:
                yield "steps", None
        elif event.kind is EventKind.CALL_PROPOSED and not _refused(payload["call_id"], rest):
            call = state.calls[payload["call_id"]]
            found = crossed_limit(limits, state.used, call.name, self._taken_in)
            self._taken_in += 1
            if found is not None:
                yield found[0], call
        elif event.kind in (EventKind.CALL_STARTED, EventKind.JOB_ENQUEUED) and payload["reserved"]:
            call = state.calls[payload["call_id"]]
            yield from ((name, call) for name in self._full(before, call))
        elif event.kind is EventKind.QUESTION_RESERVED:
            for name, more in (("model_tokens", payload["tokens"]), ("model_cost_usd", payload["cost_usd"])):
                limit = getattr(limits, name)
                if limit is not None and add(getattr(before.used, name), more) > limit:
                    yield name, None
        if state.status is Status.RUNNING and before.ending is None:
            for name in _TIMES:
                limit = getattr(limits, name)
                if limit is not None and getattr(state.used, LIMITS[name].counted) >= limit:
                    yield name, None

    def _full(self, state: State, call: Call) -> Iterator[str]:
        """The session's own meters that a call would go beyond."""
        for meter in self._agent.meters:
            if meter.per or call.name not in meter.amount:
                continue
            try:
                amount = meter.amount[call.name].value({"input": call.input, "session": state.attributes})
            except EvaluationError:
                continue
            limit = self._limits.meters[meter.name]
            if limit is not None and add(state.used.meter(meter.name), amount) > limit:
                yield f"meters.{meter.name}"

    def _no_more(self, state: State, event: Event, rest: Sequence[Event]) -> Iterator[Crossing]:
        """A limit that was crossed, and would have had room."""
        name, p = event.payload["limit"], event.payload
        if name not in self.names:
            return
        call = _next_call(state, rest) if "tool" in p else None
        if name == "calls_per_tool":
            limit: Any = self._limits.per_tool(p["tool"])
        elif name.startswith("meters."):
            limit = self._limits.meters.get(name.removeprefix("meters."))
            if call is not None and name in self._full(state, call):
                return
        else:
            limit = getattr(self._limits, name)
        if limit is None or limit > _span(p["allowed"], name):
            asked = p.get("crossing") == REVIEW
            yield Crossing(name, event.seq, APPROVAL if asked else DENY, ALLOW, call)


def _span(allowed: Any, name: str) -> Any:
    """What was allowed, as these limits are written: times stand in the log in seconds."""
    return duration(f"{allowed}s") if name in _TIMES else allowed


def _refused(call_id: str, rest: Sequence[Event]) -> bool:
    """Whether a call was not taken in: it did not fit, was beyond a limit, or came on the last turn."""
    for event in rest:
        if event.kind is EventKind.TOOL_RESULT and event.payload["call_id"] == call_id:
            return event.payload["reason"] in ("invalid_input", "limit_of_calls", "finishing")
    return False


def _next_call(state: State, rest: Sequence[Event]) -> Call | None:
    event = next((event for event in rest if "call_id" in event.payload), None)
    return state.calls.get(event.payload["call_id"]) if event is not None else None
