"""Marked values in decision tables: a planner is given handles, texts that say nothing of the values."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.bundle.checks import e404_operand
from engine.bundle.document_set import DocumentSet
from engine.bundle.node import Node
from engine.session.sensitivity import marked_at
from engine.spec.bundle import Agent, Tool

_CALLS = frozenset({"calls", "results"})
# what is true of a handle where it is of the value
_PLAIN_TESTS = frozenset({"is_set"})


@dataclass(frozen=True, slots=True)
class _MarkedValue:
    """Where a value comes from: a place in what a schema describes, or the calls of a tool, or one of them."""

    schema: Mapping[str, Any] | None = None
    path: tuple[str | int, ...] = ()
    tool: str = ""
    one: bool = False

    @property
    def marked(self) -> bool:
        return self.schema is not None and marked_at(self.schema, self.path)


def check_tables(documents: DocumentSet, agents: Mapping[str, Agent], tools: Mapping[str, Tool]) -> None:
    """No row of a decision table asks of a handle what only the value could say: it would always be the same."""
    for document in documents.well_formed("Agent"):
        agent = agents[document.name]
        if agent.seal is None:
            continue
        for name, _, planner in document.node.at("planners").pairs():
            table = planner.get("rows")
            nodes = (table.items or ()) if table is not None else ()
            for row, node in zip(agent.planners[name].rows, nodes, strict=False):
                if row.when is not None:
                    _check_row(documents, _TableHandles(agent, tools), row.when.tree, node)


def _check_row(documents: DocumentSet, handles: _TableHandles, when: ast.expr, node: Node) -> None:
    for text in dict.fromkeys(handles.marked_uses(when, truth=True)):
        message = f"`{text}` is marked x-sensitive: a decision table has its handle, which says nothing of the value"
        help_ = "have a rule, a stop condition or a field that is not marked say what the table has to know"
        documents.say(replace(e404_operand.at(node.at("when").place, message, help_), on_entry=True))


class _TableHandles:
    """Finds what an expression asks of handles."""

    def __init__(self, agent: Agent, tools: Mapping[str, Tool]) -> None:
        self._attributes = agent.attributes
        self._tools = tools
        self._lets = agent.lets
        # each let is gone through once, and its value looked for once, however many others it stands in
        self._done: set[tuple[str, bool]] = set()
        self._values: dict[str, _MarkedValue | None] = {}
        self._loops: dict[str, _MarkedValue | None] = {}

    def marked_uses(self, node: ast.expr, *, truth: bool = False) -> Iterator[str]:
        """The marked values that are compared, reckoned with, or taken for true or false (`truth`)."""
        value = self._value(node)
        if value is not None:
            if value.marked and truth:
                yield ast.unparse(node)
            return
        match node:
            case ast.Name(id=name) if name in self._lets and name not in self._loops:
                yield from self._of_let(name, truth=truth)
            case ast.BoolOp(values=parts):
                for part in parts:
                    yield from self.marked_uses(part, truth=True)
            case ast.UnaryOp(operand=operand):
                yield from self.marked_uses(operand, truth=True)
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[listed]):
                yield from self._within(left, listed)
            case ast.Compare(left=left, comparators=others):
                yield from self._compared([left, *others])
            case ast.Call(func=ast.Name(id=name), args=given):
                for one in given:
                    yield from self.marked_uses(one, truth=name not in _PLAIN_TESTS)
            case ast.GeneratorExp(elt=inner) | ast.ListComp(elt=inner):
                yield from self._looped(node, inner)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        yield from self.marked_uses(child, truth=isinstance(node, ast.BinOp | ast.IfExp))

    def _of_let(self, name: str, *, truth: bool) -> Iterator[str]:
        if (name, truth) in self._done:
            return
        self._done.add((name, truth))
        # a loop around the name is none around what it stands for
        loops, self._loops = self._loops, {}
        yield from self.marked_uses(self._lets[name].tree, truth=truth)
        self._loops = loops

    def _compared(self, sides: list[ast.expr]) -> Iterator[str]:
        """Handles are equal where values are; beside anything else (but null) a handle is as good as any text."""
        values = [self._value(side) for side in sides]
        alone = any(value is None or not value.marked for value in values)
        null = any(isinstance(side, ast.Constant) and side.value is None for side in sides)
        for side in sides:
            yield from self.marked_uses(side, truth=alone and not null)

    def _within(self, left: ast.expr, listed: ast.expr) -> Iterator[str]:
        item = _item(self._value(listed))
        value = self._value(left)
        if item is not None and item.marked and not (value is not None and value.marked):
            yield ast.unparse(listed)
        else:
            yield from self.marked_uses(left, truth=not (item is not None and item.marked))
            yield from self.marked_uses(listed)

    def _looped(self, node: ast.GeneratorExp | ast.ListComp, inner: ast.expr) -> Iterator[str]:
        before = dict(self._loops)
        for loop in node.generators:
            over = self._value(loop.iter)
            if isinstance(loop.target, ast.Name):
                self._loops[loop.target.id] = _item(over)
            for condition in loop.ifs:
                yield from self.marked_uses(condition, truth=True)
        yield from self.marked_uses(inner, truth=True)
        self._loops = before

    def _value(self, node: ast.expr) -> _MarkedValue | None:
        match node:
            case ast.Name(id="session"):
                return _MarkedValue(self._attributes)
            case ast.Name(id=name) if name in self._lets and name not in self._loops:
                if name not in self._values:
                    loops, self._loops = self._loops, {}
                    self._values[name] = self._value(self._lets[name].tree)
                    self._loops = loops
                return self._values[name]
            case ast.Name(id=name):
                return self._loops.get(name)
            case ast.Attribute(value=ast.Name(id=name), attr=tool) if name in _CALLS and name not in self._loops:
                return _MarkedValue(tool=tool)
            case ast.Attribute(value=inner, attr=field):
                return self._field(self._value(inner), field)
            case ast.Subscript(value=inner, slice=ast.Constant(value=str() as field)):
                return self._field(self._value(inner), field)
            case ast.Subscript(value=inner):
                return _item(self._value(inner))
        return None

    def _field(self, value: _MarkedValue | None, field: str) -> _MarkedValue | None:
        if value is None:
            return None
        if value.schema is not None:
            return _MarkedValue(value.schema, (*value.path, field))
        tool = self._tools.get(value.tool)
        if not value.one or tool is None or field not in ("input", "output"):
            return None
        return _MarkedValue((tool.input_schema if field == "input" else tool.output_schema) or {})


def _item(value: _MarkedValue | None) -> _MarkedValue | None:
    """One of what is gone through, or stands under a number."""
    if value is None:
        return None
    if value.schema is not None:
        return _MarkedValue(value.schema, (*value.path, 0))
    return _MarkedValue(tool=value.tool, one=True)
