"""What a fixture expects against what came: every difference, with the trace around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.policy.value import NotJson, canonical, exact
from engine.session.exit_code import exit_code
from engine.session.state import Call, State
from engine.session.trace import Entry, headline

AROUND = 6


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that does not hold; `around` are lines of the trace near it."""

    what: str
    expected: Any
    came: Any
    around: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.what}: expected {_text(self.expected)}, came {_text(self.came)}"]
        return "\n".join([*lines, *(f"    {line}" for line in self.around)])


class Mistake(Exception):
    """What a fixture asks for can't be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a session left: its state, its trace, how often each tool ran, and the databases.

    `rows` raises Mistake for SQL that a database does not take.
    `shown` is what a call brought as people may see it.
    """

    state: State | None
    trace: Sequence[Entry]
    ran: Mapping[str, int]
    rows: Callable[[str, str], list[list[Any]]]
    shown: Callable[[Call, Any], Any] = lambda call, output: output


def check(expect: Mapping[str, Any], result: Result) -> Iterator[Failure]:
    """Every expectation that does not hold."""
    if result.state is None:
        if set(expect) - {"ran", "never_ran", "rows"}:
            yield Failure("session", "a session", "it could not be started")
    else:
        yield from _about_state(expect, result.state, result.trace)
        for tool in dict.fromkeys(item["tool"] for item in expect.get("calls", ())):
            yield from _about_calls(tool, [i for i in expect["calls"] if i["tool"] == tool], result)
        yield from _about_events(expect.get("events", ()), result.trace)
    for item in expect.get("ran", ()):
        if result.ran.get(item["tool"], 0) != item["times"]:
            yield Failure(f"runs of {item['tool']}", item["times"], result.ran.get(item["tool"], 0))
    for tool in expect.get("never_ran", ()):
        if result.ran.get(tool, 0):
            yield Failure(f"runs of {tool}", 0, result.ran[tool], _around(result.trace, tool))
    for item in expect.get("rows", ()):
        try:
            came = result.rows(item["database"], item["sql"])
        except Mistake as error:
            yield Failure(f"rows of {item['sql']}", item["gives"], str(error))
            continue
        if not same(item["gives"], came):
            yield Failure(f"rows of {item['sql']}", item["gives"], came)


def _about_state(expect: Mapping[str, Any], state: State, trace: Sequence[Entry]) -> Iterator[Failure]:
    came: dict[str, Any] = {
        "state": state.status.value,
        "outcome": state.outcome,
        "exit_code": exit_code(state.status),
        "requests": sorted(request.kind for request in state.open_requests()),
    }
    for name, value in came.items():
        wanted = expect.get(name)
        wanted = sorted(wanted) if isinstance(wanted, list) else wanted
        if wanted is not None and not same(wanted, value):
            yield Failure(name, wanted, value, _last(trace))
    for text in expect.get("message_contains", ()):
        if text not in state.told:
            yield Failure("the message to the user", f"... {text} ...", state.told)
    most = expect.get("steps_at_most")
    if most is not None and state.used.steps > most:
        yield Failure("steps", f"{most} at most", state.used.steps)


def _about_calls(tool: str, wanted: list[Mapping[str, Any]], result: Result) -> Iterator[Failure]:
    """The last calls of a tool, as many as are expected, in the planner's order."""
    assert result.state is not None
    calls = [call for call in result.state.calls.values() if call.name == tool][-len(wanted) :]
    if len(calls) < len(wanted):
        yield Failure(f"calls of {tool}", len(wanted), len(calls), _last(result.trace))
        return
    for item, call in zip(wanted, calls, strict=True):
        for name in ("status", "reason", "rule", "output"):
            came = _came(call, name)
            if name in item and not _fits(item[name], came):
                told = result.shown(call, came) if name == "output" else came
                yield Failure(f"{name} of {tool} ({call.id})", item[name], told, _around(result.trace, tool))


def _came(call: Call, name: str) -> Any:
    return getattr(call.result, name) if call.result is not None else None


def _about_events(wanted: Sequence[Mapping[str, Any]], trace: Sequence[Entry]) -> Iterator[Failure]:
    """The wanted entries in this order, others between."""
    index = 0
    for item in wanted:
        found = next((n for n in range(index, len(trace)) if _fits(item, trace[n])), None)
        if found is None:
            after = tuple(_line(e) for e in trace[max(index - 1, 0) :][: 3 * AROUND])
            yield Failure("events", item, "no such entry" + (f" after entry {index}" if index else ""), after)
            return
        index = found + 1


def _fits(wanted: Any, came: Any) -> bool:
    """Whether a value is as wanted; a map may have more keys than the wanted one."""
    if isinstance(wanted, Mapping):
        return isinstance(came, Mapping) and all(
            key in came and _fits(value, came[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(came, list | tuple) and len(wanted) == len(came) and all(map(_fits, wanted, came))
    return same(wanted, came)


def same(a: Any, b: Any) -> bool:
    """Whether two values are equal as JSON, numbers by what they say."""
    try:
        return canonical(exact(a)) == canonical(exact(b))
    except NotJson:
        return False


def _around(trace: Sequence[Entry], tool: str) -> tuple[str, ...]:
    indices = [n for n, e in enumerate(trace) if e.get("tool") == tool]
    if not indices:
        return _last(trace)
    return tuple(_line(e) for e in trace[max(indices[-1] - AROUND, 0) : indices[-1] + 3])


def _last(trace: Sequence[Entry]) -> tuple[str, ...]:
    return tuple(_line(e) for e in trace[-AROUND:])


def _line(e: Entry) -> str:
    return f"{e['seq']:>4} step {e['step']} {e['kind']}: {headline(e)}"


def _text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else canonical(exact(value))
    except NotJson:
        return str(value)
