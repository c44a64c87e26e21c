"""An expression, parsed once and typed, and its value for given names."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cache, lru_cache
from typing import Any

from engine.language import types
from engine.language.check import check
from engine.language.compile import Fast, PythonText, compiled, source_of
from engine.language.evaluate import Evaluator
from engine.language.functions import CONTEXTUAL
from engine.language.syntax import Problem, loop_names, parse, span
from engine.language.type_context import NOTHING, TypeContext


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A typed expression; `reads` are the top-level names that it mentions, `types` those of its nodes by identity."""

    text: str
    tree: ast.expr = field(repr=False)
    type: types.Type = field(repr=False)
    optional: frozenset[tuple[int, int]] = field(repr=False)
    watched: Mapping[tuple[int, int], str] = field(repr=False)
    reads: frozenset[str] = field(repr=False)
    if_true: Mapping[str, types.Type] = field(repr=False)
    if_false: Mapping[str, types.Type] = field(repr=False)
    make_fast: Callable[[], Fast | None] = field(repr=False)
    zone: tzinfo = field(repr=False, default=UTC)
    node_types: Mapping[int, types.Type] = field(repr=False, default_factory=dict)
    # whether its types are to be relied on
    well_typed: bool = field(repr=False, default=True)

    def value(self, names: Mapping[str, Any], seen: dict[str, Any] | None = None) -> Any:
        """The value under `names`; raises EvaluationError.  What it read is put into `seen`."""
        fast = self.make_fast()
        if fast is not None:
            try:
                return fast(names, seen)
            except Exception:
                # the reference says what it is: a value after all, or an error in the author's words
                if seen is not None:
                    seen.clear()
        return self.reference(names, seen)

    @property
    def live(self) -> frozenset[str]:
        """The names that it reads where a condition before them does not rule it out."""
        typed = (n.id for n in ast.walk(self.tree) if isinstance(n, ast.Name) and id(n) in self.node_types)
        return self.reads.intersection(typed)

    @property
    def fast(self) -> Fast | None:
        """The same as a Python function; None where only the reference can do it."""
        return self.make_fast()

    def in_python(self, constants: list[Any]) -> PythonText | None:
        """Its text in Python, its constants put behind those there are; None where only the reference can do it."""
        return source_of(self.tree, self.node_types, self.watched, constants) if self.well_typed else None

    def reference(self, names: Mapping[str, Any], seen: dict[str, Any] | None = None) -> Any:
        """The same by the evaluator that the fast path has to agree with."""
        return Evaluator(names, self.optional, self.watched, seen, self.zone).run(self.text, self.tree)


def compile_expression(
    text: str,
    scope: Mapping[str, types.Type],
    around: TypeContext = NOTHING,
) -> tuple[Expression, tuple[Problem, ...]]:
    """Parse and type an expression where it stands; raises SyntaxProblem where it does not even parse."""
    tree = parse(text)
    checked = check(tree, scope, around)
    reads, chains = _read(text)

    # validation never asks for it
    @cache
    def make_fast() -> Fast | None:
        return compiled(tree, checked.node_types, chains, around.zone) if not checked.problems else None

    made = Expression(
        text,
        tree,
        checked.type,
        checked.optional,
        chains,
        reads,
        checked.if_true,
        checked.if_false,
        make_fast,
        around.zone,
        checked.node_types,
        not checked.problems,
    )
    return made, checked.problems


@lru_cache(maxsize=8192)
def _read(text: str) -> tuple[frozenset[str], dict[tuple[int, int], str]]:
    """The names that an expression mentions, and the chains in it whose values a reader wants to see."""
    tree = parse(text)
    own = loop_variables(tree)
    reads = frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name)) - _called(tree) - own
    return reads, _chains(tree, text, own)


def _called(tree: ast.expr) -> frozenset[str]:
    return frozenset(n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))


def loop_variables(tree: ast.expr) -> frozenset[str]:
    """The names that the loops of an expression give to what they go over."""
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.comprehension)]
    return frozenset(name.id for loop in loops for name in loop_names(loop) if isinstance(name, ast.Name))


def _chains(node: ast.AST, text: str, own: frozenset[str]) -> dict[tuple[int, int], str]:
    """The longest chains of names and fields, such as `input.amount_usd`: what a reader wants to see the value of.

    What hangs on a loop's variable has no one value and is left out.
    """
    found: dict[tuple[int, int], str] = {}
    chain = isinstance(node, ast.Name | ast.Attribute | ast.Subscript)
    asks = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CONTEXTUAL
    if (chain or asks) and not own & {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}:
        start, end = span(node)
        found[start, end] = text[start:end]
    if chain:
        return found
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Call) and child is node.func):
            found |= _chains(child, text, own)
    return found
