"""Comparisons that are right, and probably not what their author meant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from engine.bundle.corpus import Corpus, Document
from engine.bundle.node import Node
from engine.bundle.rules import w618_not_meant
from engine.policy.naming import written
from engine.policy.syntax import SyntaxProblem, parse, span

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?\Z")
_ORDERED = ast.Lt | ast.LtE | ast.Gt | ast.GtE


def check_comparisons(corpus: Corpus) -> None:
    """All conditions of the bundle."""
    for kind in ("Policy", "Vocabulary", "Agent"):
        for document in corpus.sound(kind):
            for node in _conditions(document):
                _check(corpus, node)


def _conditions(document: Document) -> Iterator[Node]:
    root = document.node
    keys = {"rules": ("when", "unless", "release_unless"), "guarantees": ("never",), "stop": ("when",)}
    tables = [(node, ("when",)) for _, _, planner in _pairs(root.get("planners")) if (node := planner.get("rows"))]
    for listed, names in [*((root.get(key), names) for key, names in keys.items()), *tables]:
        for item in (listed.items or ()) if listed is not None else ():
            yield from (node for name in names if (node := item.get(name)) is not None)
    for _, _, let in _pairs(root.get("let")):
        yield from [let] if let.entries is None else [value for _, _, value in let.pairs()]


def _pairs(node: Node | None) -> list[tuple[str, Node, Node]]:
    return list(node.pairs()) if node is not None else []


def _check(corpus: Corpus, node: Node) -> None:
    try:
        tree = parse(node.value) if isinstance(node.value, str) else None
    except SyntaxProblem:
        return
    for found in ast.walk(tree) if tree is not None else ():
        if isinstance(found, ast.Call) and (said := _of_call(found)):
            corpus.say(w618_not_meant.at(node.within(*span(found)), *said))
        if isinstance(found, ast.Compare):
            sides = [found.left, *found.comparators]
            for left, op, right in zip(sides, found.ops, sides[1:], strict=False):
                place = node.within(span(left)[0], span(right)[1])
                if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
                    message = "two constants are compared: this part is always the same"
                    corpus.say(w618_not_meant.at(place, message, "compare with a field, or leave it out"))
                elif isinstance(op, _ORDERED) and (help_ := _as_moments(left, op, right)):
                    message = "text is put in order letter by letter, and this looks like a moment"
                    corpus.say(w618_not_meant.at(place, message, help_))


_EXPRESSION = re.compile(r"\A\^|\$\Z|\.\*|\.\+|\\[dwsbDWS]|\[\^?[\w]-[\w]|\(\?")


def _of_call(call: ast.Call) -> tuple[str, str] | None:
    """What is said of a call that is right and of little use: a regular expression for `glob`, a word in messages."""
    name, given = call.func.id if isinstance(call.func, ast.Name) else "", call.args
    last = given[-1].value if given and isinstance(given[-1], ast.Constant) else None
    if not isinstance(last, str) or len(given) != 2:
        return None
    if name == "glob" and _EXPRESSION.search(last):
        return "this pattern reads like a regular expression, and `glob` has none", (
            "`*` stands for any text and `?` for one character; all else stands for itself"
        )
    if name == "contains" and isinstance(given[0], ast.Name) and given[0].id == "messages":
        asked = f"contains({written(given[0])}[-1], {written(given[1])})"
        return "a list contains a text that is a whole message of it", f"write `{asked}` for a part of the last one"
    return None


_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


def _as_moments(left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
    """The comparison as one of moments; empty where none of its sides is a date that is written out as text."""
    if not _is_moment(left) and not _is_moment(right):
        return ""
    sign = _SIGNS[type(op)]
    return f"write `datetime({written(left)}) {sign} datetime({written(right)})`"


def _is_moment(node: ast.expr) -> bool:
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and _MOMENT.match(text) is not None
