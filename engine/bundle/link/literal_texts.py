"""Texts in which something stands as it is written, and was meant to be filled in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping

from engine.bundle.checks import w618_not_meant
from engine.bundle.document_set import DocumentSet
from engine.bundle.node import Node
from engine.language import types
from engine.language.syntax import span

Scope = Mapping[str, types.Type]

_PATH = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_BRACED = re.compile(rf"\$?\{{\s*(?P<path>{_PATH})\s*\}}|\$(?P<bare>{_PATH}\.\w+)|<%=?\s*(?P<tag>{_PATH})\s*%>")
_ALONE = re.compile(rf"\s*(?P<path>{_PATH}\.\w+)\s*\Z")
_SEGMENT = re.compile(rf"(?<=[/=])(?::(?P<path>{_PATH})|<(?P<angle>{_PATH})>)(?=[/?&#]|\Z)")
_VARIABLE = re.compile(
    r"\$\{(?!secret:)(?:(?:secrets?|env|ENV)[.:])?(?P<a>[A-Za-z][A-Z0-9_]*)\}|\$(?P<b>[A-Z][A-Z0-9_]+)\b"
    r"|(?<![%\w])%(?P<c>[A-Z][A-Z0-9_]+)%"
)


def check_literals(documents: DocumentSet, node: Node, scope: Scope, *, url: bool = False, alone: bool = False) -> None:
    """Say what of a text is no expression and names what has a value there; in a URL also `:name` and `<name>`.

    `alone` is a text that may be a value: one that is a path as a whole is most likely meant to be read.
    """
    if not isinstance(node.value, str):
        return
    text = _masked(node.value)
    more = [*(_SEGMENT.finditer(text) if url else ()), *(_ALONE.finditer(text) if alone else ())]
    for one in [*_BRACED.finditer(text), *more]:
        path = _known_path(next(part for part in one.groups() if part is not None), scope)
        if path:
            message = f"`{one[0].strip()}` stands here as it is written: it is no expression"
            # without quotes YAML would read braces that a value begins with as a map
            quote = '"' if not node.style and not node.value[: one.start()].strip() else ""
            offer = f"{{{{ {path} }}}}"
            whole = f"{quote}{offer}{node.value[one.end() :]}{quote}" if quote else offer
            documents.say(w618_not_meant.at(node.within(*one.span()), message, f"write `{whole}`"))


def check_compared(documents: DocumentSet, node: Node, tree: ast.expr, scope: Scope) -> None:
    """Say which texts in quotes are the path of a value that they are most likely meant to be."""
    for found in ast.walk(tree):
        sides = [found.left, *found.comparators] if isinstance(found, ast.Compare) else []
        for one in (one for side in sides for one in _alternatives(side)):
            text = one.value if isinstance(one, ast.Constant) else None
            alone = _ALONE.match(text) if isinstance(text, str) else None
            if alone is not None and _known_path(alone["path"], scope):
                message = "this is a text, and reads like the value that it names"
                documents.say(w618_not_meant.at(node.within(*span(one)), message, f"write `{alone['path']}`"))


def _alternatives(side: ast.expr) -> Iterable[ast.expr]:
    return side.elts if isinstance(side, ast.List | ast.Tuple) else [side]


def check_variables(documents: DocumentSet, nodes: Iterable[Node]) -> None:
    """Say which texts name a variable of the environment in another way than as a secret."""
    for node in nodes:
        for one in _VARIABLE.finditer(node.value) if isinstance(node.value, str) else ():
            name = next(part for part in one.groups() if part is not None)
            message = "this stands here as it is written: it names no secret"
            documents.say(w618_not_meant.at(node.within(*one.span()), message, f"write `${{secret:{name}}}`"))


def _masked(text: str) -> str:
    """The text with its holes blank, each character in its place."""
    parts, at = [], 0
    # a search for each opening would go through the rest again and again where nothing closes
    while (start := text.find("{{", at)) >= 0 and (end := text.find("}}", start + 2)) >= 0:
        parts += [text[at:start], "\0" * (end + 2 - start)]
        at = end + 2
    return "".join([*parts, text[at:]])


def _known_path(path: str, scope: Scope) -> str:
    """A path that has a value, or a field of the input; empty where it is neither."""
    root, _, field = path.partition(".")
    if root in scope and field:
        return path if _has(scope[root], field.split(".")[0]) else ""
    if root not in scope and not field and _has(scope.get("input", types.UNKNOWN), root):
        return f"input.{root}"
    return ""


def _has(owner: types.Type, field: str) -> bool:
    return any(isinstance(option, types.Record) and field in option.fields for option in types.options(owner))
