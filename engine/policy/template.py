"""Text with `{{ expression }}` in it: what rules, stop conditions and planners tell people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.policy import types as t
from engine.policy.arithmetic import EvaluationError
from engine.policy.around import NOTHING, Around
from engine.policy.expression import Expression, compile_expression
from engine.policy.syntax import Kind, Problem, SyntaxProblem
from engine.policy.value import canonical, jsonable, number_text

MAX_RENDERED = 10_000

_HOLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


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
    scope: Mapping[str, t.Type],
    around: Around = NOTHING,
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
            expression, found = compile_expression(hole, scope, around)
            parts.append(expression)
        except SyntaxProblem as error:
            found = (error.problem,)
        problems += [Problem(p.kind, p.start + start, p.end + start, p.message, p.help) for p in found]
    stray = re.search(r"\{%|\{#", text) or re.search(r"\{\{", _HOLE.sub(lambda m: " " * len(m[0]), text))
    if stray:
        help_ = "close it with `}}`; a text here has no statements"
        problems.append(
            Problem(Kind.SYNTAX, stray.start(), stray.end(), f"`{stray[0]}` is not closed or not known", help_)
        )
    return Template(tuple(parts)), tuple(problems)


def _split(text: str) -> Iterator[tuple[str, str | None, int]]:
    at = 0
    for hole in _HOLE.finditer(text):
        yield text[at : hole.start()], hole[1], hole.start(1)
        at = hole.end()
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
