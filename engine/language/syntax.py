"""Text to syntax tree: only the language's own nodes get through.

The tree is Python's, because simpleeval evaluates it; everything that the grammar does not have is
refused here, with the place inside the text.
"""

from __future__ import annotations

import ast
import keyword
import re
import tokenize
import warnings
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from math import isfinite

from engine.language.foreign_signs import foreign_sign
from engine.language.suggestions import for_method
from engine.language.value import NotJson, number, number_text

MAX_LENGTH = 2000
MAX_NESTING = 40

_NUMBER = re.compile(r"\d+(\.\d+)?\Z")
_KEYWORD_FIELD = re.compile(r"(\.\s*)(" + "|".join(keyword.kwlist) + r")\b(?=(?:[^'\"]|'[^']*'|\"[^\"]*\")*$)")
_WORDS = {"true": True, "false": False, "null": None}


class Kind(StrEnum):
    """What is wrong with an expression; the bundle gives each kind its diagnostic code."""

    SYNTAX = "syntax"
    TOO_LARGE = "too_large"
    NAME = "name"
    FIELD = "field"
    PARAM = "param"
    TOOL = "tool"
    FUNCTION = "function"
    COMPARISON = "comparison"
    OPERAND = "operand"
    NULL = "null"
    UNION = "union"
    UNBOUNDED = "unbounded"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the characters from `start` up to `end` of an expression's text.

    One that is said `on_entry` was let through once: a stored bundle goes on, and the error comes when it runs.
    """

    kind: Kind
    start: int
    end: int
    message: str
    help: str = ""
    on_entry: bool = False


class SyntaxProblem(Exception):
    """Raised by `parse`; carries the one problem that stopped it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


_ALLOWED: tuple[type[ast.AST], ...] = (
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.BinOp,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.Mod,
    ast.Compare,
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.In,
    ast.NotIn,
    ast.IfExp,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.Name,
    ast.Tuple,
    ast.List,
    ast.Call,
    ast.keyword,
    ast.Load,
    ast.ListComp,
    ast.GeneratorExp,
)

_INSTEAD: dict[type[ast.AST], str] = {
    ast.Slice: "take one element, such as `messages[-1]`",
    ast.Pow: "multiply instead",
    ast.JoinedStr: "the language builds no text",
    ast.Invert: "write `not`",
    ast.UAdd: "leave the `+` out",
    ast.BitXor: "write `!=` between two booleans",
    ast.FloorDiv: "write `/`: numbers are exact",
    ast.Set: "a list stands between `[` and `]`",
    ast.Dict: "write `record(a=1, b=2)`",
    ast.NamedExpr: "write `==`",
    ast.Lambda: "write a loop: `any(x > 1 for x in list)`",
}


@lru_cache(maxsize=8192)
def parse(text: str) -> ast.expr:
    """The checked tree of an expression, which nobody changes; raises SyntaxProblem.

    A scalar over several lines reads as if it stood in parentheses.  Offsets of nodes are characters
    of `text`, in `col_offset` and `end_col_offset`.
    """
    if len(text) > MAX_LENGTH:
        raise _problem(Kind.TOO_LARGE, 0, len(text), f"expression has {len(text)} characters, more than {MAX_LENGTH}")
    if not text.strip():
        raise _problem(Kind.SYNTAX, 0, max(1, len(text)), "expression is empty")
    flat = re.sub(r"[\r\n\t\f]", " ", text)
    lead = len(flat) - len(flat.lstrip())
    try:
        with warnings.catch_warnings():
            # Python warns of escapes that it does not know; here they are just text
            warnings.simplefilter("ignore")
            tree = ast.parse(_KEYWORD_FIELD.sub(_stand_in, flat.strip()), mode="eval").body
    except SyntaxError as error:
        raise _syntax_problem(error, text, lead) from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise _problem(
            Kind.SYNTAX, 0, len(text), f"expression does not parse: {str(error) or 'nested too deep'}"
        ) from None
    if "#" in flat:
        _refuse_comments(flat, lead)
    return _SyntaxFilter(flat, lead).visit(tree, 0)


def span(node: ast.AST) -> tuple[int, int]:
    """The characters that a node covers, as offsets into its expression's text."""
    return getattr(node, "col_offset", 0), getattr(node, "end_col_offset", None) or 1


def _stand_in(found: re.Match[str]) -> str:
    """A field that is called as a keyword of Python is: a name of its length, until the tree is there."""
    return found[1] + "_" * len(found[2])


def loop_names(loop: ast.comprehension) -> list[ast.expr]:
    """The variables of a loop: one, or two for pairs."""
    return list(loop.target.elts) if isinstance(loop.target, ast.Tuple) else [loop.target]


class _SyntaxFilter:
    """Walks a fresh tree: lets only the language through and turns its offsets into characters."""

    def __init__(self, text: str, lead: int) -> None:
        self.text = text
        self.lead = lead
        self.bytes = text.strip().encode("utf-8", "surrogatepass")
        self._generators: set[int] = set()

    def visit(self, node: ast.expr, depth: int) -> ast.expr:
        self._place(node)
        if depth > MAX_NESTING:
            raise _problem(Kind.TOO_LARGE, *span(node), f"expression is nested deeper than {MAX_NESTING} levels")
        self._check(node)
        if isinstance(node, ast.Attribute):
            end = span(node)[1]
            node.attr = self.text[end - len(node.attr) : end]
        if isinstance(node, ast.Name) and node.id in _WORDS:
            return ast.copy_location(ast.Constant(_WORDS[node.id]), node)
        if isinstance(node, ast.Constant):
            return self._constant(node)
        for field, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(node, field, self.visit(value, depth + 1))
            elif isinstance(value, list):
                setattr(node, field, [self._item(item, depth) for item in value])
        return node

    def _item(self, item: ast.AST, depth: int) -> ast.AST:
        if isinstance(item, ast.keyword):
            self._place(item)
            item.value = self.visit(item.value, depth + 1)
            return item
        if isinstance(item, ast.comprehension):
            return self._comprehension(item, depth)
        return self.visit(item, depth + 1) if isinstance(item, ast.expr) else item

    def _comprehension(self, item: ast.comprehension, depth: int) -> ast.comprehension:
        """`for x in source` or `for a, b in source`, each with its filters."""
        self._place(item.target)
        names = loop_names(item)
        if isinstance(item.target, ast.Tuple):
            for name in names:
                self._place(name)
        if len(names) > 2 or not all(isinstance(name, ast.Name) for name in names) or item.is_async:
            raise _problem(Kind.SYNTAX, *span(item.target), "a loop has one variable, or two for pairs")
        item.iter = self.visit(item.iter, depth + 1)
        item.ifs = [self.visit(test, depth + 1) for test in item.ifs]
        return item

    def _place(self, node: ast.AST) -> None:
        """Turn byte offsets of the stripped text into character offsets of the whole."""
        node.col_offset, node.end_col_offset = self._characters(node)  # type: ignore[attr-defined]

    def _characters(self, node: ast.AST) -> tuple[int, int]:
        """Where a node stands that has byte offsets still."""
        ends = (self.bytes[:at].decode("utf-8", "surrogatepass") for at in span(node))
        start, end = (len(before) + self.lead for before in ends)
        return start, end

    def _written(self, node: ast.AST) -> str:
        """What a node was written as that has byte offsets still."""
        start, end = self._characters(node)
        return self.text[start:end]

    def _check(self, node: ast.expr) -> None:
        start, end = span(node)
        operators = [getattr(node, "op", None), *getattr(node, "ops", [])]
        for part in (node, *(op for op in operators if op is not None)):
            if not isinstance(part, _ALLOWED):
                sign = foreign_sign(self.text)
                if sign is not None:
                    raise _problem(Kind.SYNTAX, *sign)
                help_ = _INSTEAD.get(type(part), "see the language's page for what an expression may hold")
                raise _problem(Kind.SYNTAX, start, end, f"`{self.text[start:end]}` is not part of the language", help_)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            raise _problem(Kind.SYNTAX, start, end, "a slice is not part of the language", _INSTEAD[ast.Slice])
        if isinstance(node, ast.Call):
            self._check_call(node, start, end)
        elif isinstance(node, ast.GeneratorExp) and not self._in_call(node):
            raise _problem(Kind.SYNTAX, start, end, "a loop stands in `[...]` or in a function such as `any(...)`")
        if isinstance(node, ast.Tuple) and len(node.elts) < 2:
            raise _problem(Kind.SYNTAX, start, end, "a tuple has at least two parts")

    def _in_call(self, node: ast.GeneratorExp) -> bool:
        return id(node) in self._generators

    def _check_call(self, node: ast.Call, start: int, end: int) -> None:
        if not isinstance(node.func, ast.Name):
            raise _problem(Kind.SYNTAX, start, end, "only a function of the language can be called", self._method(node))
        if any(k.arg is None for k in node.keywords) or any(isinstance(a, ast.Starred) for a in node.args):
            raise _problem(Kind.SYNTAX, start, end, "arguments can't be spread with `*`")
        self._generators |= {id(argument) for argument in node.args if isinstance(argument, ast.GeneratorExp)}
        if len(node.args) > 1 and any(isinstance(a, ast.GeneratorExp) for a in node.args):
            raise _problem(Kind.SYNTAX, start, end, "a loop is the only argument of its function")
        if node.keywords and node.func.id != "record":
            raise _problem(Kind.SYNTAX, start, end, f"`{node.func.id}` takes no named arguments")

    def _method(self, node: ast.Call) -> str:
        if not isinstance(node.func, ast.Attribute):
            return ""
        return for_method(self._written(node.func.value), node.func.attr, [self._written(a) for a in node.args])

    def _constant(self, node: ast.Constant) -> ast.Constant:
        start, end = span(node)
        written = self.text[start:end]
        if isinstance(node.value, bool) or node.value is None:
            word = {True: "true", False: "false", None: "null"}[node.value]
            raise _problem(Kind.SYNTAX, start, end, f"`{written}` is not part of the language", f"write `{word}`")
        if isinstance(node.value, str) and written[:1] in ("'", '"'):
            return node
        if isinstance(node.value, int | float) and _NUMBER.match(written):
            try:
                node.value = number(written)  # type: ignore[assignment]
            except NotJson as error:
                raise _problem(Kind.SYNTAX, start, end, str(error)) from None
            return node
        help_ = ""
        if isinstance(node.value, int | float) and not isinstance(node.value, bool) and isfinite(node.value):
            plain = Decimal(written) if "e" in written.lower() and "x" not in written.lower() else node.value
            help_ = f"write `{number_text(Decimal(str(plain)))}`"
        raise _problem(Kind.SYNTAX, start, end, f"`{written}` is not a number or text of the language", help_)


def _refuse_comments(flat: str, lead: int) -> None:
    for token in tokenize.generate_tokens(iter([flat.strip() + "\n", ""]).__next__):
        if token.type == tokenize.COMMENT:
            start = token.start[1] + lead
            raise _problem(Kind.SYNTAX, start, len(flat), "an expression holds no comments", "use a YAML comment")


def _syntax_problem(error: SyntaxError, text: str, lead: int) -> SyntaxProblem:
    sign = foreign_sign(text)
    if sign is not None:
        message = f"expression does not parse: {sign.message}"
        return _problem(Kind.SYNTAX, sign.start, sign.end, message, sign.help)
    start = min(max(0, (error.offset or 1) - 1 + lead), max(0, len(text) - 1))
    end = (error.end_offset or 0) - 1 + lead
    message, help_ = _in_our_words(error.msg or "")
    if not help_ and (unfinished := _UNFINISHED.search(text)):
        start, end = unfinished.span(1)
        message, help_ = "something is missing behind this", ""
    last = end if end > start else start + 1
    return _problem(Kind.SYNTAX, start, last, f"expression does not parse: {message}", help_)


_UNFINISHED = re.compile(r"([<>=!+*/%,.-]+|\b(?:and|or|not|in|if|else))\s*\Z")


def _in_our_words(said: str) -> tuple[str, str]:
    """What Python's parser says, for people who do not write Python."""
    for part, message, help_ in _SYNTAX_HELP:
        if part in said:
            return message or said.lower().rstrip("."), help_
    return "this can't stand here", ""


_SYNTAX_HELP = (
    ("leading zeros", "a number does not begin with zeros", "write it without them, or in quotes if it is text"),
    (
        "unterminated",
        "text is not closed",
        "close it with the quote that it began with; one that holds it stands in the other",
    ),
    ("never closed", "", ""),
    ("unmatched", "", ""),
    ("does not match", "", ""),
    ("expected 'else'", "", ""),
    (
        "decimal literal",
        "a number ends where a name begins",
        "write its digits alone, with an operator before a name",
    ),
    ("null bytes", "", ""),
)


def _problem(kind: Kind, start: int, end: int, message: str, help_: str = "") -> SyntaxProblem:
    return SyntaxProblem(Problem(kind, start, end, message, help_))
