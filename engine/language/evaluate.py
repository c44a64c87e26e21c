"""The value of a checked tree: simpleeval with our own nodes, names and functions.

The base's attribute access would find a dict's methods (`order.items`), and its operators are
Python's; every node that could reach either is answered here instead.
"""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, tzinfo
from typing import Any

from simpleeval import SimpleEval

from engine.language import arithmetic
from engine.language.arithmetic import EvaluationError, is_number, kind
from engine.language.functions import CONTEXTUAL, FUNCTIONS, LAZY, PROVENANCE, functions_in
from engine.language.syntax import loop_names, span
from engine.language.work import EVIDENCE, TURN, WorkCounter, extent

# nodes whose values a reader may want to see
WATCHABLE = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: arithmetic.add,
    ast.Sub: arithmetic.subtract,
    ast.Mult: arithmetic.multiply,
    ast.Div: arithmetic.divide,
    ast.Mod: arithmetic.modulo,
}

COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: arithmetic.equal,
    ast.NotEq: lambda x, y: not arithmetic.equal(x, y),
    ast.Lt: lambda x, y: arithmetic.order(x, y) < 0,
    ast.LtE: lambda x, y: arithmetic.order(x, y) <= 0,
    ast.Gt: lambda x, y: arithmetic.order(x, y) > 0,
    ast.GtE: lambda x, y: arithmetic.order(x, y) >= 0,
    ast.In: arithmetic.member,
    ast.NotIn: lambda x, y: not arithmetic.member(x, y),
}


class Evaluator(SimpleEval):  # type: ignore[misc]
    """One evaluation of one expression."""

    def __init__(
        self,
        names: Mapping[str, Any],
        optional: frozenset[tuple[int, int]],
        watched: Mapping[tuple[int, int], str],
        seen: dict[str, Any] | None,
        zone: tzinfo = UTC,
    ) -> None:
        # the base's own set-up builds tables of nodes that this language does not have
        self.names = names
        self.functions = functions_in(zone)
        self.optional = optional
        self.watched = watched
        self.seen = seen
        self.work = WorkCounter(names)
        self.nodes: dict[Any, Any] = {}

    def run(self, text: str, tree: ast.expr) -> Any:
        """The value of the whole expression; raises EvaluationError."""
        return self.eval(text, previously_parsed=tree)

    def _eval(self, node: ast.expr) -> Any:
        value = _NODES[type(node)](self, node)
        if self.seen is not None and isinstance(node, WATCHABLE):
            chain = self.watched.get(span(node))
            if chain is not None:
                self.seen[chain] = value
        return value

    def _truth(self, node: ast.expr) -> bool:
        value = self._eval(node)
        if isinstance(value, bool):
            return value
        raise EvaluationError(f"a condition must be a boolean, and `{ast.unparse(node)}` is {kind(value)}")

    def _eval_constant(self, node: ast.Constant) -> Any:
        return node.value

    def _eval_name(self, node: ast.Name) -> Any:
        try:
            value = self.names[node.id]
        except KeyError:
            raise EvaluationError(f"name `{node.id}` has no value") from None
        if isinstance(value, UnreadableFact):
            raise EvaluationError(value.problem)
        return value

    def _eval_attribute(self, node: ast.Attribute) -> Any:
        return self._field(self._eval(node.value), node.attr, node)

    def _field(self, owner: Any, name: str, node: ast.expr) -> Any:
        if not isinstance(owner, Mapping):
            raise EvaluationError(f"`{name}` is read from {kind(owner)}")
        try:
            return owner[name]
        except KeyError:
            if span(node) in self.optional:
                return None
            # a name that was computed is a value
            computed = isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant)
            what = "such key" if computed else f"`{name}`"
            raise EvaluationError(f"there is no {what} in `{ast.unparse(node)}`") from None

    def _eval_subscript(self, node: ast.Subscript) -> Any:
        owner, index = self._eval(node.value), self._eval(node.slice)
        if isinstance(owner, list | tuple) and is_number(index) and index == int(index):
            if -len(owner) <= index < len(owner):
                return owner[int(index)]
            raise EvaluationError(f"`{ast.unparse(node.value)}` has no such item")
        if isinstance(owner, Mapping) and isinstance(index, str):
            return self._field(owner, index, node)
        raise EvaluationError(f"{kind(owner)} can't be indexed by {kind(index)}")

    def _eval_boolop(self, node: ast.BoolOp) -> bool:
        wanted = isinstance(node.op, ast.Or)
        for operand in node.values:
            if self._truth(operand) is wanted:
                return wanted
        return not wanted

    def _eval_unaryop(self, node: ast.UnaryOp) -> Any:
        return (
            not self._truth(node.operand)
            if isinstance(node.op, ast.Not)
            else arithmetic.negative(self._eval(node.operand))
        )

    def _eval_binop(self, node: ast.BinOp) -> Any:
        left, right = self._eval(node.left), self._eval(node.right)
        self.work.take(joined(left, right))
        return _BINARY[type(node.op)](left, right)

    def _eval_compare(self, node: ast.Compare) -> bool:
        left = self._eval(node.left)
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._eval(comparator)
            self.work.take(compared(left, right))
            if not COMPARE[type(op)](left, right):
                return False
            left = right
        return True

    def _eval_ifexp(self, node: ast.IfExp) -> Any:
        return self._eval(node.body if self._truth(node.test) else node.orelse)

    def _eval_list(self, node: ast.List | ast.Tuple) -> list[Any]:
        return [self._eval(item) for item in node.elts]

    def _eval_loop(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        with self._loop():
            return list(self._items(node, 0))

    @contextmanager
    def _loop(self) -> Iterator[None]:
        """Variables of a loop are forgotten when it ends, however it ends."""
        outer = self.names
        try:
            yield
        finally:
            self.names = outer

    def _items(self, node: ast.ListComp | ast.GeneratorExp, depth: int) -> Iterator[Any]:
        if depth == len(node.generators):
            yield self._eval(node.elt)
            return
        generator, outer = node.generators[depth], self.names
        for item in elements(self._eval(generator.iter)):
            self.work.take(TURN)
            self.names = ChainMap(_bound(generator, item), outer)  # type: ignore[arg-type]
            if all(self._truth(test) for test in generator.ifs):
                yield from self._items(node, depth + 1)

    def _eval_call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        if node.func.id == "record":
            return {k.arg: self._eval(k.value) for k in node.keywords}
        if node.func.id in LAZY and isinstance(node.args[0], ast.GeneratorExp):
            with self._loop():
                return self.functions[node.func.id](self._items(node.args[0], 0))
        if node.func.id in CONTEXTUAL:
            return ask_origin(self.work, self.names[PROVENANCE], node.func.id, self._eval(node.args[0]))
        arguments = [self._eval(argument) for argument in node.args]
        cost = FUNCTIONS[node.func.id].cost
        if cost is not None:
            self.work.take(cost(*arguments))
        return self.functions[node.func.id](*arguments)


def joined(left: Any, right: Any) -> int:
    """The units that an operator takes which may put lists end to end."""
    return len(left) + len(right) if isinstance(left, list | tuple) and isinstance(right, list | tuple) else 0


def compared(left: Any, right: Any) -> int:
    """The units that a comparison takes: two lists or maps are gone over, and a list in which something is looked for.

    Both sides are counted wherever one of them has anything to be gone over, so that who counts need not know which.
    """
    if isinstance(right, list | tuple | Mapping):
        return extent(right) + (extent(left) if isinstance(left, list | tuple | Mapping) else 0)
    return extent(left) if isinstance(left, list | tuple | Mapping) else 0


def ask_origin(work: WorkCounter, origins: Any, question: str, value: Any) -> Any:
    """The answer to where a value comes from; what was gone through for it is counted."""
    before = origins.gone_through
    answer = getattr(origins, question)(value)
    work.take(1 + (origins.gone_through - before) // EVIDENCE)
    return answer


def elements(value: Any) -> Sequence[Any]:
    """What a loop goes over: a list, a set, or the keys of a map."""
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, frozenset):
        return sorted((item for _, item in value), key=str)
    if isinstance(value, Mapping):
        return list(value)
    raise EvaluationError(f"a loop needs a list, and this is {kind(value)}")


def _bound(generator: ast.comprehension, item: Any) -> dict[str, Any]:
    """The variables of a loop for one item."""
    names = [name.id for name in loop_names(generator) if isinstance(name, ast.Name)]
    if len(names) == 1:
        return {names[0]: item}
    if not isinstance(item, list | tuple) or len(item) != 2:
        raise EvaluationError(f"two variables need pairs, and this is {kind(item)}")
    return dict(zip(names, item, strict=True))


class UnreadableFact:
    """Stands for a fact that could not be read: every use of it is an error."""

    __slots__ = ("problem",)

    def __init__(self, problem: str) -> None:
        self.problem = problem


_NODES: Mapping[type[ast.expr], Callable[..., Any]] = {
    ast.Constant: Evaluator._eval_constant,
    ast.Name: Evaluator._eval_name,
    ast.Attribute: Evaluator._eval_attribute,
    ast.Subscript: Evaluator._eval_subscript,
    ast.BoolOp: Evaluator._eval_boolop,
    ast.UnaryOp: Evaluator._eval_unaryop,
    ast.BinOp: Evaluator._eval_binop,
    ast.Compare: Evaluator._eval_compare,
    ast.IfExp: Evaluator._eval_ifexp,
    ast.List: Evaluator._eval_list,
    ast.Tuple: Evaluator._eval_list,
    ast.Call: Evaluator._eval_call,
    ast.ListComp: Evaluator._eval_loop,
    ast.GeneratorExp: Evaluator._eval_loop,
}
