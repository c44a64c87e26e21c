"""The events of one session with their sensitive values sealed, field by field (see `session.holds`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from engine.language.value import number_text, one_line
from engine.runtime.cipher import Cipher, Token
from engine.session.handles import SHORTEST, texts
from engine.session.marks import Marks
from engine.session.sealed_tokens import PREFIX, is_sealed
from engine.session.sensitivity import replaced, sensitive_values
from engine.session.state.event import Event, EventKind
from engine.session.state.events.table import EVENTS
from engine.session.state.holds import Holds
from engine.spec.bundle import Agent, Bundle, Tool

Schema = Mapping[str, Any]
NOTHING: Schema = {}

# what was sealed of the fields that the store compares by; those themselves say nothing
CLEAR = "sealed_fields"

# whose key has sealed a session, in its first event
PERSON = "person_key"

# names that rules read which are the engine's or the bundle's
_PLAIN_ROOTS = frozenset({"params", "budget", "now", "meters", "call"})


@dataclass(slots=True)
class Seals:
    """What is known of a session whose values are sealed, and what seals and opens its events."""

    cipher: Cipher
    bundle: Bundle
    agent: Agent
    sealed_texts: set[str] = field(default_factory=set)
    of_call: dict[str, set[str]] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)
    # by call, and of the session itself under "": what is too short to be looked for but as a word
    short: dict[str, set[str]] = field(default_factory=dict)
    # calls that were given a known value, wherever it stands
    holding: set[str] = field(default_factory=set)
    person: str | None = None
    marks: Marks = field(init=False)

    def __post_init__(self) -> None:
        self.marks = Marks(self.agent.attributes, self.agent.meters)

    # -- to the store

    def learn(self, events: Iterable[Event]) -> None:
        """Take in which values are sensitive, before anything that may hold them is sealed."""
        for event in events:
            self._learn(event)

    def _learn(self, event: Event) -> None:
        call_id, name = event.payload.get("call_id"), event.payload.get("tool")
        if isinstance(call_id, str) and isinstance(name, str) and event.kind is EventKind.CALL_PROPOSED:
            self.tools[call_id] = name
        for value in self._marked(event):
            self.sealed_texts |= set(texts(value))
            self.short.setdefault(call_id if isinstance(call_id, str) else "", set()).update(_words_of(value))
            if isinstance(call_id, str):
                self.of_call.setdefault(call_id, set()).update(texts(value, 1))
        if isinstance(call_id, str) and event.kind in (EventKind.CALL_PROPOSED, EventKind.CALL_EDITED):
            given = Sealing(self, event, self._tool(event)).gives_known()
            (self.holding.add if given else self.holding.discard)(call_id)

    def _marked(self, event: Event) -> Iterator[Any]:
        p, tool = event.payload, self._tool(event)
        for name, item in p.items():
            match EVENTS[event.kind].holds(name):
                case Holds.ATTRIBUTES:
                    yield from sensitive_values(item, self.agent.attributes)
                case Holds.INPUT if tool is not None:
                    yield from sensitive_values(item, tool.input_schema)
                case Holds.OUTPUT if tool is not None:
                    yield from sensitive_values(item, tool.output_schema or NOTHING)
                case Holds.ANSWER:
                    happened = item["happened"] if _is_settled(p, item) else item
                    yield from sensitive_values(happened, _output_of(tool))
                case Holds.CALLS:
                    for call in item:
                        yield from self._inputs(call["name"], call["input"])
                case Holds.FACTS:
                    for fact in item:
                        yield from self._inputs(fact["tool"], fact["input"])

    def _inputs(self, name: str, given: Any) -> Iterator[Any]:
        if name in self.bundle.tools:
            yield from sensitive_values(given, self.bundle.tools[name].input_schema)

    def _tool(self, event: Event) -> Tool | None:
        p = event.payload
        name = p["tool"] if isinstance(p.get("tool"), str) else self.tools.get(p.get("call_id") or "")
        return self.bundle.tools.get(name or "")

    def meter_key(self, meter: str, tool: str, key: str) -> str:
        """The key that a tool's calls add to a meter under, as the store knows it."""
        return self.cipher.comparable(key) if self.marks.meter_of(meter, self.bundle.tools[tool]) else key

    def sealed(self, event: Event) -> Event:
        """The event as it is stored."""
        one, known = Sealing(self, event, self._tool(event)), EVENTS[event.kind]
        payload = {name: one.field(known.holds(name), name, item) for name, item in event.payload.items()}
        if one.clear:
            payload[CLEAR] = self.cipher.seal(one.clear)
        if event.kind is EventKind.SESSION_STARTED and self.person is not None:
            payload[PERSON] = self.person
        return replace(event, payload=payload)

    # -- and back

    def opened(self, event: Event) -> Event:
        """The event as it was; raises NotOpened."""
        payload = self.open_value(event.payload)
        # the fields of a summary have the names that a tool gave them
        if event.kind is not EventKind.TOOL_RESULT:
            payload.pop(PERSON, None)
            clear = payload.pop(CLEAR, {})
            payload = {name: clear.get(name, item) for name, item in payload.items()}
        found = replace(event, payload=payload)
        self._learn(found)
        return found

    def open_value(self, value: Any) -> Any:
        """A value with all that is sealed in it opened; raises NotOpened."""
        if is_sealed(value):
            return self.cipher.opened(value)
        if isinstance(value, Mapping):
            return {self.open_value(key): self.open_value(item) for key, item in value.items()}
        return [self.open_value(item) for item in value] if isinstance(value, list | tuple) else value


@dataclass(slots=True)
class Sealing:
    """One event on its way to the store; `clear` are the fields that it compares by, as they were."""

    seals: Seals
    event: Event
    tool: Tool | None
    clear: dict[str, Any] = field(default_factory=dict)

    def field(self, what: Holds, name: str, item: Any) -> Any:
        """A field as it is stored."""
        match what:
            case Holds.OWN:
                return item
            case Holds.KEY | Holds.SCOPE | Holds.COMPARED | Holds.RESERVED:
                stored = self._compared(what, item)
                if stored != item:
                    self.clear[name] = item
                return stored
            case _:
                return self._hidden(what, name, item)

    def _hidden(self, what: Holds, name: str, item: Any) -> Any:
        tool, seals = self.tool, self.seals
        match what:
            case Holds.WHOLE:
                return self.whole(item)
            case Holds.LINES:
                return [self.whole(line) for line in item]
            case Holds.ATTRIBUTES:
                return self.by_schema(item, seals.agent.attributes)
            case Holds.INPUT:
                return self.call_input(self.event.payload.get("tool"), item)
            case Holds.OUTPUT:
                return self.by_schema(item, _output_of(tool))
            case Holds.ANSWER:
                return self._answer(item)
            case Holds.SUMMARY:
                return self.by_schema({name: item}, _output_of(tool))[name]
            case Holds.REPORT:
                own = name == "message" and self.event.payload.get("status") in ("ok", "blocked")
                return self.words(item, by_word=own) if own or not self._may_repeat() else self.whole(item)
            case Holds.CALLS:
                return [{**self.words(call), "input": self.call_input(call["name"], call["input"])} for call in item]
            case Holds.FACTS:
                return [self._fact(fact) for fact in item]
            case Holds.FACT_KEY | Holds.DIGEST:
                return self.whole(item) if seals.marks.input_of(tool) or self.gives_known() else self.words(item)
            case Holds.TRACES:
                return [self._trace(trace, own=name == "rules") for trace in item]
            case Holds.VALUES:
                return {rule: self.rule_values(values) for rule, values in item.items()}
            case Holds.PEOPLE:
                return self.people(item)
            case Holds.DIFFERENCE:
                return [self._change(change) for change in item]
            case _:
                return self.words(item, by_word=name == "message" and self.event.kind in _OF_TEMPLATES)

    # -- by what a field holds

    def call_input(self, name: Any, item: Any) -> Any:
        """A call's input; of a tool that is not there nobody knows what it holds."""
        tool = self.seals.bundle.tools.get(name) if isinstance(name, str) else self.tool
        if tool is None and isinstance(name, str):
            if not isinstance(item, Mapping):
                return self.whole(item)
            return {key: self.whole(value) for key, value in item.items()}
        return self.by_schema(item, tool.input_schema if tool is not None else NOTHING)

    def _answer(self, item: Any) -> Any:
        schema = _output_of(self.tool)
        if _is_settled(self.event.payload, item):
            return {"happened": self.by_schema(item["happened"], schema)}
        return self.by_schema(item, schema)

    def _fact(self, fact: Mapping[str, Any]) -> dict[str, Any]:
        marked = self.seals.marks.input_of(self.seals.bundle.tools.get(fact["tool"]))
        told = {**self.words(fact), "input": self.call_input(fact["tool"], fact["input"])}
        marked = marked or told["input"] != fact["input"]
        return {**told, "key": self.whole(fact["key"])} if marked and "key" in fact else told

    def gives_known(self) -> bool:
        """Whether a call or a read was given something that is known to be sensitive, wherever it stands."""
        p = self.event.payload
        given = p.get("input")
        if isinstance(given, Mapping):
            return bool(self.call_input(p.get("tool"), given) != given)
        return p.get("call_id") in self.seals.holding

    def _may_repeat(self) -> bool:
        """Whether what a tool says of its failure may hold something sensitive, in whatever form."""
        of_call = self.seals.tools.get(self.event.payload.get("call_id") or "")
        marks = self.seals.marks
        if marks.any_of(self.tool) or self.gives_known():
            return True
        # a probe is given what its call was
        return of_call is not None and marks.any_of(self.seals.bundle.tools.get(of_call))

    def _trace(self, trace: Mapping[str, Any], *, own: bool) -> dict[str, Any]:
        told: dict[str, Any] = self.words({name: item for name, item in trace.items() if name not in _NESTED})
        if trace.get("error") and not (own and self._reads_nothing_marked(str(trace.get("policy")))):
            # it may be what a read said of its failure
            told["error"] = self.whole(trace["error"])
        if "values" in trace:
            told["values"] = self.rule_values(trace["values"])
        if "rules" in trace:
            told["rules"] = [self._trace(one, own=own) for one in trace["rules"]]
        return {name: told[name] for name in trace if name in told}

    def rule_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What a rule saw, by name."""
        return {chain: self._value(chain, value) for chain, value in values.items()}

    def _change(self, change: Mapping[str, Any]) -> dict[str, Any]:
        if "rule" not in change:
            # the verdict, or which rules ask
            return {**change}
        sides = {side: self._value(change["what"], change[side]) for side in ("before", "after") if side in change}
        return {**change, **sides}

    def _value(self, chain: str, value: Any) -> Any:
        """What a rule saw under a name: as its schema says, and nothing of what has none."""
        root, *path = chain.split(".")
        if root in _PLAIN_ROOTS:
            return value
        schema = {"input": self.tool.input_schema if self.tool else None, "session": self.seals.agent.attributes}.get(
            root, self._fact_schema(root)
        )
        if schema is None or not all(part.isidentifier() for part in path):
            return self.whole(value)
        around = value
        for part in reversed(path):
            around = {part: around}
        sealed = self.by_schema(around, schema)
        for part in path:
            sealed = sealed[part] if isinstance(sealed, Mapping) else sealed
        return sealed

    def _reads_nothing_marked(self, name: str) -> bool:
        """Whether no read of a policy's facts may be given, or may give, something marked."""
        guard = self.seals.agent.guards.get(self.tool.name) if self.tool is not None else None
        found = [policy for policy in (guard.policies if guard is not None else ()) if policy.name == name]
        tools = [self.seals.bundle.tools.get(fact.tool) for policy in found for fact in policy.facts.values()]
        marks = self.seals.marks
        given = marks.attributes or marks.input_of(self.tool)
        return bool(found) and not (tools and (given or any(map(marks.any_of, tools))))

    def _fact_schema(self, name: str) -> Schema | None:
        """What the one read gives that is called so; None if policies call several so."""
        guard = self.seals.agent.guards.get(self.tool.name) if self.tool is not None else None
        facts = [policy.facts[name] for policy in (guard.policies if guard else ()) if name in policy.facts]
        reads = {fact.tool for fact in facts}
        if len(reads) != 1 or any(fact.for_each for fact in facts) or not reads <= self.seals.bundle.tools.keys():
            return None
        return self.seals.bundle.tools[reads.pop()].output_schema

    def _compared(self, what: Holds, item: Any) -> Any:
        marks, comparable, tool = self.seals.marks, self.seals.cipher.comparable, self.tool
        if item is None or tool is None:
            return item
        match what:
            case Holds.KEY:
                return comparable(item) if marks.key_of(tool) else item
            case Holds.SCOPE:
                return comparable(item) if marks.tenant else item
            case Holds.COMPARED:
                return {name: self._part(name, value, comparable) for name, value in item.items()}
            case _:
                return [
                    {**e, "key": comparable(e["key"])} if "key" in e and marks.meter_of(e["meter"], tool) else e
                    for e in item
                ]

    def _part(self, name: str, value: Any, by: Callable[[Any], Any]) -> Any:
        return replaced({name: value}, self.tool.input_schema if self.tool else NOTHING, by)[name]

    # -- and in the end

    def whole(self, value: Any) -> Any:
        """A value of which nothing may be told; what is empty says nothing."""
        return (
            value
            if value is None or value in ("", [], {}) or isinstance(value, Token)
            else self.seals.cipher.seal(value)
        )

    def by_schema(self, value: Any, schema: Schema) -> Any:
        """A value sealed where its schema marks it, and where it holds what is known to be sensitive."""
        return self.words(replaced(value, schema, self.seals.cipher.seal))

    def words(self, value: Any, *, by_word: bool = False) -> Any:
        """Plain JSON with each text and number sealed as a whole that holds what is known to be sensitive.

        What is short is looked for in what is told of its call; `by_word` as a word too, with that of the session.
        """
        call_id = self.event.payload.get("call_id") or ""
        if by_word and isinstance(value, str):
            short = self.seals.short.get(call_id, _NONE) | self.seals.short.get("", _NONE)
            if not short.isdisjoint(_WORDS.findall(value)):
                return self.whole(value)
        return self._words(value, self.seals.sealed_texts, self.seals.of_call.get(call_id, _NONE))

    def people(self, value: Any) -> Any:
        """Names, however deep: a short one is looked for as a word of what is told of the call."""
        if isinstance(value, Mapping):
            return {name: self.people(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.people(item) for item in value]
        return self.words(value, by_word=True)

    def _words(self, value: Any, known: set[str], about: set[str]) -> Any:
        if isinstance(value, Token | bool) or value is None:
            return value
        if isinstance(value, str):
            # what only looks sealed is sealed like any text that has to be
            hides = value.startswith(PREFIX) or any(part in value for part in known) or any(p in value for p in about)
            return self.seals.cipher.seal(value) if hides else value
        if isinstance(value, int | Decimal):
            return self.seals.cipher.seal(value) if number_text(value) in known else value
        if isinstance(value, Mapping):
            return {self._words(key, known, _NONE): self._words(item, known, about) for key, item in value.items()}
        return [self._words(item, known, about) for item in value] if isinstance(value, list | tuple) else value


_NONE: set[str] = set()
_WORDS = re.compile(r"\w+")

# whose messages are made of templates of the bundle, which say attributes and inputs as they are
_OF_TEMPLATES = frozenset(
    {EventKind.VERDICT, EventKind.TOOL_RESULT, EventKind.REQUEST_OPENED, EventKind.STATE_TRANSITION}
)


def _words_of(value: Any) -> Iterator[str]:
    """What a value that is too short to be found elsewhere is written as: also true and false."""
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _words_of(item)
    elif value is not None:
        text = value if isinstance(value, str) else one_line(value)
        if len(text) < SHORTEST or isinstance(value, bool):
            yield text


_NESTED = frozenset({"values", "rules"})


def _output_of(tool: Tool | None) -> Schema:
    return (tool.output_schema if tool is not None else None) or NOTHING


def _is_settled(answered: Mapping[str, Any], value: Any) -> bool:
    """Whether an answer says what a call brought, and is not itself what stands in the place of an output."""
    settles = answered.get("request_kind", "settle") == "settle"
    return settles and isinstance(value, Mapping) and set(value) == {"happened"}
