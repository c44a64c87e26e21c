"""The names that expressions may use: their types at load, their values at run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from engine.language import types as t
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

_NOT_OK = t.Text(frozenset({"retryable_error", "blocked", "terminal_error", "unknown"}))


@dataclass(frozen=True, slots=True)
class ToolTypes:
    """What the schemas say of one tool's input and output."""

    input: t.Type
    output: t.Type


class AllTools(dict[str, ToolTypes]):
    """The types of all tools of a bundle, with what expressions see of their calls, made once."""

    @cached_property
    def called(self) -> t.Record:
        """Successful calls by tool."""
        return _per_tool(self, _called)

    @cached_property
    def denied(self) -> t.Record:
        """Calls that a person denied, by tool."""
        return _per_tool(self, lambda types: t.record("field", "", input=types.input, at=t.DATETIME))

    @cached_property
    def resulted(self) -> t.Record:
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


def session_scope(attributes: t.Type, tools: Mapping[str, ToolTypes]) -> dict[str, t.Type]:
    """The names that every expression of a session may use."""
    return {
        "session": attributes,
        "now": t.DATETIME,
        "messages": t.ListOf(t.TEXT),
        "calls": _all(tools).called,
        "step": t.record("field", "", number=t.NUMBER, calls=t.ListOf(_in_step())),
        "budget": _budget_type(),
    }


def meters_type(meters: Iterable[Meter], tool: str = "") -> t.Type:
    """What rules see of an agent's meters: what this session's own calls have added, the limit, and what is left.

    Of one that sessions share and to which calls of the tool add, the same of all of them.
    """
    counts = dict.fromkeys(("used", "limit", "left"), t.NUMBER)
    own = t.record("field", "", **counts)
    both = t.record("field", "", **counts, shared=own)
    shares = {meter.name for meter in meters if tool in meter.per or (not tool and meter.per)}
    return t.Record({m.name: t.Field(both if m.name in shares else own) for m in meters}, "limit")


def gate_scope(attributes: t.Type, tools: Mapping[str, ToolTypes], tool: str) -> dict[str, t.Type]:
    """The names that a rule may use for a call of one tool, params, meters and facts aside."""
    call = t.record("field", "", name=t.Text(frozenset(tools)), id=t.TEXT, proposed_at=t.DATETIME)
    tools = _all(tools)
    history = {"seen": tools.called, "denied": tools.denied}
    words = {"input": tools[tool].input, "call": call, PROVENANCE: t.UNKNOWN}
    return {**session_scope(attributes, tools), **history, **words}


def any_call_scope(attributes: t.Type, tools: Mapping[str, ToolTypes]) -> dict[str, t.Type]:
    """The same for a call of whichever tool."""
    history = {"seen": _all(tools).called, "denied": _all(tools).denied}
    return {**session_scope(attributes, tools), **history, **dict.fromkeys(("input", "call", PROVENANCE), t.UNKNOWN)}


def planner_scope(attributes: t.Type, tools: Mapping[str, ToolTypes]) -> dict[str, t.Type]:
    """The names that a decision table may use: also `results`, this turn's results whatever their status."""
    return {**session_scope(attributes, tools), "results": _all(tools).resulted}


def let_scope(attributes: t.Type, tools: Mapping[str, ToolTypes]) -> dict[str, t.Type]:
    """The names that an agent's `let` may use: what both a decision table and a stop condition know."""
    table, stop = planner_scope(attributes, tools), stop_scope(attributes, tools)
    return {name: known for name, known in table.items() if name in stop}


def stop_scope(attributes: t.Type, tools: Mapping[str, ToolTypes]) -> dict[str, t.Type]:
    """The names that a stop condition may use."""
    call = t.record("field", "", id=t.TEXT, name=t.TEXT, input=t.MapOf(t.UNKNOWN))
    decision = t.record("field", "", message=t.TEXT, tool_calls=t.ListOf(call), done=t.BOOLEAN)
    scope = session_scope(attributes, tools)
    return {
        **{name: scope[name] for name in ("session", "messages", "calls", "budget", "step", "now")},
        "decision": decision,
        "results": _all(tools).resulted,
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
    seen = {name: timed if limit.form is Form.TIME else counted for name, limit in LIMITS.items() if limit.may_see}
    return t.record("limit", "", **seen)


# -- values


def gate_names(state: State, call: Call, bundle: Bundle) -> Names:
    """The values for judging a call; the bundle's tools say whose outputs are trusted."""
    about = {"name": call.name, "id": call.id, "proposed_at": call.proposed_at}
    own = {
        PROVENANCE: lambda state: _origins(state, call, bundle),
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


def _seen(state: State) -> PerTool:
    """Successful calls and the runtime's own reads, oldest first."""
    return PerTool((tool, log.all()) for tool, log in state.seen.items())


def _denied(state: State) -> PerTool:
    """Calls that a person denied, oldest first."""
    found = PerTool()
    for refusal in state.refusals:
        found.setdefault(refusal["tool"], []).append({"input": refusal["input"], "at": refusal["at"]})
    return found


def _origins(state: State, call: Call, bundle: Bundle) -> Origins:
    """Where values come from; keys that a schema of the call or of the session names are no values."""
    named = property_names(bundle.agents[state.agent].attributes)
    fields = named | property_names(bundle.tools[call.name].input_schema)
    return Origins(_told(state, bundle.tools, named), fields)


def _told(state: State, tools: Mapping[str, Tool], named: frozenset[str]) -> Iterator[Evidence]:
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
    return {name: _left(state.used.meter(name), limit) for name, limit in state.limits.meters.items()}


def _budget(state: State) -> dict[str, Any]:
    return {
        name: _left(
            getattr(state.used, limit.counted),
            getattr(state.limits, name),
            timedelta(0) if limit.form is Form.TIME else 0,
        )
        for name, limit in LIMITS.items()
        if limit.may_see
    }


def _left(used: Any, limit: Any, nothing: Any = 0) -> dict[str, Any]:
    return {"used": used, "limit": limit, "left": None if limit is None else max(limit - used, nothing)}


_SESSION: Mapping[str, Callable[[State], Any]] = {
    "session": lambda state: state.attributes,
    "now": lambda state: state.now,
    "messages": lambda state: list(state.messages),
    "calls": _successful,
    "step": lambda state: {"number": state.step, "calls": [_step_call(call) for call in state.step_calls()]},
    "budget": _budget,
}
_GATE = {**_SESSION, "seen": _seen, "denied": _denied, "meters": _meters}
_STOP = {**_SESSION, "decision": lambda state: state.decision or EMPTY_DECISION}
