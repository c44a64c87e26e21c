"""The names that expressions may use: their types at load, their values at run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from engine.language import types
from engine.language.expression import Expression
from engine.language.functions import PROVENANCE
from engine.language.provenance.origins import CUSTOMER, SESSION, TRUSTED, UNTRUSTED, Evidence, Origins
from engine.language.schema_types import property_names
from engine.policy.bindings import SHARED_METERS, value_of_let
from engine.session import customer_texts as texts
from engine.session.handles import Handles
from engine.session.shared_meters import shared_questions
from engine.session.state.events.parts import result_entry
from engine.session.state.state import Call, Phase, State
from engine.spec.bundle import Agent, Bundle, Meter, Tool
from engine.spec.limits import LIMITS, Form

_NOT_OK = types.Text(frozenset({"retryable_error", "blocked", "terminal_error", "unknown"}))


@dataclass(frozen=True, slots=True)
class ToolTypes:
    """What the schemas say of one tool's input and output."""

    input: types.Type
    output: types.Type


class AllTools(dict[str, ToolTypes]):
    """The types of all tools of a bundle, with what expressions see of their calls, made once."""

    @cached_property
    def called(self) -> types.Record:
        """Successful calls by tool."""
        return _per_tool(self, _called)

    @cached_property
    def denied(self) -> types.Record:
        """Calls that a person denied, by tool."""
        return _per_tool(self, lambda tool_types: types.record("field", "", input=tool_types.input, at=types.DATETIME))

    @cached_property
    def resulted(self) -> types.Record:
        """Results by tool, whatever their status."""
        return _per_tool(self, _resulted)


def _all(tools: Mapping[str, ToolTypes]) -> AllTools:
    return tools if isinstance(tools, AllTools) else AllTools(tools)


_NO_LETS: Mapping[str, Expression] = {}


class Names(Mapping[str, Any]):
    """Names whose values are made when they are first asked for: `makers` of the state, `lets` of the other names.

    `given` are there from the start.
    """

    __slots__ = ("_lets", "_makers", "_state", "_values")

    def __init__(
        self,
        state: State,
        makers: Mapping[str, Callable[[State], Any]],
        given: dict[str, Any] | None = None,
        lets: Mapping[str, Expression] = _NO_LETS,
    ) -> None:
        self._state = state
        self._makers = makers
        self._lets = lets
        self._values = given if given is not None else {}

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            let = self._lets.get(name)
            made = self._makers[name](self._state) if let is None else value_of_let(name, lambda: let.value(self))
            self._values[name] = made
            return made

    def __iter__(self) -> Iterator[str]:
        return iter({**self._makers, **self._lets, **self._values})

    def __len__(self) -> int:
        return len({**self._makers, **self._lets, **self._values})


class PerTool(dict[str, Any]):
    """A list for every tool: empty for those without a call."""

    def __missing__(self, tool: str) -> list[Any]:
        return []


# -- types


def session_scope(attributes: types.Type, tools: Mapping[str, ToolTypes]) -> dict[str, types.Type]:
    """The names that every expression of a session may use."""
    return {
        "session": attributes,
        "now": types.DATETIME,
        "messages": types.ListOf(types.TEXT),
        "calls": _all(tools).called,
        "step": types.record("field", "", number=types.NUMBER, calls=types.ListOf(_in_step())),
        "budget": _budget_type(),
    }


def meters_type(meters: Iterable[Meter], tool: str = "") -> types.Type:
    """What rules see of an agent's meters: what this session's own calls have added, the limit, and what is left.

    Of one that sessions share and to which calls of the tool add, the same of all of them.
    """
    counts = dict.fromkeys(("used", "limit", "left"), types.NUMBER)
    own = types.record("field", "", **counts)
    both = types.record("field", "", **counts, shared=own)
    shares = {meter.name for meter in meters if tool in meter.per or (not tool and meter.per)}
    return types.Record({m.name: types.Field(both if m.name in shares else own) for m in meters}, "limit")


def gate_scope(attributes: types.Type, tools: Mapping[str, ToolTypes], tool: str) -> dict[str, types.Type]:
    """The names that a rule may use for a call of one tool, params, meters and facts aside."""
    call = types.record("field", "", name=types.Text(frozenset(tools)), id=types.TEXT, proposed_at=types.DATETIME)
    tools = _all(tools)
    history = {"seen": tools.called, "denied": tools.denied}
    words = {"input": tools[tool].input, "call": call, PROVENANCE: types.UNKNOWN}
    return {**session_scope(attributes, tools), **history, **words}


def any_call_scope(attributes: types.Type, tools: Mapping[str, ToolTypes]) -> dict[str, types.Type]:
    """The same for a call of whichever tool."""
    history = {"seen": _all(tools).called, "denied": _all(tools).denied}
    return {
        **session_scope(attributes, tools),
        **history,
        **dict.fromkeys(("input", "call", PROVENANCE), types.UNKNOWN),
    }


def planner_scope(attributes: types.Type, tools: Mapping[str, ToolTypes]) -> dict[str, types.Type]:
    """The names that a decision table may use: also `results`, this turn's results whatever their status."""
    return {**session_scope(attributes, tools), "results": _all(tools).resulted}


def let_scope(attributes: types.Type, tools: Mapping[str, ToolTypes]) -> dict[str, types.Type]:
    """The names that an agent's `let` may use: what both a decision table and a stop condition know."""
    table, stop = planner_scope(attributes, tools), stop_scope(attributes, tools)
    return {name: known for name, known in table.items() if name in stop}


def stop_scope(attributes: types.Type, tools: Mapping[str, ToolTypes]) -> dict[str, types.Type]:
    """The names that a stop condition may use."""
    call = types.record("field", "", id=types.TEXT, name=types.TEXT, input=types.MapOf(types.UNKNOWN))
    decision = types.record("field", "", message=types.TEXT, tool_calls=types.ListOf(call), done=types.BOOLEAN)
    scope = session_scope(attributes, tools)
    return {
        **{name: scope[name] for name in ("session", "messages", "calls", "budget", "step", "now")},
        "decision": decision,
        "results": _all(tools).resulted,
    }


def _per_tool(tools: Mapping[str, ToolTypes], item: Callable[[ToolTypes], types.Type]) -> types.Record:
    return types.Record(
        {name: types.Field(types.ListOf(item(tool_types))) for name, tool_types in tools.items()}, "tool"
    )


def _called(tool_types: ToolTypes) -> types.Type:
    return types.record("field", "", input=tool_types.input, output=tool_types.output, at=types.DATETIME)


def _resulted(tool_types: ToolTypes) -> types.Type:
    told = {"id": types.TEXT, "input": tool_types.input, "reason": types.TEXT, "message": types.TEXT}
    good = types.record("field", "", **told, status=types.Text(frozenset({"ok"})), output=tool_types.output)
    bad = types.record("field", "", **told, status=_NOT_OK, output=types.NULL)
    return types.union((good, bad))


def _in_step() -> types.Type:
    return types.record(
        "field",
        "",
        id=types.TEXT,
        name=types.TEXT,
        input=types.MapOf(types.UNKNOWN),
        status=types.TEXT,
        reason=types.TEXT,
    )


def _budget_type() -> types.Type:
    counted = types.record(
        "field",
        "",
        used=types.NUMBER,
        limit=types.union((types.NUMBER, types.NULL)),
        left=types.union((types.NUMBER, types.NULL)),
    )
    span = types.union((types.DURATION, types.NULL))
    timed = types.record("field", "", used=types.DURATION, limit=span, left=span)
    seen = {name: timed if limit.form is Form.TIME else counted for name, limit in LIMITS.items() if limit.may_see}
    return types.record("limit", "", **seen)


# -- values


def gate_names(state: State, call: Call, bundle: Bundle) -> Names:
    """The values for judging a call; the bundle's tools say whose outputs are trusted."""
    about = {"name": call.name, "id": call.id, "proposed_at": call.proposed_at}
    own = {
        PROVENANCE: lambda state: origins_of(state, call, bundle),
        SHARED_METERS: lambda state: shared_questions(state, call, bundle.agents[state.agent]),
    }
    return Names(state, {**_GATE, **own}, {"input": call.input, "call": about})


def key_names(state: State, input_: Mapping[str, Any]) -> Names:
    """The values for an idempotency key."""
    return Names(state, {}, {"input": input_, "session": state.attributes})


def planner_names(state: State, bundle: Bundle, handles: Handles | None) -> Names:
    """The values for a decision table, with handles for the sensitive ones, as the bundle's schemas mark them."""
    agent = bundle.agents[state.agent]
    if handles is None:
        return Names(state, {**_SESSION, "results": lambda state: _results_told(state, agent)}, lets=agent.lets)
    hiding = _Hiding(handles, bundle.tools)
    makers: dict[str, Callable[[State], Any]] = {
        "session": lambda state: handles.hidden(dict(state.attributes), agent.attributes),
        "messages": lambda state: handles.within(list(state.messages)),
        "calls": lambda state: hiding.entries(_successful(state)),
        "results": lambda state: hiding.entries(_results_told(state, agent)),
        "step": lambda state: {
            "number": state.step,
            "calls": [hiding.entry(_step_call(call), call.name) for call in state.step_calls()],
        },
    }
    return Names(state, {**_SESSION, **makers}, lets=agent.lets)


@dataclass(frozen=True, slots=True)
class _Hiding:
    """Calls without what their tools' schemas call sensitive."""

    handles: Handles
    tools: Mapping[str, Tool]

    def entries(self, found: PerTool) -> PerTool:
        return PerTool((name, [self.entry(entry, name) for entry in entries]) for name, entries in found.items())

    def entry(self, entry: Mapping[str, Any], name: str) -> dict[str, Any]:
        tool = self.tools.get(name)
        schemas = {"input": tool.input_schema, "output": tool.output_schema or {}} if tool is not None else {}
        return {key: self.handles.hidden(value, schemas.get(key, {})) for key, value in entry.items()}


def stop_names(state: State, agent: Agent) -> Names:
    """The values for a stop condition, and for what the customer is told."""
    return Names(state, {**_STOP, "results": lambda state: _results_told(state, agent)}, lets=agent.lets)


EMPTY_DECISION: Mapping[str, Any] = {"message": "", "tool_calls": [], "done": False}


def _successful(state: State) -> PerTool:
    return PerTool((tool, log.all()) for tool, log in state.succeeded.items())


def _past_calls(state: State) -> PerTool:
    """Successful calls and the runtime's own reads, oldest first."""
    return PerTool((tool, log.all()) for tool, log in state.seen.items())


def _denied(state: State) -> PerTool:
    """Calls that a person denied, oldest first."""
    found = PerTool()
    for refusal in state.refusals:
        found.setdefault(refusal["tool"], []).append({"input": refusal["input"], "at": refusal["at"]})
    return found


def origins_of(state: State, call: Call, bundle: Bundle) -> Origins:
    """Where values come from; keys that a schema of the call or of the session names are no values."""
    named = property_names(bundle.agents[state.agent].attributes)
    fields = named | property_names(bundle.tools[call.name].input_schema)
    return Origins(_evidence(state, bundle.tools, named), fields)


def _evidence(state: State, tools: Mapping[str, Tool], named: frozenset[str]) -> Iterator[Evidence]:
    """All that the session was told, newest first: by its starter, by its customer, and by tools."""
    yield Evidence(SESSION, state.attributes, fields=named)
    yield Evidence(CUSTOMER, list(reversed(state.messages)))
    for name, log in state.seen.items():
        origin = TRUSTED if name in tools and tools[name].trust == TRUSTED else UNTRUSTED
        yield from (Evidence(origin, told["output"], told["input"]) for told in reversed(log.all()))
    for call in state.calls.values():
        if call.result is not None and call.result.status in _FAILED:
            yield Evidence(UNTRUSTED, call.result.message)
    for results in _results(state).values():
        # what a failing tool says may be the words of a stranger
        yield from (Evidence(UNTRUSTED, result["message"]) for result in results if result["status"] in _FAILED)


_FAILED = frozenset({"retryable_error", "terminal_error", "unknown"})


def _results_told(state: State, agent: Agent) -> PerTool:
    """What came of the turn's calls so far, in the planner's order, each with what a customer may be told of it."""
    return PerTool(
        (tool, [{**entry, "message": texts.of_call(agent, state.attributes, entry)} for entry in entries])
        for tool, entries in _results(state).items()
    )


def _results(state: State) -> PerTool:
    """What came of the turn's calls so far, with the words of the log."""
    found = PerTool((tool, log.all()) for tool, log in state.resulted.items())
    for call in state.calls.open.values():
        if call.ended or (call.phase is Phase.PARKED and call.result is not None):
            found.setdefault(call.name, []).append(result_entry(call))
    return found


def _step_call(call: Call) -> dict[str, Any]:
    result = call.result
    status = result.status.value if result is not None else ""
    return {
        "id": call.id,
        "name": call.name,
        "input": call.input,
        "status": status,
        "reason": result.reason if result is not None else "",
    }


def _meters(state: State) -> dict[str, Any]:
    return {name: _usage(state.used.meter(name), limit) for name, limit in state.limits.meters.items()}


def _budget(state: State) -> dict[str, Any]:
    return {
        name: _usage(
            getattr(state.used, limit.counted),
            getattr(state.limits, name),
            timedelta(0) if limit.form is Form.TIME else 0,
        )
        for name, limit in LIMITS.items()
        if limit.may_see
    }


def _usage(used: Any, limit: Any, nothing: Any = 0) -> dict[str, Any]:
    return {"used": used, "limit": limit, "left": None if limit is None else max(limit - used, nothing)}


_SESSION: Mapping[str, Callable[[State], Any]] = {
    "session": lambda state: state.attributes,
    "now": lambda state: state.now,
    "messages": lambda state: list(state.messages),
    "calls": _successful,
    "step": lambda state: {"number": state.step, "calls": [_step_call(call) for call in state.step_calls()]},
    "budget": _budget,
}
_GATE = {**_SESSION, "seen": _past_calls, "denied": _denied, "meters": _meters}
_STOP = {**_SESSION, "decision": lambda state: state.decision or EMPTY_DECISION}
