"""Words that stand without quotes where text may stand: which text they would be, and which there may be."""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Iterator

from engine.language import types
from engine.language.suggestions import UnquotedWord
from engine.language.syntax import span


def alone(node: ast.expr, known: Container[str]) -> dict[int, UnquotedWord]:
    """The names of no meaning, by identity, of a word that stands alone."""
    return {id(name): UnquotedWord(text) for name, text in _words(node, known)}


def compared(
    left: ast.expr, right: ast.expr, known: Container[str], typed: Callable[[ast.expr], types.Type]
) -> dict[int, UnquotedWord]:
    """The names of no meaning, by identity, of words that are compared with what is of a type."""
    found: dict[int, UnquotedWord] = {}
    for own, other in ((left, right), (right, left)):
        inside = isinstance(own, ast.List | ast.Tuple)
        for item in own.elts if isinstance(own, ast.List | ast.Tuple) else [own]:
            for name, text in _words(item, known):
                declared = types.without_null(typed(other))
                declared = (
                    types.element_of(declared)
                    if not inside and types.only(declared, types.ListOf, types.SetOf)
                    else declared
                )
                if types.only(declared, types.Text):
                    found[id(name)] = UnquotedWord(text, types.enum_of(declared) | types.words_of(declared))
    return found


def _words(node: ast.expr, known: Container[str]) -> Iterator[tuple[ast.Name, str]]:
    """The names without a meaning of one word, such as `gold` or `b-1`, and the word."""
    names = [one for one in _joined(node) if isinstance(one, ast.Name) and one.id not in known]
    text = ast.unparse(node).replace(" - ", "-") if names else ""
    start, end = span(node)
    if len(text) == end - start:
        yield from ((name, text) for name in names)


def _joined(node: ast.expr) -> list[ast.expr]:
    """What dashes join."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        return [*_joined(node.left), *_joined(node.right)]
    return [node] if isinstance(node, ast.Name | ast.Constant) else []
