"""The hot path: a typed expression as a Python function.

The reference is `evaluate`: whatever the function here can't do for certain it leaves to it.  Where types
are known from the schemas an operator is Python's own; everywhere else it is the reference's function.  If
anything at all goes wrong the caller asks the reference, which says what; so an answer that is given here has
to be the reference's, and an error never has to be.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from engine.language import arithmetic, types
from engine.language.arithmetic import EvaluationError
from engine.language.evaluate import WATCHABLE, UnreadableFact, ask_origin, compared, elements, joined
from engine.language.functions import CONTEXTUAL, FUNCTIONS, PROVENANCE, functions_in
from engine.language.syntax import loop_names, span
from engine.language.work import TURN, WorkCounter

Fast = Callable[[Mapping[str, Any], dict[str, Any] | None], Any]

# names whose value is always there and never stands for an unreadable fact
_PLAIN = frozenset({"input", "params", "messages", "call", "calls", "step", "budget", "decision", "results"})

_ORDER = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_ARITHMETIC = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Mod: "modulo"}
_SAME_IN_PYTHON = (types.Number, types.Text, types.Date, types.Datetime, types.Duration)


class _LeaveIt(Exception):
    """A node that only the reference can do."""


def compiled(
    tree: ast.expr, node_types: Mapping[int, types.Type], watched: Mapping[tuple[int, int], str], zone: tzinfo
) -> Fast | None:
    """The function of an expression: takes names and where to note what was read; None if it can't be made."""
    constants: list[Any] = []
    source = source_of(tree, node_types, watched, constants)
    if source is None:
        return None
    body = f"(lambda W: {source.text})(Work(N))" if source.counts else source.text
    found: Fast = eval(compile(f"lambda N, S: {body}", "<expression>", "eval"), {**helpers(zone), "K": constants})
    return found


@dataclass(frozen=True, slots=True)
class PythonText:
    """An expression in Python: over the names `N`, what was read `S`, the constants `K` and, if it `counts`, `W`."""

    text: str
    counts: bool


def source_of(
    tree: ast.expr, node_types: Mapping[int, types.Type], watched: Mapping[tuple[int, int], str], constants: list[Any]
) -> PythonText | None:
    """An expression in Python, its constants put behind those that are there; None if it can't be written."""
    writer = _CodeWriter(node_types, watched, constants)
    try:
        return PythonText(writer.write(tree), writer.counts)
    except _LeaveIt:
        return None


class _CodeWriter:
    """Writes the source; nothing of the author's text gets into it but quoted."""

    def __init__(
        self, node_types: Mapping[int, types.Type], watched: Mapping[tuple[int, int], str], constants: list[Any]
    ) -> None:
        self._node_types = node_types
        self._watched = watched
        self._variables: list[str] = []
        self.constants = constants
        self.counts = False

    def write(self, node: ast.expr) -> str:
        text = _WRITERS[type(node)](self, node)
        if isinstance(node, WATCHABLE):
            chain = self._watched.get(span(node))
            if chain is not None:
                return f"note(S, {chain!r}, {text})"
        return text

    def type(self, node: ast.expr) -> types.Type:
        return self._node_types.get(id(node), types.UNKNOWN)

    def truth(self, node: ast.expr) -> str:
        text = self.write(node)
        return text if self.type(node) == types.BOOLEAN else f"truth({text})"

    def constant(self, node: ast.Constant) -> str:
        if node.value is None or isinstance(node.value, bool | str | int):
            return repr(node.value)
        self.constants.append(node.value)
        return f"K[{len(self.constants) - 1}]"

    def name(self, node: ast.Name) -> str:
        if node.id in self._variables:
            return f"v_{self._variables.index(node.id)}"
        return f"N[{node.id!r}]" if node.id in _PLAIN else f"name(N, {node.id!r})"

    def attribute(self, node: ast.Attribute) -> str:
        return self._field(node.value, node.attr, node)

    def _field(self, owner: ast.expr, name: str, node: ast.expr) -> str:
        declared = [o.fields.get(name) for o in types.options(self.type(owner)) if isinstance(o, types.Record)]
        if any(field is None or field.optional for field in declared):
            raise _LeaveIt
        return f"{self.write(owner)}[{name!r}]"

    def subscript(self, node: ast.Subscript) -> str:
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            return self._field(node.value, node.slice.value, node)
        index = ast.literal_eval(node.slice) if isinstance(node.slice, ast.Constant | ast.UnaryOp) else None
        if not isinstance(index, int) or isinstance(index, bool) or not isinstance(self.type(node.value), types.ListOf):
            raise _LeaveIt
        return f"{self.write(node.value)}[{index}]"

    def logic(self, node: ast.BoolOp) -> str:
        word = " and " if isinstance(node.op, ast.And) else " or "
        return "(" + word.join(self.truth(operand) for operand in node.values) + ")"

    def unary(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.Not):
            return f"(not {self.truth(node.operand)})"
        return f"negative({self.write(node.operand)})"

    def choice(self, node: ast.IfExp) -> str:
        return f"({self.write(node.body)} if {self.truth(node.test)} else {self.write(node.orelse)})"

    def compare(self, node: ast.Compare) -> str:
        if len(node.ops) > 1:
            raise _LeaveIt
        op, left, right = node.ops[0], node.left, node.comparators[0]
        if isinstance(op, ast.In | ast.NotIn):
            self.counts = True
            text = f"member(W, {self.write(left)}, {self.write(right)})"
            return text if isinstance(op, ast.In) else f"(not {text})"
        one, other = self.write(left), self.write(right)
        plain = self._plain(left, right)
        if isinstance(op, ast.Eq | ast.NotEq):
            if plain:
                return f"({one} {'==' if isinstance(op, ast.Eq) else '!='} {other})"
            self.counts = True
            text = f"equal(W, {one}, {other})"
            return text if isinstance(op, ast.Eq) else f"(not {text})"
        sign = _ORDER[type(op)]
        return f"({one} {sign} {other})" if plain else f"(order({one}, {other}) {sign} 0)"

    def _plain(self, left: ast.expr, right: ast.expr) -> bool:
        """Whether both sides are known to be of one kind that Python compares as the language does."""
        one, other = self.type(left), self.type(right)
        return type(one) is type(other) and isinstance(one, _SAME_IN_PYTHON)

    def arithmetic(self, node: ast.BinOp) -> str:
        name = _ARITHMETIC[type(node.op)]
        if name != "add" or self._plain(node.left, node.right):
            return f"{name}({self.write(node.left)}, {self.write(node.right)})"
        self.counts = True
        return f"join(W, {self.write(node.left)}, {self.write(node.right)})"

    def listing(self, node: ast.List | ast.Tuple) -> str:
        return "[" + ", ".join(self.write(item) for item in node.elts) + "]"

    def loop(self, node: ast.ListComp | ast.GeneratorExp) -> str:
        self.counts = True
        parts, before = [], len(self._variables)
        for generator in node.generators:
            source = self.write(generator.iter)
            names = [name.id for name in loop_names(generator) if isinstance(name, ast.Name)]
            first = len(self._variables)
            self._variables += names
            targets = ", ".join(f"v_{first + n}" for n in range(len(names)))
            walk = f"bounded(W, {source})" if len(names) == 1 else f"pairs(bounded(W, {source}))"
            parts.append(f"for {targets} in {walk}" + "".join(f" if {self.truth(test)}" for test in generator.ifs))
        item = self.write(node.elt)
        del self._variables[before:]
        return f"[{item} {' '.join(parts)}]" if isinstance(node, ast.ListComp) else f"({item} {' '.join(parts)})"

    def call(self, node: ast.Call) -> str:
        assert isinstance(node.func, ast.Name)
        if node.func.id == "record":
            return "{" + ", ".join(f"{k.arg!r}: {self.write(k.value)}" for k in node.keywords) + "}"
        arguments = [self.write(argument) for argument in node.args]
        if node.args and isinstance(node.args[0], ast.GeneratorExp) and node.func.id not in ("any", "all"):
            arguments = [f"list({arguments[0]})"]
        if node.func.id in CONTEXTUAL:
            self.counts = True
            return f"ask_origin(W, N[{PROVENANCE!r}], {node.func.id!r}, {arguments[0]})"
        if FUNCTIONS[node.func.id].cost is not None:
            self.counts = True
            arguments = ["W", *arguments]
        return f"f_{node.func.id}({', '.join(arguments)})"


_WRITERS: Mapping[type[ast.expr], Callable[..., str]] = {
    ast.Constant: _CodeWriter.constant,
    ast.Name: _CodeWriter.name,
    ast.Attribute: _CodeWriter.attribute,
    ast.Subscript: _CodeWriter.subscript,
    ast.BoolOp: _CodeWriter.logic,
    ast.UnaryOp: _CodeWriter.unary,
    ast.IfExp: _CodeWriter.choice,
    ast.Compare: _CodeWriter.compare,
    ast.BinOp: _CodeWriter.arithmetic,
    ast.List: _CodeWriter.listing,
    ast.Tuple: _CodeWriter.listing,
    ast.ListComp: _CodeWriter.loop,
    ast.GeneratorExp: _CodeWriter.loop,
    ast.Call: _CodeWriter.call,
}


# -- what the written functions call


def _name(names: Mapping[str, Any], name: str) -> Any:
    value = names[name]
    if type(value) is UnreadableFact:
        raise EvaluationError(value.problem)
    return value


def _note(seen: dict[str, Any] | None, chain: str, value: Any) -> Any:
    if seen is not None:
        seen[chain] = value
    return value


def _truth(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise EvaluationError("not a boolean")


def _bounded(work: WorkCounter, source: Any) -> Iterator[Any]:
    for item in elements(source):
        work.take(TURN)
        yield item


def _member(work: WorkCounter, item: Any, container: Any) -> bool:
    work.take(compared(item, container))
    return arithmetic.member(item, container)


def _equal(work: WorkCounter, one: Any, other: Any) -> bool:
    work.take(compared(one, other))
    return arithmetic.equal(one, other)


def _join(work: WorkCounter, one: Any, other: Any) -> Any:
    work.take(joined(one, other))
    return arithmetic.add(one, other)


def _counted(cost: Callable[..., int] | None, run: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is called: with the work to count in where it takes any."""
    if cost is None:
        return run

    def counted(work: WorkCounter, *arguments: Any) -> Any:
        work.take(cost(*arguments))
        return run(*arguments)

    return counted


def _pairs(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        if not isinstance(item, list | tuple) or len(item) != 2:
            raise EvaluationError("not a pair")
        yield item


_HELPERS: dict[str, Any] = {
    "__builtins__": {"list": list},
    "name": _name,
    "note": _note,
    "truth": _truth,
    "bounded": _bounded,
    "pairs": _pairs,
    "Work": WorkCounter,
    "asked": ask_origin,
    "member": _member,
    "equal": _equal,
    "join": _join,
    "order": arithmetic.order,
    "negative": arithmetic.negative,
    **{name: getattr(arithmetic, name) for name in _ARITHMETIC.values()},
}


def helpers(zone: tzinfo) -> dict[str, Any]:
    """What written expressions call, by name."""
    return {
        **_HELPERS,
        **{f"f_{name}": _counted(FUNCTIONS[name].cost, run) for name, run in functions_in(zone).items()},
    }
