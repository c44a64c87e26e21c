"""A model of the solver as a concrete call: what it is asked with, what the facts say, and what was learnt before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.policy.gate import Missing, judge, withheld
from engine.policy.value import exact, jsonable, timestamp
from engine.policy.verdict import RuleTrace, Verdict
from engine.policy.words import FactNeed, Reading
from engine.proof.encode import Encoder, established_name
from engine.proof.instance import instance
from engine.proof.terms import DATE, DATETIME, EPOCH, MICRO, World
from engine.session.bundle import Agent, Bundle, Tool
from engine.session.history import CALL, Past, past_state
from engine.session.identity import call_digest
from engine.session.names import gate_names
from engine.session.state import Call

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a fact of the policies says: its tool's output, or that it can't be read."""

    name: str
    tool: str
    output: Any
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """A call of a tool in a session: `past` happened before; `output` is what a read gives, where that matters.

    `certain` says that the gate, asked about exactly this, judges as the formulas say.
    """

    agent: str
    tool: str
    input: Mapping[str, Any]
    attributes: Mapping[str, Any]
    facts: tuple[Fact, ...]
    past: tuple[Past, ...]
    now: datetime
    output: Any = None
    certain: bool = False
    verdict: str = ""

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        facts = [
            {"fact": f.name, "tool": f.tool} | ({"error": f.problem} if f.problem else {"output": f.output})
            for f in self.facts
        ]
        past = [{"tool": p.tool, "input": dict(p.input or {}), "output": p.output} for p in self.past]
        told = {
            "agent": self.agent, "tool": self.tool, "input": dict(self.input), "attributes": dict(self.attributes),
            "facts": facts, "past": past, "now": timestamp(self.now), "certain": self.certain,
            "verdict": self.verdict,
        }  # fmt: skip
        return told | ({"output": self.output} if self.output is not None else {})


@dataclass(slots=True)
class _Model:
    """What the solver says, as JSON values."""

    world: World
    model: Any
    texts: dict[int, str] = field(default_factory=dict)
    lengths: dict[int, tuple[int, int | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.texts |= {id_: text for text, id_ in self.world.texts.items()}

    def holds(self, name: str) -> bool:
        return bool(z3.is_true(self.model.eval(z3.Bool(name), model_completion=True)))

    def number(self, term: Any) -> int | Decimal:
        value = self.model.eval(term, model_completion=True)
        if z3.is_algebraic_value(value):
            value = value.approx(6)
        if z3.is_int_value(value):
            return int(value.as_long())
        found = Decimal(value.numerator_as_long()) / Decimal(value.denominator_as_long())
        made: int | Decimal = exact(found)
        return made

    def text(self, term: Any) -> str:
        id_ = int(self.model.eval(term, model_completion=True).as_long())
        if id_ not in self.texts:
            self.texts[id_] = self._invented(id_)
        return self.texts[id_]

    def _invented(self, id_: int) -> str:
        """A text that functions say of what the model says of it, as far as that can be had."""
        term = z3.IntVal(id_)
        known = {
            name: self.model.eval(function(term), model_completion=True)
            for name, function in self.world.functions.items()
        }
        if "is a date" in known and z3.is_true(known["is a date"]) and "date" in known:
            return (EPOCH.date() + timedelta(days=known["date"].as_long())).isoformat()
        if "is a moment" in known and z3.is_true(known["is a moment"]) and "datetime" in known:
            return timestamp(EPOCH + known["datetime"].as_long() * MICRO)
        parts = {"starts_with": "", "contains": "", "glob": "", "ends_with": ""}
        for name, value in known.items():
            found = re.match(r"(\w+)\(_, '(.*)'\)\Z", name)
            if found and z3.is_true(value) and found[1] in parts:
                parts[found[1]] += found[2].replace("*", "").replace("?", "x")
        text = "".join(parts.values()) or f"text{len(self.texts)}"
        if "len" in known:
            length = max(0, min(int(known["len"].as_long()), 2000))
            text = text[:length].ljust(length, "x")
        return text

    def value(self, name: str, type_of: str) -> Any:
        """The value of a symbol that the formulas mention; raises KeyError for one that they do not."""
        value = self.world.symbols[name]
        return self._of_kind(value.kind, value.term)

    def _of_kind(self, kind: str, term: Any) -> Any:
        if kind == "boolean":
            return z3.is_true(self.model.eval(term, model_completion=True))
        if kind == "number":
            return self.number(term)
        if kind == "text":
            return self.text(term)
        amount = int(self.model.eval(term, model_completion=True).as_long())
        if kind == DATE:
            return EPOCH.date() + timedelta(days=amount)
        return EPOCH + amount * MICRO if kind == DATETIME else amount * MICRO


class Maker:
    """Makes witnesses for the calls of one tool."""

    def __init__(self, world: World, bundle: Bundle, agent: Agent, tool: Tool) -> None:
        self._world = world
        self._bundle = bundle
        self._agent = agent
        self._tool = tool

    def witness(self, model: Any) -> Witness:
        """The call that a model tells of; whether the gate judges it so is not known yet."""
        told = _Model(self._world, model)
        tool = self._tool
        input_ = self._object(told, "input", tool.input_schema)
        attributes = self._object(told, "session", self._agent.attributes)
        past = tuple(self._past(told))
        now = self._now(told)
        output = self._whole(told, "output", tool.output_schema) if "output" in self._world.symbols else None
        facts = tuple(self._facts(told))
        return Witness(self._agent.name, tool.name, input_, attributes, facts, past, now, output)

    def _now(self, told: _Model) -> datetime:
        known = self._world.symbols.get("now")
        found = told._of_kind(DATETIME, known.term) if known is not None else START
        assert isinstance(found, datetime), "`now` is a moment"
        return found

    def _object(self, told: _Model, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        found = self._whole(told, name, schema)
        return found if isinstance(found, dict) else {}

    def _whole(self, told: _Model, name: str, schema: Any) -> Any:
        """The value of a symbol and of all its parts that formulas mention; the rest as its schema wants it."""
        symbol = self._world.symbols.get(name)
        if symbol is None:
            return instance(schema)
        if symbol.kind == "null" or told.holds(f"{name} is null"):
            return None
        if symbol.kind in ("boolean", "number", "text", DATE, DATETIME, "duration"):
            return _written(told._of_kind(symbol.kind, symbol.term))
        if symbol.kind == "record":
            return self._fields(told, name, schema)
        if symbol.kind == "list":
            return self._list(told, name, schema)
        return self._opaque(told, name, schema)

    def _fields(self, told: _Model, name: str, schema: Any) -> dict[str, Any]:
        properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
        needed = set(schema.get("required", ())) if isinstance(schema, Mapping) else set()
        found: dict[str, Any] = {}
        for key, inner in properties.items():
            path = f"{name}.{key}"
            if path in self._world.symbols:
                value = self._whole(told, path, inner)
                # null stands for absent where the schema does not want it
                if value is not None or key in needed:
                    found[key] = value
            elif key in needed:
                found[key] = instance(inner)
        return found

    def _list(self, told: _Model, name: str, schema: Any) -> list[Any]:
        length = int(told.model.eval(self._world.symbols[name].length, model_completion=True).as_long())
        inner = schema.get("items", {}) if isinstance(schema, Mapping) else {}
        return [
            self._whole(told, f"{name}[{at}]", inner)
            if f"{name}[{at}]" in self._world.symbols
            else instance(inner, number=at)
            for at in range(min(length, 50))
        ]

    def _opaque(self, told: _Model, name: str, schema: Any) -> Any:
        for kind in ("text", "number", "boolean"):
            known = self._world.symbols.get(f"{name} as {kind}")
            if known is not None:
                return _written(told._of_kind(kind, known.term))
        return instance(schema)

    # -- facts

    def _facts(self, told: _Model) -> Iterator[Fact]:
        """What the reads give that the formulas speak of."""
        done: set[str] = set()
        for policy in self._agent.guards[self._tool.name].policies:
            encoder = Encoder(self._world, self._bundle, self._agent, self._tool, policy)
            for fact in policy.facts.values():
                name = encoder.fact_name(fact)
                if name in done or name not in self._world.symbols or fact.for_each:
                    continue
                done.add(name)
                problem = "it can't be read" if told.holds(f"{name} can't be read") else None
                schema = self._bundle.tools[fact.tool].output_schema
                output = None if problem else self._whole(told, name, schema)
                yield Fact(fact.name, fact.tool, output, problem)

    # -- what was learnt

    def _past(self, told: _Model) -> Iterator[Past]:
        """Calls from which was learnt what the formulas say was learnt."""
        done: set[str] = set()
        guard = self._agent.guards[self._tool.name]
        for policy in (*guard.policies, *guard.promising):
            for name, known in policy.established.items():
                symbol = established_name(policy, name)
                if symbol in done or symbol not in self._world.symbols:
                    continue
                done.add(symbol)
                value = self._whole(told, symbol, {})
                source = next((s for s in known.sources if s.call is not None), None)
                if value is not None and source is not None and source.call is not None:
                    yield _taught(self._bundle, source.call, source.value.text, value)


def _taught(bundle: Bundle, tool: str, path: str, value: Any) -> Past:
    """A call whose input or output, at a path such as `output.user_id`, is the value that was learnt."""
    spec = bundle.tools[tool]
    input_, output = instance(spec.input_schema), instance(spec.output_schema)
    root, *fields = path.split(".")
    holder = {"input": input_, "output": output}
    at: Any = holder
    for key in [root, *fields][:-1]:
        at = at[key] if isinstance(at, dict) and key in at else {}
    if isinstance(at, dict):
        at[[root, *fields][-1]] = value
    return Past(CALL, tool, holder["input"], holder["output"])


def _written(value: Any) -> Any:
    """A value as JSON holds it."""
    return jsonable(value) if isinstance(value, date | timedelta) else value


# -- the gate's word


def reads_of(witness: Witness) -> Callable[[FactNeed], Reading | None]:
    """The facts of a witness, as a gate asks for them: by name, else what the same tool gives to another fact."""
    by_name = {(fact.name, fact.tool): fact for fact in witness.facts}
    by_tool = {fact.tool: fact for fact in witness.facts}

    def find(need: FactNeed) -> Reading | None:
        fact = by_name.get((need.fact, need.tool)) or by_tool.get(need.tool)
        return Reading(fact.output, fact.problem) if fact is not None else Reading(problem="it is not known")

    return find


def names_of(witness: Witness, bundle: Bundle) -> Mapping[str, Any]:
    """What the rules may read when they judge a witness."""
    agent, tool = bundle.agents[witness.agent], bundle.tools[witness.tool]
    digest = call_digest(tool, tool.name, witness.input)
    call = Call("witness", tool.name, witness.input, len(witness.past) + 1, tool.effect, witness.now, digest)
    state = past_state(bundle, agent, witness.past, witness.attributes, witness.now, call)
    return gate_names(state, call, bundle.tools)


def judged_for_real(witness: Witness, bundle: Bundle) -> tuple[Verdict | None, RuleTrace | None]:
    """What the gate says of a witness, and what keeps its result; None where the call does not fit its schema."""
    agent, tool = bundle.agents[witness.agent], bundle.tools[witness.tool]
    if tool.check_input(witness.input) or agent.check_attributes(witness.attributes):
        return None, None
    names, reads = names_of(witness, bundle), reads_of(witness)
    verdict = judge(agent.guards[tool.name], names, reads)
    if isinstance(verdict, Missing):
        return None, None
    kept = withheld(agent.guards[tool.name], names, witness.output, reads) if tool.effect == "read" else None
    return verdict, kept
