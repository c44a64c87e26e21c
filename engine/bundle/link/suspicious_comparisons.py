"""Comparisons that are right, and probably not what their author meant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TypeGuard

from engine.bundle.checks import w618_not_meant
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.node import Node
from engine.language.syntax import SyntaxProblem, parse, span
from engine.language.unparse import to_source

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?\Z")
_ORDERED = ast.Lt | ast.LtE | ast.Gt | ast.GtE


def check_comparisons(documents: DocumentSet) -> None:
    """All conditions of the bundle."""
    for kind in ("Policy", "Vocabulary", "Agent"):
        for document in documents.well_formed(kind):
            for node in _conditions(document):
                _check(documents, node)


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


def _check(documents: DocumentSet, node: Node) -> None:
    try:
        tree = parse(node.value) if isinstance(node.value, str) else None
    except SyntaxProblem:
        return
    for found in ast.walk(tree) if tree is not None else ():
        if isinstance(found, ast.Call) and (said := _of_call(found) or _of_origin(found) or _of_lower_in(found)):
            documents.say(w618_not_meant.at(node.within(*span(found)), *said))
        if isinstance(found, ast.Compare):
            sides = [found.left, *found.comparators]
            for left, op, right in zip(sides, found.ops, sides[1:], strict=False):
                place = node.within(span(left)[0], span(right)[1])
                if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
                    message = "two constants are compared: this part is always the same"
                    documents.say(w618_not_meant.at(place, message, "compare with a field, or leave it out"))
                elif said := _of_same(left, right) or _of_messages(left, op, right) or _of_lower(left, right):
                    documents.say(w618_not_meant.at(place, *said))
                elif isinstance(op, _ORDERED) and (help_ := _as_moments(left, op, right)):
                    message = "text is put in order letter by letter, and this looks like a moment"
                    documents.say(w618_not_meant.at(place, message, help_))


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
    if name == "contains" and _is_messages(given[0]):
        return _whole_message("contains", last)
    return None


def _is_messages(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "messages"


def _whole_message(word: str, text: str) -> tuple[str, str]:
    asked = f"contains(messages[-1], {to_source(ast.Constant(text))})"
    help_ = f"write `{asked}` for a part of the last one"
    return f"`{word}` looks for a text that is a whole message of the list", help_


def _of_messages(left: ast.expr, op: ast.cmpop, right: ast.expr) -> tuple[str, str] | None:
    """A word that is looked for in the list of messages, and would be a message of its own."""
    text = left.value if isinstance(left, ast.Constant) else None
    found = isinstance(op, ast.In | ast.NotIn) and isinstance(text, str) and _is_messages(right)
    return _whole_message("in", str(text)) if found else None


def _of_same(left: ast.expr, right: ast.expr) -> tuple[str, str] | None:
    """A value that is held against itself."""
    if ast.dump(left) != ast.dump(right):
        return None
    return (
        f"`{to_source(left)}` is compared with itself: this part is always the same",
        "compare it with something else",
    )


def _of_origin(call: ast.Call) -> tuple[str, str] | None:
    """A constant that is asked where it comes from: the bundle wrote it."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name not in ("origin", "said_by_customer") or len(call.args) != 1:
        return None
    given = call.args[0]
    param = isinstance(given, ast.Attribute) and isinstance(given.value, ast.Name) and given.value.id == "params"
    if not param and not isinstance(given, ast.Constant):
        return None
    field = given.value if isinstance(given, ast.Constant) else ""
    path = field if isinstance(field, str) and _PATH.match(field) else "input.amount"
    return f"`{name}` asks where a value of the call comes from, and this one is written here", (
        f"give it a field, such as `{name}({path})`"
    )


_PATH = re.compile(r"[a-z_]\w*(?:\.[a-z_]\w*)+\Z")
_TEXT_IN = frozenset({"contains", "starts_with", "ends_with", "glob"})


def _of_lower(left: ast.expr, right: ast.expr) -> tuple[str, str] | None:
    """Small letters that are compared with a text of other ones."""
    for lowered, other in ((left, right), (right, left)):
        if _is_lower(lowered):
            texts = other.elts if isinstance(other, ast.List | ast.Tuple) else [other]
            return next((_small(str(one.value)) for one in texts if _has_capitals(one)), None)
    return None


def _of_lower_in(call: ast.Call) -> tuple[str, str] | None:
    """Small letters in which a text of other ones is looked for."""
    named = isinstance(call.func, ast.Name) and call.func.id in _TEXT_IN and len(call.args) == 2
    if not named or not _is_lower(call.args[0]) or not _has_capitals(call.args[1]):
        return None
    return _small(str(call.args[1].value))


def _small(text: str) -> tuple[str, str]:
    return (
        "`lower` gives small letters alone, and this text has others",
        f"write `{to_source(ast.Constant(text.lower()))}`",
    )


def _is_lower(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "lower"


def _has_capitals(node: ast.expr) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != node.value.lower()


_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


def _as_moments(left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
    """The comparison as one of moments; empty where none of its sides is a date that is written out as text."""
    if not _is_moment(left) and not _is_moment(right):
        return ""
    sign = _SIGNS[type(op)]
    return f"write `datetime({to_source(left)}) {sign} datetime({to_source(right)})`"


def _is_moment(node: ast.expr) -> bool:
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and _MOMENT.match(text) is not None
