"""Words that an author has written, held against the enums that they meet: a misspelt one never matches."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Protocol

from engine.diagnostic import did_you_mean
from engine.language import types
from engine.language.arithmetic import is_number
from engine.language.narrow import path
from engine.language.operators import part
from engine.language.syntax import Kind, span
from engine.language.unparse import to_source
from engine.language.value import number_text


class Say(Protocol):
    """Says what is wrong with a node."""

    def __call__(
        self, kind: Kind, node: ast.AST | tuple[int, int], message: str, help_: str = "", *, on_entry: bool = False
    ) -> types.Type:
        """Say it; the node's type is unknown then."""


class Quietly(Protocol):
    """The type of a node under refinements, without a word about what is wrong."""

    def __call__(self, node: ast.expr, known: Mapping[str, types.Type]) -> types.Type:
        """Type it."""


class Enums:
    """Holds the words of one expression against enums."""

    def __init__(self, quietly: Quietly, say: Say) -> None:
        self._quietly = quietly
        self._say = say

    def literals(self, node: ast.expr, other: ast.expr, inside: bool = False, *, numbers: bool = True) -> None:
        """Texts that are written out must be among an enum's values, where they are compared with one.

        What conditions around them have ruled out does not count: such a text is not misspelt.
        """
        if not isinstance(node, ast.Constant | ast.List | ast.Tuple | ast.IfExp):
            return
        declared = self._quietly(other, {})
        self.among(node, types.element_of(declared) if inside else declared, numbers=numbers)

    def words(
        self,
        at: ast.AST | tuple[int, int],
        written_: types.Type,
        declared: types.Type,
        *,
        inside: bool = False,
        around: bool = False,
    ) -> None:
        """Words of params, lists and tables must be among an enum's values too, where they are compared with one."""
        written_, declared = (
            types.element_of(written_) if around else written_,
            types.element_of(declared) if inside else declared,
        )
        written_, declared = types.without_null(written_), types.without_null(declared)
        while isinstance(written_, types.ListOf | types.SetOf) and type(declared) is type(written_):
            written_, declared = written_.item, declared.item
        enum = types.enum_of(declared)
        for word in sorted(types.words_of(written_) - enum) if enum else ():
            self._say(Kind.COMPARISON, at, f"`{word}` is never the value here", did_you_mean(word, enum), on_entry=True)
            return

    def table(self, owner: types.Type, index: types.Type, node: ast.Subscript) -> None:
        """A table that is read by an enum must have an entry for each of its values."""
        for table in types.options(owner):
            for option in types.options(index):
                if isinstance(table, types.Record) and isinstance(option, types.Text) and option.among is not None:
                    self._entries(table, option.among, node)

    def _entries(self, table: types.Record, keys: frozenset[str], node: ast.Subscript) -> None:
        missing = sorted(keys - set(table.fields))
        more = sorted(set(table.fields) - keys) if table.written else ()
        if more and not missing:
            message, help_ = f"`{more[0]}` is never the key here", did_you_mean(more[0], keys)
            self._say(Kind.COMPARISON, node.slice, message, help_, on_entry=True)
        if missing and table.rest is None:
            known = ", ".join(f"`{name}`" for name in sorted(table.fields))
            message = f"`{to_source(node.value)}` has no entry for `{missing[0]}`"
            self._say(Kind.FIELD, node.slice, message, f"it has {known}")

    def ruled_out(self, node: ast.expr, other: ast.expr, narrowed: types.Type) -> None:
        """A text that conditions around it have ruled out; a rule for several tools may ask which it is."""
        if isinstance(node, ast.Constant) and path(other) != "call.name":
            self.among(node, narrowed, before=True)

    def among(self, node: ast.expr, enum: types.Type, *, numbers: bool = True, before: bool = False) -> None:
        """Say which texts, and `numbers`, that are written out are no values of an enum; conditions `before` cut it."""
        if isinstance(node, ast.IfExp):
            self.among(node.body, enum, numbers=numbers)
            self.among(node.orelse, enum, numbers=numbers)
        if isinstance(node, ast.List | ast.Tuple):
            for place, item in enumerate(node.elts):
                self.among(item, part(enum, place) if isinstance(enum, types.ListOf) else enum, numbers=numbers)
        known: set[str] = set()
        counted: set[Any] = set()
        for option in types.options(enum):
            if isinstance(option, types.Text) and option.among is not None:
                known |= option.among
            elif isinstance(option, types.Number) and option.among is not None:
                counted |= option.among
            elif not isinstance(option, types.Null):
                return
        found: Any = node.value if isinstance(node, ast.Constant) else None
        if isinstance(found, str) and known and found not in known:
            start, end = span(node)
            message = f"`{found}` is never the value here"
            help_ = "the conditions before it rule it out" if before else did_you_mean(found, known)
            self._say(Kind.COMPARISON, (start + 1, end - 1), message, help_)
        elif numbers and is_number(found) and counted and found not in counted:
            there = ", ".join(f"`{number_text(number)}`" for number in sorted(counted)[:12])
            message = f"`{number_text(found)}` is never the value here"
            self._say(Kind.COMPARISON, node, message, f"it is one of {there}", on_entry=True)
