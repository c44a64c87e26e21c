"""Expressions and texts inside documents: compiled, with every problem at its column in the YAML scalar."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Container, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from engine.bundle.checks import (
    e302_tool,
    e305_name,
    e306_param,
    e401_expression,
    e402_field,
    e403_comparison,
    e404_operand,
    e405_function,
    e406_too_large,
    e407_template_name,
    e409_null,
    e410_union,
    e411_unbounded,
)
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.literal_texts import check_compared, check_literals
from engine.bundle.link.verified_offers import tried
from engine.bundle.node import Node
from engine.bundle.yaml_help import cut
from engine.diagnostic import Diagnostic, Place
from engine.language import types
from engine.language.expression import Expression, compile_expression
from engine.language.foreign_signs import written_with_commas
from engine.language.membership import of_row
from engine.language.syntax import Kind, Problem, SyntaxProblem
from engine.language.template import Template, compile_template, holes
from engine.language.type_context import NOTHING, TypeContext
from engine.language.value import number_text

Scope = Mapping[str, types.Type]

_PLAIN: Mapping[Kind, Callable[[Place, str, str], Diagnostic]] = {
    Kind.SYNTAX: e401_expression.at,
    Kind.TOO_LARGE: e406_too_large.at,
    Kind.COMPARISON: e403_comparison.at,
    Kind.OPERAND: e404_operand.at,
    Kind.FUNCTION: e405_function.at,
    Kind.NULL: e409_null.at,
    Kind.UNION: e410_union.at,
    Kind.UNBOUNDED: e411_unbounded.at,
}


_WORD = re.compile(r"\w+")

PARAMS = "params"

# what is wrong with an expression whatever the words in it that nobody knows may mean
_OWN = frozenset({Kind.SYNTAX, Kind.TOO_LARGE, Kind.NAME, Kind.FIELD, Kind.TOOL, Kind.FUNCTION})


def expression(
    documents: DocumentSet,
    node: Node,
    scope: Scope,
    *,
    condition: bool = False,
    around: TypeContext = NOTHING,
    tell: Callable[[Set[str]], None] | None = None,
) -> Expression | None:
    """The typed expression of a scalar, or None after saying what is wrong with it.

    `tell` says what is wrong with the names that it reads, those aside that a condition before them rules out.
    """
    try:
        if isinstance(node.value, str):
            compiled, problems = compile_expression(node.value, scope, around)
        else:
            compiled, problems = compile_expression(_constant(node.value), scope)[0], ()
    except SyntaxProblem as error:
        help_ = cut(node) or error.problem.help
        _say(documents, node, replace(error.problem, help=help_), scope, in_text=False)
        return None
    if tell is not None:
        tell(compiled.live)
    doubted = bool(compiled.reads & around.doubtful) and bool(compiled.live & around.doubtful)
    if doubted:
        own = _OWN if PARAMS in around.doubtful else {*_OWN, Kind.PARAM}
        problems = tuple(problem for problem in problems if problem.kind in own)
    elif condition and not problems:
        problems = _as_condition(compiled)

    def check(text: str) -> Sequence[Problem]:
        made, found = compile_expression(text, scope, around)
        return found or (_as_condition(made) or _saying_nothing(made) if condition else ())

    for problem in problems:
        mended = replace(problem, help=_for_yaml(node, tried(compiled.text, problem, check)))
        _say(documents, node, mended, scope, around.lets, in_text=False)
    if not problems:
        check_compared(documents, node, compiled.tree, scope)
    return compiled if not doubted and all(problem.on_entry for problem in problems) else None


def _as_condition(compiled: Expression) -> tuple[Problem, ...]:
    whole = (0, len(compiled.text))
    if not types.is_a(compiled.type, types.Boolean):
        message = f"a condition must be a boolean, and this is {types.name(compiled.type)}"
        return (Problem(Kind.OPERAND, *whole, message, _condition_help(compiled)),)
    if not types.only(compiled.type, types.Boolean):
        message = f"a condition must be a boolean, and this may be {types.name(compiled.type)}"
        return (Problem(Kind.OPERAND, *whole, message, on_entry=True),)
    if types.has_null(compiled.type):
        help_ = f"write `{compiled.text} == true`"
        return (Problem(Kind.NULL, *whole, "this condition may be null", help_),)
    return ()


def _saying_nothing(compiled: Expression) -> tuple[Problem, ...]:
    """What speaks against offering a condition that comes out the same whatever is judged."""
    return () if compiled.reads else (Problem(Kind.OPERAND, 0, len(compiled.text), "this is always the same"),)


def _condition_help(compiled: Expression) -> str:
    """What to write for something that is no condition."""
    if isinstance(compiled.tree, ast.Tuple):
        number, one_of = written_with_commas(compiled.text), of_row(compiled.tree.elts)
        if number:
            return f"a number has no separators: write `{number}`" + (f", or {one_of[6:]}" if one_of else "")
        both = all(types.only(compiled.node_types[id(part)], types.Boolean) for part in compiled.tree.elts)
        return one_of or ("join conditions by `and`" if both else "a condition is one expression")
    return "compare it with something"


def template(
    documents: DocumentSet,
    node: Node | None,
    scope: Scope,
    around: TypeContext = NOTHING,
    tell: Callable[[Set[str]], None] | None = None,
) -> Template:
    """The typed text of a scalar; what is wrong with it is said, as with an expression."""
    if node is None or not isinstance(node.value, str):
        return Template(())
    compiled, problems = compile_template(node.value, scope, around)
    if tell is not None:
        tell({name for part in compiled.parts if isinstance(part, Expression) for name in part.live})
    check_literals(documents, node, scope)
    if around.doubtful & set(_WORD.findall(node.value)):
        problems = ()
    for problem in problems:
        help_ = _tried_in_text(node.value, problem, scope, replace(around, in_text=True))
        _say(documents, node, replace(problem, help=help_), scope, around.lets, in_text=True)
    return compiled


def _tried_in_text(text: str, problem: Problem, scope: Scope, around: TypeContext) -> str:
    """The help of a problem that stands in a hole of a text."""
    for hole in holes(text):
        if hole.start < problem.start and problem.end < hole.end:
            at = hole.start + len("{{")
            inside = replace(problem, start=problem.start - at, end=problem.end - at)
            return tried(hole.text, inside, lambda one: compile_expression(one, scope, around)[1])
    return problem.help


_QUOTED = re.compile(r"`('[^'`]*')`")


def _for_yaml(node: Node, help_: str) -> str:
    """A text in quotes that is to be the whole of a scalar: YAML takes the outer ones away."""
    return _QUOTED.sub(r'`"\1"`', help_) if _ONE_WORD.fullmatch(str(node.value)) else help_


_ONE_WORD = re.compile(r"\w+(?:-\w+)*")


def _constant(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return number_text(value)


_PARAM = re.compile(r"(?<![\w.])params\.(\w+)")


def _of_params(documents: DocumentSet, text: str, scope: Scope) -> str:
    """Where the params of an expression that does not fit are written, and what they are."""
    declared, told = scope.get(PARAMS), []
    for name in dict.fromkeys(_PARAM.findall(text)):
        for document in (*documents.well_formed("Policy"), *documents.well_formed("Vocabulary")):
            params = document.node.get(PARAMS)
            value = params.get(name) if params is not None else None
            if value is not None and isinstance(declared, types.Record) and name in declared.fields:
                kind = types.name(declared.fields[name].type)
                told.append(f"`params.{name}` is {kind}, written at {value.place}")
                break
    return "; ".join(told)


# what a field hangs on, and names whose fields no schema of a bundle declares
_ROOT = re.compile(r"([A-Za-z_]\w*)[\w.\[\]'\"-]*\.\s*\Z")
_OURS = frozenset({PARAMS, "meters", "budget", "step", "call", "decision"})


def _say(
    documents: DocumentSet, node: Node, problem: Problem, scope: Scope, lets: Container[str] = (), *, in_text: bool
) -> None:
    place = node.within(problem.start, problem.end)
    text = str(node.value)[problem.start : problem.end]
    plain = _PLAIN.get(problem.kind)
    if problem.kind is Kind.FIELD:
        root = _ROOT.search(str(node.value)[: problem.start])
        note = "" if root is None or root[1] in _OURS or root[1] in lets else e402_field.WHENCE
        found = e402_field.at(place, problem.message, problem.help, note)
        documents.say(replace(found, on_entry=problem.on_entry))
    elif plain is not None:
        found = replace(plain(place, problem.message, problem.help), on_entry=problem.on_entry)
        note = _of_params(documents, text, scope) if problem.kind in (Kind.COMPARISON, Kind.OPERAND) else ""
        documents.say(replace(found, note=note) if note else found)
    elif problem.kind is Kind.TOOL:
        documents.say(e302_tool.at(place, text, documents.of("Tool")))
    elif problem.kind is Kind.PARAM:
        params = scope.get("params")
        defined = len(params.fields) if isinstance(params, types.Record) else 0
        documents.say(e306_param.at(place, text, defined, problem.help))
    elif in_text:
        documents.say(e407_template_name.at(place, text, help_=problem.help))
    else:
        documents.say(e305_name.at(place, problem.message, scope, problem.help))
