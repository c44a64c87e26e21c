"""The words that a policy's rules may use: its own and those of its vocabularies, linked for one tool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any

from engine.bundle.checks import (
    e206_constraint,
    e302_tool,
    e312_reserved_name,
    e403_comparison,
    e404_operand,
    e513_cycle,
    e514_fact_output,
)
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.expressions import PARAMS, expression
from engine.bundle.link.inputs import tool_input
from engine.bundle.link.word_nodes import ESTABLISHED, FACT, LET, MOST_PARTS, WordNodes, names_in
from engine.bundle.node import Node
from engine.diagnostic import Diagnostic, has_errors
from engine.language import types
from engine.language.expression import Expression
from engine.language.functions import FUNCTIONS
from engine.language.schema_types import of_schema
from engine.language.type_context import TypeContext
from engine.language.value import span
from engine.policy.rule import EstablishedValue, Fact, LearnedFrom, Time
from engine.session.expression_names import ToolTypes
from engine.spec.bundle import HANDOFF, READ, Tool, ToolEffect

TYPES: Mapping[str, types.Type] = {
    "string": types.TEXT,
    "integer": types.NUMBER,
    "decimal": types.NUMBER,
    "boolean": types.BOOLEAN,
    "date": types.DATE,
    "datetime": types.DATETIME,
    "duration": types.DURATION,
}


def session_type(node: Node) -> types.Type | None:
    """The type that a vocabulary writes, such as `string?`; a list is an enum."""
    if node.items is not None:
        texts = types.Text(frozenset(str(item.value) for item in node.items if item.value is not None))
        return types.union((texts, types.NULL)) if any(item.value is None for item in node.items) else texts
    text = str(node.value)
    found = TYPES.get(text.removesuffix("?"))
    return types.union((found, types.NULL)) if found is not None and text.endswith("?") else found


def type_word(node: Node) -> str | None:
    """The type that an attribute's text is read as, or None where it stays as it is."""
    word = str(node.value).removesuffix("?") if node.items is None else ""
    return word if word in ("date", "datetime", "duration") else None


def time_of(documents: DocumentSet, nodes: WordNodes, session: types.Type) -> Time:
    """What a policy's vocabularies say of time, for agents whose session has this type."""
    now = nodes.time.get("now") if nodes.time is not None else None
    zone = nodes.time.get("zone") if nodes.time is not None else None
    offset = UTC if zone is None else _offset(str(zone.value))
    compiled = (
        expression(documents, now, {"session": session}, around=TypeContext(zone=offset)) if now is not None else None
    )
    if now is not None and compiled is not None and not types.only(compiled.type, types.Text, types.Datetime):
        message = f"a time is text or a date and time, and this is {types.name(compiled.type)}"
        documents.say(e404_operand.at(now.place, message, ""))
    return Time(compiled, offset)


def _offset(text: str) -> tzinfo:
    if not text.startswith(("+", "-")):
        return UTC
    span = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-span if text[0] == "-" else span)


class Linker:
    """Links the words that the rules for one tool use, each when it is first needed."""

    def __init__(
        self,
        documents: DocumentSet,
        nodes: WordNodes,
        base: Mapping[str, types.Type],
        tool: str,
        tools: Mapping[str, Tool],
        tool_types: Mapping[str, ToolTypes],
        zone: tzinfo,
    ) -> None:
        known = {"call.name": types.Text(frozenset({tool}))} if tool in tools else {}
        self._documents = documents
        self._nodes = nodes
        self._tool = tool
        self._tools = tools
        self._tool_types = tool_types
        self._open: list[str] = []
        self._reach: dict[str, frozenset[str]] = {}
        self.scope: dict[str, types.Type] = dict(base)
        self.facts: dict[str, Fact] = {}
        self.lets: dict[str, Expression] = {}
        # of a vocabulary that can't be read nobody knows what it says of params, the session and the time
        self._doubtful = set[str]() if nodes.whole else {PARAMS, "session", "now"}
        self._others: dict[str, str] = dict.fromkeys(nodes.words, "")
        self.around = TypeContext(known, self.lets, zone, self._doubtful, self._others)
        # what is wrong with a word for this tool is said where it is read for this tool
        self._wrong: dict[str, list[Diagnostic]] = {}
        self.told: set[str] = set()
        self._alone = TypeContext(zone=zone)
        self.established: dict[str, EstablishedValue] = {}

    @property
    def effect(self) -> ToolEffect:
        """The effect of the tool that is linked for."""
        return self._tools[self._tool].effect

    @property
    def output(self) -> types.Type:
        """What that tool gives."""
        return self._tool_types[self._tool].output

    def expression(self, node: Node, scope: Mapping[str, types.Type], *, condition: bool = False) -> Expression | None:
        """A scalar that reads the words; what is wrong with those that it reads for this tool is said."""
        return expression(self._documents, node, scope, condition=condition, around=self.around, tell=self.tell)

    def tell(self, names: Set[str]) -> None:
        """Say what is wrong with some words, which are read."""
        self.told |= names & set(self._reach)
        for name in sorted(names & set(self._wrong)):
            self._documents.diagnostics += self._wrong[name]

    def link(self, names: Iterable[str]) -> None:
        """Link some words, whoever reads them."""
        names = set(names)
        self._need(names)
        self.tell(names)

    def need(self, *nodes: Node | None) -> frozenset[str]:
        """Link the words that some scalars read; gives the facts that they reach."""
        names = {name for node in nodes if node is not None for name in names_in(node)}
        if not self._nodes.whole:
            unknown = names - set(self._nodes.words) - set(FUNCTIONS) - set(self.scope)
            self._doubtful |= unknown
            self.scope |= dict.fromkeys(unknown, types.UNKNOWN)
        return self._need(names)

    def _need(self, names: Iterable[str]) -> frozenset[str]:
        reached: frozenset[str] = frozenset()
        for name in sorted(names):
            if name in self._nodes.words and name not in self._reach:
                self._link(name)
            reached |= self._reach.get(name, frozenset())
        return reached

    def _link(self, name: str) -> None:
        kind, key, node = self._nodes.words[name]
        if name in self._nodes.twice:
            self.scope[name] = types.UNKNOWN
            self._reach[name] = frozenset()
            return
        if name in self._open:
            self._documents.say(e513_cycle.at(key.place, [*self._open[self._open.index(name) :], name]))
            self.scope[name] = types.UNKNOWN
            return
        self._open.append(name)
        said = len(self._documents.diagnostics)
        reached = {FACT: self._fact, LET: self._let, ESTABLISHED: self._established}[kind](name, node)
        self._open.pop()
        self._wrong[name] = self._documents.diagnostics[said:]
        del self._documents.diagnostics[said:]
        if has_errors(self._wrong[name], stored=True):
            # where it is read the bundle does not load, and elsewhere nobody asks for it
            self.facts.pop(name, None)
            reached = frozenset()
        self._reach[name] = reached

    # -- facts

    def _fact(self, name: str, node: Node) -> frozenset[str]:
        tool = str(node.at("tool").value)
        each, given = node.get("for_each"), node.get("input")
        sources = [value for _, _, value in each.pairs()] if each is not None else []
        inputs = [value for _, _, value in given.pairs()] if given is not None else []
        reached = self.need(*sources, *inputs) | {name}
        scope = dict(self.scope)
        loops: list[tuple[str, Expression]] = []
        for name_ in ("as", "at_most") if each is None else ():
            if node.get(name_) is not None:
                said = "is of a fact with `for_each`, and this one is read once"
                self._documents.say(e206_constraint.on_entry(node.key(name_) or node, name_, said))
        for variable, key, value in each.pairs() if each is not None else ():
            source = self.expression(value, scope)
            if source is not None and not types.is_a(source.type, types.ListOf, types.SetOf, types.MapOf, types.Record):
                message = f"a fact is read for each of a list, and this is {types.name(source.type)}"
                self._documents.say(e404_operand.at(value.place, message, ""))
            if variable in self.scope or variable in FUNCTIONS:
                self._documents.say(e312_reserved_name.at(key, "a variable"))
            scope[variable] = types.element_of(source.type) if source is not None else types.UNKNOWN
            if source is not None:
                loops.append((variable, source))
        known = self._tools.get(tool)
        reads = known is not None and known.effect is READ and known.adapter.kind != HANDOFF
        schema = known.input_schema if known is not None and reads else None
        built = tool_input(
            self._documents, given, node.at("tool"), tool, schema, scope, self.around, nulls=True, tell=self.tell
        )
        plain = node.plain
        result, at_most = str(plain.get("as", "output")), int(plain.get("at_most", 50))
        age = span(str(plain.get("max_age") or "0s"))
        needed = _never_null(schema)
        self.facts[name] = Fact(name, tool, built, age, tuple(loops), result if loops else "", at_most, needed)
        output = self._output(node.at("tool"), tool)
        variables = {variable: types.Field(scope[variable]) for variable, _ in loops}
        record = types.Record({**variables, result: types.Field(output)})
        self.scope[name] = types.ListOf(record) if each is not None else output
        return reached

    def _output(self, node: Node, tool: str) -> types.Type:
        """What the tool gives; of one that can't be a fact, nothing is said twice."""
        if tool not in self._tools or self._tools[tool].effect is not READ:
            return types.UNKNOWN
        declared = self._documents.of("Tool")[tool].node.get("output")
        if declared is None:
            self._documents.say(e514_fact_output.at(node.place, tool))
        return self._tool_types[tool].output

    # -- lets and what is learnt

    def _let(self, name: str, node: Node) -> frozenset[str]:
        if node.entries is not None:
            own = node.get(self._tool)
            if own is None:
                self._others[name] = f"let `{name}` has no entry for the tool" if self._tool else ""
                return frozenset()
            node = own
        reached = self.need(node)
        compiled = self.expression(node, self.scope)
        # lets that stand twice in the next one double their type each time
        typed = compiled is not None and types.parts(compiled.type, MOST_PARTS) <= MOST_PARTS
        self.scope[name] = compiled.type if compiled is not None and typed else types.UNKNOWN
        if compiled is not None:
            self.lets[name] = compiled
        else:
            self._doubtful.add(name)
        return reached

    def _established(self, name: str, node: Node) -> frozenset[str]:
        wanted = session_type(node.at("type")) or types.UNKNOWN
        sources = tuple(
            source for item in node.at("from").items or () if (source := self._source(item, wanted)) is not None
        )
        self.established[name] = EstablishedValue(name, node.plain.get("keep", "first") == "first", sources, wanted)
        self.scope[name] = types.union((wanted, types.NULL))
        return frozenset()

    def _source(self, item: Node, wanted: types.Type) -> LearnedFrom | None:
        if item.entries is None:
            compiled = expression(self._documents, item, {"session": self.scope["session"]}, around=self._alone)
            self._fits(item, compiled, wanted)
            return LearnedFrom(None, compiled) if compiled is not None else None
        call, value = item.at("call"), item.at("value")
        if not self._documents.has("Tool", call.value):
            self._documents.say(e302_tool.at(call.place, str(call.value), self._documents.of("Tool")))
        tool_types = self._tool_types.get(str(call.value))
        if tool_types is None:
            return None
        scope = {"input": tool_types.input, "output": tool_types.output, "session": self.scope["session"]}
        compiled = expression(self._documents, value, scope, around=self._alone)
        self._fits(value, compiled, wanted)
        return LearnedFrom(str(call.value), compiled) if compiled is not None else None

    def _fits(self, node: Node, compiled: Expression | None, wanted: types.Type) -> None:
        if compiled is not None and not types.can_equal(compiled.type, wanted):
            message = f"this is {types.name(compiled.type)}, and the value is declared as {types.name(wanted)}"
            self._documents.say(e403_comparison.at(node.place, message, ""))


def _never_null(schema: Mapping[str, Any] | None) -> frozenset[str]:
    """The fields that a tool takes no null for."""
    wanted = of_schema(schema) if schema else types.UNKNOWN
    fields = wanted.fields if isinstance(wanted, types.Record) else {}
    return frozenset(name for name, declared in fields.items() if not types.has_null(declared.type))
