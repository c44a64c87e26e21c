"""Cases of `engine judge`: a call after a history, read from JSON and held against the bundle.

What nobody understands of a case is told, and no such case is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engine.diagnostic import did_you_mean
from engine.language.value import one_line
from engine.policy.rule import CUSTOMER, Effect
from engine.session.judge import CALL, CONFIRMED, FACT_READ, MESSAGE, NOTHING_GIVEN, JudgedCall, PriorEvent, judge_after
from engine.spec.bundle import READ, Agent, Bundle, Tool

# what each part holds, by its key: a type, and how it is called
Parts = Mapping[str, tuple[type | tuple[type, ...], str]]

_TEXT, _OBJECT, _LIST, _ANY = (str, "a text"), (Mapping, "an object"), (list, "a list"), (object, "anything")

_CASE: Parts = {
    "id": _ANY,
    "session": _OBJECT,
    "tool": _TEXT,
    "args": _OBJECT,
    "prior": _LIST,
    "output": _ANY,
    "expect": _OBJECT,
}
_EXPECT: Parts = {"verdict": _TEXT, "rules": _LIST, "approvers": _LIST, "satisfied": (bool, "true or false")}
_RUN: Parts = {"event": _TEXT, "tool": _TEXT, "args": _OBJECT, "output": _ANY, "error": _TEXT, "at": _ANY}
_ENTRIES: Mapping[str, Parts] = {
    CALL: _RUN,
    FACT_READ: _RUN,
    MESSAGE: {"event": _TEXT, "text": _TEXT, "at": _ANY},
    CONFIRMED: {"event": _TEXT, "tool": _TEXT, "args": _OBJECT, "at": _ANY},
}

# moments that others can be reckoned from
YEARS = range(1900, 3000)


class MalformedCase(ValueError):
    """A case that can't be judged; `problems` say what is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Case:
    """A call after a history; `output` is what a read gave, `expect` what must come out, where that is said."""

    tool: str
    args: Mapping[str, Any]
    session: Mapping[str, Any]
    past: tuple[PriorEvent, ...]
    output: Any
    expect: Mapping[str, Any] | None

    def judged(self, bundle: Bundle, agent: Agent, now: datetime) -> JudgedCall:
        """What the gate says."""
        return judge_after(bundle, agent, self.past, self.session, self.tool, self.args, now, self.output)

    def differences(self, came: JudgedCall) -> list[str]:
        """What is not as expected."""
        told = {
            "verdict": came.verdict,
            "rules": sorted(came.rules),
            "approvers": sorted(came.ask_groups),
            "satisfied": came.satisfied,
        }
        wanted = {
            key: sorted(value) if isinstance(value, list) else value for key, value in (self.expect or {}).items()
        }
        return [
            f"{key}: expected {one_line(value)}, came {one_line(told[key])}"
            for key, value in wanted.items()
            if value != told[key]
        ]


def moment(text: Any) -> datetime:
    """The moment that a text such as `2026-01-31T09:00:00Z` names, without a zone in UTC; raises Malformed."""
    try:
        found = datetime.fromisoformat(text)
        if found.year in YEARS:
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError):
        pass
    raise MalformedCase([f"{one_line(text)} is no moment such as 2026-01-31T09:00:00Z"])


def read_case(value: Any, bundle: Bundle, agent: Agent) -> Case:
    """A case from JSON; raises Malformed, first for its form, and then for what it speaks of."""
    problems = list(_form(value))
    if problems:
        raise MalformedCase(problems)
    given = {key: part for key, part in value.items() if part is not None or key == "output"}
    past = tuple(_past(entry) for entry in given.get("prior", ()))
    case = Case(
        given["tool"],
        given.get("args", {}),
        given.get("session", {}),
        past,
        given.get("output", NOTHING_GIVEN),
        given.get("expect"),
    )
    problems = [*_about_case(case, bundle, agent), *_about_past(past, bundle, agent)]
    if problems:
        raise MalformedCase(problems)
    return case


# -- form


def _form(value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping) or not isinstance(value.get("tool"), str):
        yield 'it must be an object with a "tool"'
        return
    yield from _parts(value, _CASE)
    prior, expect = value.get("prior"), value.get("expect")
    for number, entry in enumerate(prior if isinstance(prior, list) else [], 1):
        yield from (f"entry {number} of prior {problem}" for problem in _form_of_entry(entry))
    if isinstance(expect, Mapping):
        yield from (f"`expect`: {problem}" for problem in _form_of_expect(expect))


def _parts(owner: Mapping[str, Any], parts: Parts) -> Iterator[str]:
    """The keys that nobody knows, and the parts that are something else; null stands for a part that is not there."""
    for key, value in owner.items():
        if key not in parts:
            yield f"unknown key {one_line(key)}; {did_you_mean(key, parts)}"
        elif value is not None and not isinstance(value, parts[key][0]):
            yield f"`{key}` must be {parts[key][1]}"


def _form_of_entry(entry: Any) -> Iterator[str]:
    event = entry.get("event") if isinstance(entry, Mapping) else None
    if not isinstance(event, str) or event not in _ENTRIES:
        hint = f"; {did_you_mean(event, _ENTRIES)}" if isinstance(event, str) else ""
        yield f"has no event of {CALL}, {FACT_READ}, {MESSAGE} or {CONFIRMED}{hint}"
        return
    yield from (f"({event}): {problem}" for problem in _parts(entry, _ENTRIES[event]))
    if entry.get("at") is not None:
        try:
            moment(entry["at"])
        except MalformedCase as error:
            yield f"({event}): `at`: {error}"
    if event in (CALL, FACT_READ):
        yield from _form_of_run(entry, event)
    elif event == MESSAGE and entry.get("text") is None:
        yield 'is a message without a "text"'
    elif event == CONFIRMED and (entry.get("tool") is None) != (entry.get("args") is None):
        yield 'is a yes to a "tool" without "args"' if entry.get("args") is None else 'has "args" without a "tool"'


def _form_of_run(entry: Mapping[str, Any], event: str) -> Iterator[str]:
    if entry.get("tool") is None:
        yield f'is a {event} without a "tool"'
    if ("output" in entry) == (entry.get("error") is not None):
        yield f'is a {event} that needs either the "output" that it gave or the "error" that it failed with'


def _form_of_expect(expect: Mapping[str, Any]) -> Iterator[str]:
    yield from _parts(expect, _EXPECT)
    if not any(value is not None for value in expect.values()):
        yield f"says nothing; it takes {', '.join(f'`{key}`' for key in _EXPECT)}"
    for key in ("rules", "approvers"):
        value = expect.get(key)
        if isinstance(value, list) and not all(isinstance(one, str) for one in value):
            yield f"`{key}` must be a list of names"


def _past(entry: Mapping[str, Any]) -> PriorEvent:
    at = entry.get("at")
    return PriorEvent(
        entry["event"],
        entry.get("tool") or "",
        entry.get("args") or {},
        entry.get("output"),
        entry.get("error"),
        entry.get("text") or "",
        None if at is None else moment(at),
    )


# -- what it speaks of


def _about_case(case: Case, bundle: Bundle, agent: Agent) -> Iterator[str]:
    yield from (f"`session`: {problem}" for problem in _undeclared(agent.attributes, case.session))
    yield from (f"`session`: {problem}" for problem in agent.check_attributes(case.session))
    tool = bundle.tools.get(case.tool) if case.tool in agent.tools else None
    if tool is None:
        yield f"the agent has no tool {_unknown(case.tool, agent.tools)}"
        return
    yield from _about_args(tool, case.args)
    if case.output is not NOTHING_GIVEN:
        yield from (f"`output`: {problem}" for problem in tool.check_output(case.output))
    guard = agent.guards[tool.name]
    rules = [rule for policy in guard.policies for rule in policy.rules]
    known = {
        "verdict": [effect.value for effect in Effect],
        "rules": [rule.id for rule in rules],
        "approvers": [CUSTOMER, *bundle.reviewers],
    }
    for key, names in known.items():
        wanted = (case.expect or {}).get(key)
        for name in wanted if isinstance(wanted, list) else [] if wanted is None else [wanted]:
            if name not in names:
                yield f"`expect`: `{key}` can't be {_unknown(name, names)}"


def _about_past(past: Sequence[PriorEvent], bundle: Bundle, agent: Agent) -> Iterator[str]:
    reads = [name for name, tool in bundle.tools.items() if tool.effect is READ]
    for number, entry in enumerate(past, 1):
        for problem in _about_entry(entry, bundle, agent, reads):
            yield f"entry {number} of prior ({entry.event}): {problem}"


def _about_entry(entry: PriorEvent, bundle: Bundle, agent: Agent, reads: Sequence[str]) -> Iterator[str]:
    if not entry.tool:
        return
    if entry.event == FACT_READ:
        if entry.tool not in reads:
            yield f"the bundle has no read {_unknown(entry.tool, reads)}"
            return
    elif entry.tool not in agent.tools:
        own = f"; what the runtime reads of its own is a `{FACT_READ}`" if entry.tool in reads else ""
        yield f"the agent has no tool {_unknown(entry.tool, agent.tools)}{own}"
        return
    tool = bundle.tools[entry.tool]
    yield from _about_args(tool, entry.input or {})
    if entry.event != CONFIRMED and entry.error is None:
        yield from (f"`output`: {problem}" for problem in tool.check_output(entry.output))


def _about_args(tool: Tool, args: Mapping[str, Any]) -> Iterator[str]:
    problems = tool.check_input(args)
    if problems:
        problems = [*_undeclared(tool.input_schema, args), *problems]
    yield from (f"`args`: {problem}" for problem in problems)


def _undeclared(schema: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[str]:
    """Fields that a plain record does not declare: no rule can read them, and most often they are misspelt."""
    if not set(schema) <= _PLAIN or schema.get("additionalProperties", False) is not False:
        return
    declared = schema.get("properties", {})
    for name in value:
        if name not in declared:
            yield f"there is no {_unknown(name, declared)}"


# keywords of a record whose fields are all among its properties
_PLAIN = frozenset({"$schema", "type", "properties", "required", "additionalProperties", "title", "description"})


def _unknown(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f"{one_line(name)}; {hint}" if hint else one_line(name)
