"""Lists that are written out, and loops: turn by turn, in the order in which a loop comes by them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.language.syntax import loop_names
from engine.proof.encode import Encoder
from engine.proof.operations import Read, elements
from engine.proof.term import LIST, NO, YES, ListItem, Term, Unencodable, both, either, no
from engine.proof.terms import literal
from engine.proof.turns import Turn

MOST_UNROLLED = 64


def listing(of: Encoder, node: ast.List | ast.Tuple) -> Read:
    """A list that is written out."""
    found = [of.node(item) for item in node.elts]
    return Read(literal([one.value for one in found]), either(*(one.error for one in found)))


def loop(of: Encoder, node: ast.ListComp | ast.GeneratorExp) -> Read:
    """The list that a loop makes, with gaps where it filters."""
    turns = unrolled(of, node, lambda: of.node(node.elt))
    made = [turn for turn in turns if turn.term is not None]
    wrong = [both(turn.there, turn.term.error) for turn in made]
    error = either(*(both(turn.there, turn.error) for turn in turns), *wrong)
    items = tuple(ListItem(turn.there, turn.term.value) for turn in made)
    length = z3.Sum([z3.If(item.there, 1, 0) for item in items]) if items else z3.IntVal(0)
    loose = not all(z3.is_true(item.there) for item in items)
    return Read(Term(LIST, items=items, length=length, loose=loose), error)


def unrolled(of: Encoder, node: ast.ListComp | ast.GeneratorExp, inner: Callable[[], Read]) -> list[Turn]:
    """The turns of a loop with what is read in each, and between them what goes wrong on the way."""
    found: list[Turn] = []

    def wrong(there: Any, error: Any) -> None:
        if not z3.is_false(error):
            found.append(Turn(there, None, error))

    def go(depth: int, there: Any) -> None:
        if len(found) > MOST_UNROLLED:
            raise Unencodable("a loop with too many turns")
        if depth == len(node.generators):
            found.append(Turn(there, inner(), NO))
            return
        generator = node.generators[depth]
        source = of.node(generator.iter)
        wrong(there, either(source.error, source.value.null))
        for item in elements(source.value):
            with _binding(of, generator, item.value):
                here = both(there, item.there)
                for test in generator.ifs:
                    holds, error = of.boolean(test)
                    wrong(here, error)
                    here = both(here, no(error), holds)
                go(depth + 1, here)

    go(0, YES)
    return found


def _binding(of: Encoder, generator: ast.comprehension, value: Term) -> _LoopBinding:
    names = [name.id for name in loop_names(generator) if isinstance(name, ast.Name)]
    if len(names) == 1:
        return _LoopBinding(of.bound, {names[0]: value})
    if value.kind != LIST or value.items is None or len(value.items) != 2:
        raise Unencodable("a loop over pairs")
    return _LoopBinding(of.bound, {name: item.value for name, item in zip(names, value.items, strict=True)})


class _LoopBinding:
    """Variables of a loop, for the time of one turn."""

    def __init__(self, into: dict[str, Term], values: Mapping[str, Term]) -> None:
        self._into, self._values, self._before = into, values, {}  # type: ignore[var-annotated]

    def __enter__(self) -> None:
        self._before = {name: self._into[name] for name in self._values if name in self._into}
        self._into.update(self._values)

    def __exit__(self, *exc: object) -> None:
        for name in self._values:
            del self._into[name]
        self._into.update(self._before)
