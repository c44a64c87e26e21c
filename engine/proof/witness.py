"""A model of the solver as a concrete call: what it is asked with, what the facts say, and what was learnt before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engine.language.arithmetic import EvaluationError
from engine.language.functions import functions_in
from engine.language.value import canonical, timestamp
from engine.policy.bindings import FactNeed, FactOutput
from engine.policy.gate import MissingFacts, judge, withheld
from engine.policy.rule import Fact as PolicyFact
from engine.policy.rule import PolicyRules
from engine.policy.verdict import RuleTrace, Verdict
from engine.proof.encode import Encoder
from engine.proof.forms import forms, only_form, spelt_out
from engine.proof.inline_words import established_name
from engine.proof.instance import instance
from engine.proof.model import SolverModel, written
from engine.proof.name_terms import unreadable_session
from engine.proof.node_table import encoder as encoder_for
from engine.proof.term import DATETIME, LIST, MAP, NULL, OPAQUE, RECORD, SCALARS, TEXT, Term, Unencodable
from engine.proof.terms import SymbolTable
from engine.proof.texts import fits
from engine.session.expression_names import gate_names
from engine.session.identity import call_digest
from engine.session.judge import CALL, PriorEvent, past_state
from engine.session.state.state import Call
from engine.spec.bundle import READ, Agent, Bundle, Tool

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WitnessFact:
    """What a fact of the policies says: its tool's output for an input, or that it can't be read."""

    name: str
    tool: str
    input: Mapping[str, Any]
    output: Any
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """A call of a tool in a session: `past` happened before; `output` is what it `gives`, where that matters.

    `certain` says that the gate, asked about exactly this, judges as the formulas say.
    """

    agent: str
    tool: str
    input: Mapping[str, Any]
    attributes: Mapping[str, Any]
    facts: tuple[WitnessFact, ...]
    past: tuple[PriorEvent, ...]
    now: datetime
    output: Any = None
    gives: bool = False
    certain: bool = False
    verdict: str = ""

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        facts = [
            {"fact": f.name, "tool": f.tool, "input": dict(f.input)}
            | ({"error": f.problem} if f.problem else {"output": f.output})
            for f in self.facts
        ]
        past = [{"tool": p.tool, "input": dict(p.input or {}), "output": p.output} for p in self.past]
        told = {
            "agent": self.agent,
            "tool": self.tool,
            "input": dict(self.input),
            "attributes": dict(self.attributes),
            "facts": facts,
            "past": past,
            "now": timestamp(self.now),
            "certain": self.certain,
            "verdict": self.verdict,
        }
        return told | ({"output": self.output} if self.gives else {})


class WitnessBuilder:
    """Makes witnesses for the calls of one tool."""

    def __init__(self, bundle: Bundle, agent: Agent, tool: Tool, other: tuple[Bundle, Agent] | None = None) -> None:
        """`other` is another bundle that judges the same calls, with its agent of the same name."""
        self._all = [(bundle, agent), *([other] if other is not None else [])]
        self._bundle = bundle
        self._agent = agent
        self._tool = tool
        self._world = SymbolTable()

    def witness(self, world: SymbolTable, model: Any) -> Witness:
        """The call that a model of a world tells of; whether the gate judges it so is not known yet."""
        self._world = world
        told = SolverModel(world, model)
        tool = self._tool
        input_ = self._object(told, "input", spelt_out(tool.input_schema))
        attributes = self._session(told, self._object(told, "session", spelt_out(self._agent.attributes)))
        past = tuple(self._past(told))
        now = self._now(told)
        gives = "output" in self._world.symbols
        output = self._whole(told, "output", spelt_out(tool.output_schema)) if gives else None
        facts = tuple(self._facts(told))
        return Witness(self._agent.name, tool.name, input_, attributes, facts, past, now, output, gives)

    def _session(self, told: SolverModel, found: dict[str, Any]) -> dict[str, Any]:
        """The attributes such that they can be read as a vocabulary says, or, where the model says so, can't be."""
        for _, _, policy in self._policies():
            unreadable = told.holds(unreadable_session(policy))
            for name, word in policy.session.items():
                if isinstance(found.get(name), str):
                    sound = _is(word, found[name], policy)
                    if unreadable:
                        return {**found, name: "not one"}
                    found = found if sound else {**found, name: _SAMPLES.get(word, found[name])}
        return found

    def _now(self, told: SolverModel) -> datetime:
        known = self._world.symbols.get("now")
        found = told.of_kind(DATETIME, known.term) if known is not None else START
        assert isinstance(found, datetime), "`now` is a moment"
        return found

    def _object(self, told: SolverModel, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        found = self._whole(told, name, schema)
        return found if isinstance(found, dict) else {}

    def _whole(self, told: SolverModel, name: str, schema: Any) -> Any:
        """The value of a symbol and of all its parts that formulas mention; the rest as its schema wants it."""
        symbol = self._world.symbols.get(name)
        if symbol is None:
            return instance(schema)
        if symbol.kind == NULL or told.holds(f"{name} is null"):
            check = fits(schema) if symbol.kind == OPAQUE else None
            return None if check is None or check(None) else instance(schema)
        if symbol.kind == TEXT:
            return told.text(symbol.term, schema)
        if symbol.kind in SCALARS:
            return written(told.of_kind(symbol.kind, symbol.term))
        if symbol.kind == RECORD:
            return self._fields(told, name, schema)
        if symbol.kind == LIST:
            return self._list(told, name, schema)
        if symbol.kind == MAP:
            return self._map(told, name, schema)
        return self._opaque(told, name, schema)

    def _fields(self, told: SolverModel, name: str, schema: Any) -> dict[str, Any]:
        schema = only_form(schema)
        properties, needed = schema.get("properties", {}), set(schema.get("required", ()))
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

    def _list(self, told: SolverModel, name: str, schema: Any) -> list[Any]:
        length = int(told.model.eval(self._world.symbols[name].length, model_completion=True).as_long())
        inner = only_form(schema).get("items", {})
        return [
            self._whole(told, f"{name}[{at}]", inner)
            if f"{name}[{at}]" in self._world.symbols
            else instance(inner, number=at)
            for at in range(min(length, 50))
        ]

    def _map(self, told: SolverModel, name: str, schema: Any) -> dict[str, Any]:
        symbol = self._world.symbols[name]
        length = int(told.model.eval(symbol.length, model_completion=True).as_long())
        inner = only_form(schema).get("additionalProperties", {})
        keys = [self._world.symbols[f"{name}.key{at}"] for at in range(length)]
        named = only_form(schema).get("propertyNames")
        return {
            told.text(key.term, named): self._whole(told, f"{name}.value{at}", inner) for at, key in enumerate(keys)
        }

    def _opaque(self, told: SolverModel, name: str, schema: Any) -> Any:
        """What is read as a scalar, or the one of several forms of an object that fits what is read of it."""
        for kind in ("text", "number", "boolean"):
            known = self._world.symbols.get(f"{name} as {kind}")
            if known is not None:
                return told.text(known.term, schema) if kind == TEXT else written(told.of_kind(kind, known.term))
        for form in forms(schema):
            made = self._fields(told, name, form)
            if "properties" in form and all(_fits(made.get(key), inner) for key, inner in form["properties"].items()):
                return made
        return instance(schema)

    # -- facts

    def _facts(self, told: SolverModel) -> Iterator[WitnessFact]:
        """What the reads give that the formulas speak of."""
        done: set[str] = set()
        for bundle, agent, policy in self._policies():
            encoder = encoder_for(self._world, bundle, agent, bundle.tools[self._tool.name], policy)
            for fact in policy.facts.values():
                name = encoder.fact_name(fact)
                if name not in done:
                    done.add(name)
                    yield from self._reads(told, encoder, fact, name)

    def _policies(self) -> Iterator[tuple[Bundle, Agent, PolicyRules]]:
        """All policies that judge the calls, of all bundles."""
        for bundle, agent in self._all:
            guard = agent.guards[self._tool.name]
            for policy in (*guard.policies, *guard.promising):
                yield bundle, agent, policy

    def _reads(self, told: SolverModel, encoder: Encoder, fact: PolicyFact, name: str) -> Iterator[WitnessFact]:
        """The reads of one fact: one, or one for each combination of its variables."""
        problem = "it can't be read" if told.holds(f"{name} can't be read") else None
        read = next(bundle.tools[fact.tool] for bundle, _ in self._all if fact.tool in bundle.tools)
        schema = spelt_out(read.output_schema)
        if not fact.for_each:
            if name in self._world.symbols:
                output = None if problem else self._whole(told, name, schema)
                yield WitnessFact(fact.name, fact.tool, self._read_input(told, encoder, fact, {}), output, problem)
            return
        for at, variables in enumerate(self._combinations(told, encoder, fact)):
            symbol = f"{name}[{at}].{fact.result}"
            if symbol in self._world.symbols and variables is not None:
                output = None if problem else self._whole(told, symbol, schema)
                yield WitnessFact(
                    fact.name, fact.tool, self._read_input(told, encoder, fact, variables), output, problem
                )

    def _combinations(self, told: SolverModel, encoder: Encoder, fact: PolicyFact) -> Iterator[dict[str, Term] | None]:
        """The variables of each read, None for those that the model has not."""
        rows: list[dict[str, Term] | None] = [{}]
        for variable, source in fact.for_each:
            further: list[dict[str, Term] | None] = []
            for row in rows:
                found = encoder.within(source, row or {}).value
                for item in found.items or ():
                    there = row is not None and told.true(item.there)
                    further.append({**(row or {}), variable: item.value} if there else None)
            rows = further
        yield from rows

    def _read_input(
        self, told: SolverModel, encoder: Encoder, fact: PolicyFact, variables: Mapping[str, Term]
    ) -> dict[str, Any]:
        """What a read is asked with, as far as that can be told."""
        found: dict[str, Any] = {}
        for name, expression in fact.input.items():
            try:
                found[name] = told.concrete(encoder.within(expression, variables).value)
            except Unencodable:
                continue
        return found

    # -- what happened before

    def _past(self, told: SolverModel) -> Iterator[PriorEvent]:
        """The calls from which was learnt what the formulas say was learnt, and then those that they speak of."""
        done: set[str] = set()
        for _, _, policy in self._policies():
            for name, known in policy.established.items():
                symbol_name = established_name(policy, name)
                if symbol_name in done or symbol_name not in self._world.symbols:
                    continue
                done.add(symbol_name)
                value = self._whole(told, symbol_name, {})
                source = next((s for s in known.sources if s.call is not None), None)
                if value is not None and source is not None and source.call is not None:
                    yield _taught(self._bundle, source.call, source.value.text, value)
        for tool in self._bundle.tools.values():
            name = f"calls.{tool.name}"
            symbol = self._world.symbols.get(name)
            if symbol is not None and symbol.items is not None:
                length = int(told.model.eval(symbol.length, model_completion=True).as_long())
                for at in range(min(length, len(symbol.items))):
                    input_ = self._object(told, f"{name}[{at}].input", spelt_out(tool.input_schema))
                    output = self._whole(told, f"{name}[{at}].output", spelt_out(tool.output_schema))
                    yield PriorEvent(CALL, tool.name, input_, output)


def _taught(bundle: Bundle, tool: str, path: str, value: Any) -> PriorEvent:
    """A call whose input or output, at a path such as `output.user_id`, is the value that was learnt."""
    spec = bundle.tools[tool]
    # another input than that of a call that happens to be of the same tool
    input_, output = instance(spec.input_schema, number=7), instance(spec.output_schema)
    root, *fields = path.split(".")
    holder = {"input": input_, "output": output}
    at: Any = holder
    for key in [root, *fields][:-1]:
        at = at[key] if isinstance(at, dict) and key in at else {}
    if isinstance(at, dict):
        at[[root, *fields][-1]] = value
    return PriorEvent(CALL, tool, holder["input"], holder["output"])


_SAMPLES = {"date": "2026-01-01", "datetime": "2026-01-01T00:00:00Z", "duration": "1h"}


def _is(word: str, value: str, policy: PolicyRules) -> bool:
    try:
        functions_in(policy.time.zone)[word](value)
    except EvaluationError:
        return False
    return True


def _fits(value: Any, schema: Any) -> bool:
    """Whether a value is one of the constants that a schema lists, if it does."""
    if value is None or not isinstance(schema, Mapping):
        return True
    among = [schema["const"]] if "const" in schema else schema.get("enum")
    return among is None or value in among


# -- the gate's word


def reads_of(witness: Witness, bundle: Bundle) -> Callable[[FactNeed], FactOutput | None]:
    """The facts of a witness, as a gate asks for them: by what is read, else by the fact's name.

    What a read can't be asked with is read by nobody, whatever a witness tells of it.
    """
    by_input = {(fact.tool, canonical(dict(fact.input))): fact for fact in witness.facts}
    by_name = {(fact.name, fact.tool): fact for fact in witness.facts}

    def find(need: FactNeed) -> FactOutput | None:
        misfit = bundle.tools[need.tool].check_input(need.input) if need.tool in bundle.tools else ()
        if misfit:
            return FactOutput(problem="; ".join(misfit))
        fact = by_input.get((need.tool, canonical(dict(need.input)))) or by_name.get((need.fact, need.tool))
        return FactOutput(fact.output, fact.problem) if fact is not None else FactOutput(problem="it is not known")

    return find


def names_of(witness: Witness, bundle: Bundle) -> Mapping[str, Any]:
    """What the rules may read when they judge a witness."""
    agent, tool = bundle.agents[witness.agent], bundle.tools[witness.tool]
    digest = call_digest(tool, tool.name, witness.input)
    call = Call("witness", tool.name, witness.input, len(witness.past) + 1, tool.effect, witness.now, digest)
    state = past_state(bundle, agent, witness.past, witness.attributes, witness.now, call)
    return gate_names(state, call, bundle)


def judged_for_real(witness: Witness, bundle: Bundle) -> tuple[Verdict | None, RuleTrace | None]:
    """What the gate says of a witness, and what keeps its result; None where something does not fit its schema."""
    agent, tool = bundle.agents[witness.agent], bundle.tools[witness.tool]
    if not _can_be(witness, bundle):
        return None, None
    names, reads = names_of(witness, bundle), reads_of(witness, bundle)
    verdict = judge(agent.guards[tool.name], names, reads)
    if isinstance(verdict, MissingFacts):
        return None, None
    kept = withheld(agent.guards[tool.name], names, witness.output, reads) if tool.effect is READ else None
    return verdict, kept


def _can_be(witness: Witness, bundle: Bundle) -> bool:
    """Whether all that a witness tells of fits its schema, as the runtime would ask."""
    agent, tools = bundle.agents[witness.agent], bundle.tools
    tool = tools[witness.tool]
    misfits = [
        *agent.check_attributes(witness.attributes),
        *tool.check_input(witness.input),
        *(tool.check_output(witness.output) if witness.gives else ()),
    ]
    for past in witness.past:
        misfits += [*tools[past.tool].check_input(past.input or {}), *tools[past.tool].check_output(past.output)]
    for fact in witness.facts:
        if fact.tool in tools and not fact.problem:
            misfits += tools[fact.tool].check_output(fact.output)
    return not misfits
