"""Text with `{{ expression }}` in it: what rules, stop conditions and planners tell people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from engine.language import types
from engine.language.arithmetic import EvaluationError
from engine.language.expression import Expression, compile_expression
from engine.language.syntax import Kind, Problem, SyntaxProblem
from engine.language.type_context import NOTHING, TypeContext
from engine.language.value import canonical, jsonable, number_text

MAX_RENDERED = 10_000


@dataclass(frozen=True, slots=True)
class Hole:
    """An expression in a text: what it says, and from where to where it stands with its braces."""

    text: str
    start: int
    end: int


def holes(text: str) -> Iterator[Hole]:
    """The `{{ ... }}` of a text, in one go over it."""
    at = 0
    while (start := text.find("{{", at)) >= 0 and (end := text.find("}}", start + 2)) >= 0:
        yield Hole(text[start + 2 : end], start, end + 2)
        at = end + 2


def without_holes(text: str, instead: str) -> str:
    """The text with something else in the place of each hole."""
    parts, at = list[str](), 0
    for hole in holes(text):
        parts += [text[at : hole.start], instead]
        at = hole.end
    return "".join([*parts, text[at:]])


@dataclass(frozen=True, slots=True)
class Template:
    """Literal text and expressions in turn."""

    parts: tuple[str | Expression, ...]

    def render(self, names: Mapping[str, Any]) -> str:
        """The text for given names, at most 10,000 characters; raises EvaluationError."""
        pieces = (part if isinstance(part, str) else _text(part.value(names)) for part in self.parts)
        rendered = "".join(pieces)
        if len(rendered) > MAX_RENDERED:
            raise EvaluationError(f"the text is longer than {MAX_RENDERED} characters")
        return rendered


def compile_template(
    text: str,
    scope: Mapping[str, types.Type],
    around: TypeContext = NOTHING,
) -> tuple[Template, tuple[Problem, ...]]:
    """Parse and type a text's expressions; problems carry offsets into the whole text."""
    parts: list[str | Expression] = []
    problems: list[Problem] = []
    for literal, hole, start in _split(text):
        if literal:
            parts.append(literal)
        if hole is None:
            continue
        try:
            expression, found = compile_expression(hole, scope, replace(around, in_text=True))
            parts.append(expression)
        except SyntaxProblem as error:
            found = (error.problem,)
        problems += [replace(problem, start=problem.start + start, end=problem.end + start) for problem in found]
    last = max((hole.end for hole in holes(text)), default=0)
    found_at = ((text.find("{%"), "{%"), (text.find("{#"), "{#"), (text.find("{{", last), "{{"))
    stray = min((one for one in found_at if one[0] >= 0), default=None)
    if stray is not None:
        at, sign = stray
        help_ = "close it with `}}`; a text here has no statements"
        problems.append(Problem(Kind.SYNTAX, at, at + 2, f"`{sign}` is not closed or not known", help_))
    return Template(tuple(parts)), tuple(problems)


def _split(text: str) -> Iterator[tuple[str, str | None, int]]:
    at = 0
    for hole in holes(text):
        yield text[at : hole.start], hole.text, hole.start + 2
        at = hole.end
    yield text[at:], None, at


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return number_text(value)
    plain = jsonable(value)
    return plain if isinstance(plain, str) else canonical(plain)
