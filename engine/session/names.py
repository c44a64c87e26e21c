"""The names that expressions may use: their types at load, their values at run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engine.policy import types as t
from engine.session.evolve import result_entry
from engine.session.state import Call, State

LIMIT_COUNTS = ("steps", "calls", "fact_reads", "repairs")

_NOT_OK = t.Text(frozenset({"retryable_error", "blocked", "terminal_error", "unknown"}))


@dataclass(frozen=True, slots=True)
class ToolTypes:
    """What the schemas say of one tool's input and output."""

    input: t.Type
    output: t.Type


class Names(Mapping[str, Any]):
    """Names whose values are made when they are first asked for."""

    __slots__ = ("_makers", "_values")

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        self._makers = makers
        self._values: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            self._values[name] = self._makers[name]()
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class PerTool(dict[str, Any]):
    """A list for every tool: empty for those without a call."""

    def __missing__(self, tool: str) -> list[Any]:
        return []


# -- types


def session_scope(attributes: t.Type, tools: Mapping[str, ToolTypes]) -> dict[str, t.Type]:
    """The names that every expression of a session may use."""
    return {
        "session": attributes,
        "now": t.DATETIME,
        "messages": t.ListOf(t.TEXT),
        "calls": _per_tool(tools, lambda types: _called(types)),
        "step": t.record("field", "", number=t.NUMBER, calls=t.ListOf(_in_step())),
        "budget": _budget_type(),
    }


def meters_type(names: Iterable[str]) -> t.Type:
    """What rules see of an agent's meters: what this session's own calls have added, the limit, and what is left."""
    counted = t.record("field", "", used=t.NUMBER, limit=t.NUMBER, left=t.NUMBER)
    return t.Record({name: t.Field(counted) for name in names}, "limit")


def gate_scope(attributes: t.Type, tools: Mapping[str, ToolTypes], tool: str) -> dict[str, t.Type]:
    """The names that a rule may use for a call of one tool, params, meters and facts aside."""
    call = t.record("field", "", name=t.Text(frozenset(tools)), id=t.TEXT, proposed_at=t.DATETIME)
    denied = _per_tool(tools, lambda types: t.record("field", "", input=types.input, at=t.DATETIME))
    history = {"seen": _per_tool(tools, lambda types: _called(types)), "denied": denied}
    return {**session_scope(attributes, tools), **history, "input": tools[tool].input, "call": call}


def planner_scope(attributes: t.Type, tools: Mapping[str, ToolTypes]) -> dict[str, t.Type]:
    """The names that a decision table may use: also `results`, this turn's results whatever their status."""
    return {**session_scope(attributes, tools), "results": _per_tool(tools, lambda types: _resulted(types))}


def stop_scope(attributes: t.Type, tools: Mapping[str, ToolTypes]) -> dict[str, t.Type]:
    """The names that a stop condition may use."""
    call = t.record("field", "", id=t.TEXT, name=t.TEXT, input=t.MapOf(t.UNKNOWN))
    decision = t.record("field", "", message=t.TEXT, tool_calls=t.ListOf(call), done=t.BOOLEAN)
    scope = session_scope(attributes, tools)
    return {
        **{name: scope[name] for name in ("session", "messages", "calls", "budget", "step", "now")},
        "decision": decision,
    }


def _per_tool(tools: Mapping[str, ToolTypes], item: Callable[[ToolTypes], t.Type]) -> t.Record:
    return t.Record({name: t.Field(t.ListOf(item(types))) for name, types in tools.items()}, "tool")


def _called(types: ToolTypes) -> t.Type:
    return t.record("field", "", input=types.input, output=types.output, at=t.DATETIME)


def _resulted(types: ToolTypes) -> t.Type:
    told = {"id": t.TEXT, "input": types.input, "reason": t.TEXT, "message": t.TEXT}
    good = t.record("field", "", **told, status=t.Text(frozenset({"ok"})), output=types.output)
    bad = t.record("field", "", **told, status=_NOT_OK, output=t.NULL)
    return t.union((good, bad))


def _in_step() -> t.Type:
    return t.record("field", "", id=t.TEXT, name=t.TEXT, input=t.MapOf(t.UNKNOWN), status=t.TEXT, reason=t.TEXT)


def _budget_type() -> t.Type:
    counted = t.record("field", "", used=t.NUMBER, limit=t.union((t.NUMBER, t.NULL)), left=t.union((t.NUMBER, t.NULL)))
    span = t.union((t.DURATION, t.NULL))
    timed = t.record("field", "", used=t.DURATION, limit=span, left=span)
    return t.record("limit", "", **dict.fromkeys(LIMIT_COUNTS, counted), wall_clock=timed)


# -- values


def session_names(state: State) -> dict[str, Callable[[], Any]]:
    """How to make each name of `session_scope`."""
    return {
        "session": lambda: state.attributes,
        "now": lambda: state.now,
        "messages": lambda: list(state.messages),
        "calls": lambda: _successful(state),
        "step": lambda: {"number": state.step, "calls": [_step_call(call) for call in state.step_calls()]},
        "budget": lambda: _budget(state),
    }


def gate_names(state: State, call: Call) -> Names:
    """The values for judging a call."""
    about = {"name": call.name, "id": call.id, "proposed_at": call.proposed_at}
    history = {"seen": lambda: _seen(state), "denied": lambda: _denied(state), "meters": lambda: _meters(state)}
    return Names({**session_names(state), **history, "input": lambda: call.input, "call": lambda: about})


def planner_names(state: State) -> Names:
    """The values for a decision table."""
    return Names({**session_names(state), "results": lambda: _results(state)})


def stop_names(state: State) -> Names:
    """The values for a stop condition."""
    return Names({**session_names(state), "decision": lambda: state.decision or EMPTY_DECISION})


EMPTY_DECISION: Mapping[str, Any] = {"message": "", "tool_calls": [], "done": False}


def _successful(state: State) -> PerTool:
    return PerTool((tool, log.all()) for tool, log in state.succeeded.items())


def _seen(state: State) -> PerTool:
    """Successful calls and the runtime's own reads, oldest first."""
    return PerTool((tool, log.all()) for tool, log in state.seen.items())


def _denied(state: State) -> PerTool:
    """Calls that a person denied, oldest first."""
    found = PerTool()
    for refusal in state.refusals:
        found.setdefault(refusal["tool"], []).append({"input": refusal["input"], "at": refusal["at"]})
    return found


def _results(state: State) -> PerTool:
    """What came of the turn's calls so far, in the planner's order."""
    found = PerTool((tool, log.all()) for tool, log in state.resulted.items())
    for call in state.calls.open.values():
        if call.ended:
            found.setdefault(call.name, []).append(result_entry(call))
    return found


def _step_call(call: Call) -> dict[str, Any]:
    result = call.result
    status = result.status if result is not None else ""
    return {
        "id": call.id,
        "name": call.name,
        "input": call.input,
        "status": status,
        "reason": result.reason if result is not None else "",
    }


def _meters(state: State) -> dict[str, Any]:
    return {name: _left(state.used.meter(name), limit) for name, limit in state.limits.meters.items()}


def _budget(state: State) -> dict[str, Any]:
    counts = {name: _left(getattr(state.used, name), getattr(state.limits, name)) for name in LIMIT_COUNTS}
    return {**counts, "wall_clock": _left(state.used.active, state.limits.wall_clock, timedelta(0))}


def _left(used: Any, limit: Any, nothing: Any = 0) -> dict[str, Any]:
    return {"used": used, "limit": limit, "left": None if limit is None else max(limit - used, nothing)}
