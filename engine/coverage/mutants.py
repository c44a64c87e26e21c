"""Small mistakes in a bundle's policies, one at a time: what its fixtures should notice."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.rule_coverage import covered
from engine.bundle.load import LoadedBundle, load_files, load_stored
from engine.bundle.node import Node
from engine.coverage.asking_mutants import ASKING, asking_anybody, fewer_people
from engine.coverage.catalogue import read_by, text_of
from engine.diagnostic import Place
from engine.explain.number_steps import Scales, written_step
from engine.language.arithmetic import add, is_number, subtract
from engine.language.conditions import constant
from engine.language.expression import Expression
from engine.language.syntax import SyntaxProblem, parse, span
from engine.language.value import duration, duration_text, number_text, one_line
from engine.policy.rule import PolicyRules
from engine.spec.bundle import Bundle

_DROPPED = "the rule is dropped"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed document: where and what was changed, whose rule it is, and the file as it would be."""

    id: str
    place: Place
    what: str
    rule: str
    file: str
    content: bytes
    before: str = ""
    after: str = ""

    def load(self, files: Mapping[str, bytes]) -> LoadedBundle:
        """Load a bundle's files with the change."""
        changed = {**files, self.file: self.content}
        # a rule that is told at entry to match never is what stands here for one that is not there
        return load_stored(changed) if self.what == _DROPPED else load_files(changed)


def mutants(documents: DocumentSet, bundle: Bundle) -> list[Mutant]:
    """All of them, in the order of the documents; some may be no valid bundle."""
    found = [
        *(m for document in documents.well_formed("Policy") for m in _of_policy(document, documents, bundle)),
        *(m for document in documents.well_formed("Vocabulary") for m in _of_words(document, bundle)),
    ]
    return [
        Mutant(f"m{number}", m.place, m.what, m.rule, m.file, m.content, m.before, m.after)
        for number, m in enumerate(found, 1)
    ]


def _of_policy(document: Document, documents: DocumentSet, bundle: Bundle) -> Iterator[Mutant]:
    yield from _of_words(document, bundle)
    for index, rule in enumerate(document.node.at("rules").items or ()):
        yield from _of_rule(document, rule, index, documents, bundle)


def _of_words(document: Document, bundle: Bundle) -> Iterator[Mutant]:
    """Of the params and the lets, which policies and vocabularies both have."""
    for name, _, node in _entries(document, "params"):
        for what, value in _moved(_as_written(node), _step_of_param(name, bundle)):
            yield _mutant(document, ("params", name), node, f"param `{name}`: {what}", "", value)
    for name, _, node in _entries(document, "let"):
        parts = [((), node)] if node.entries is None else [((tool,), value) for tool, _, value in node.pairs()]
        for inner, one in parts:
            for place, what, text in _rewritten(one, _steps(bundle, None)):
                path = ("let", name, *inner)
                yield _mutant(document, path, one, f"let `{name}`: {what}", "", text, place)


def _of_rule(document: Document, rule: Node, index: int, documents: DocumentSet, bundle: Bundle) -> Iterator[Mutant]:
    id_, at = str(rule.at("id").value), ("rules", index)
    effect, plain = str(rule.at("effect").value), rule.plain
    # a policy has a rule, and fixtures name this one: a dropped rule is one that never matches, and says nothing, as
    # its message may rest on what its condition tells
    never = {key: plain[key] for key in ("id", "tools", "except", "effect") if key in plain} | asking_anybody(plain)
    yield _mutant(document, at, rule.at("id"), _DROPPED, id_, never | {"when": False})
    if rule.get("release_unless") is None:
        other = "deny" if effect == "allow" else "allow"
        changed = {key: value for key, value in plain.items() if key not in ASKING} | {"effect": other}
        yield _mutant(document, at, rule.at("effect"), f"{effect} becomes {other}", id_, changed)
    for key in ("when", "unless", "release_unless"):
        node = rule.get(key)
        if node is None:
            continue
        for place, what, text in _rewritten(node, _steps(bundle, id_)):
            yield _mutant(document, (*at, key), node, what, id_, text, place)
    for key, fewer, what in fewer_people(plain):
        yield _mutant(document, at, rule.at(key), what, id_, fewer)
    yield from _widened(document, rule, at, documents, bundle)


# -- which tools


def _widened(
    document: Document, rule: Node, at: tuple[str | int, ...], documents: DocumentSet, bundle: Bundle
) -> Iterator[Mutant]:
    """The rule covers a further tool, of those that have all the fields that it reads; or none is excepted."""
    id_, plain = str(rule.at("id").value), rule.plain
    if plain.get("except"):
        rest = {key: value for key, value in plain.items() if key != "except"}
        yield _mutant(document, at, rule.at("except"), "no tool is excepted", id_, rest)
    own = covered(rule, bundle.tools)
    if not own or isinstance(plain["tools"], str):
        return
    offered = [name for agent in bundle.agents.values() for name in agent.tools]
    fields, effect = _fields_of(id_, bundle), bundle.tools[own[0]].effect
    others = [
        name
        for name in dict.fromkeys(offered)
        if name not in own and fields <= _properties(name, bundle) and bundle.tools[name].effect == effect
    ]
    if others and rule.get("release_unless") is None:
        wider = {**plain, "tools": [*own, *others]}
        yield _mutant(document, at, rule.at("tools"), f"it covers {', '.join(others)} too", id_, wider)


def _properties(tool: str, bundle: Bundle) -> set[str]:
    properties = bundle.tools[tool].input_schema.get("properties")
    return set(properties) if isinstance(properties, Mapping) else set()


def _fields_of(rule_id: str, bundle: Bundle) -> set[str]:
    """The fields of `input` that a rule reads, by itself or by its lets and facts."""
    found: set[str] = set()
    for policy in _policies(bundle):
        for rule in policy.rules:
            if rule.id == rule_id:
                for _, expression in read_by(policy, rule.id, (rule.condition,)):
                    found |= _input_fields(expression.tree)
                for fact in rule.facts:
                    for expression in policy.facts[fact].input.values() if fact in policy.facts else ():
                        found |= _input_fields(expression.tree)
    return found


def _input_fields(tree: ast.expr) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "input"
    }


def _policies(bundle: Bundle) -> Iterator[PolicyRules]:
    for agent in bundle.agents.values():
        for guard in agent.guards.values():
            yield from guard.policies


# -- expressions

_OPERATORS = {
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
}
_WRITTEN = re.compile(r"not\s+in|[<>=!]=|[<>]|\bin\b")


Steps = Callable[[ast.expr], Any]


def _rewritten(node: Node, step_of: Steps) -> Iterator[tuple[tuple[int, int], str, Any]]:
    """Where, what, and the new text of each change of an expression."""
    text = text_of(node)
    if isinstance(node.value, bool):
        yield (0, len(text)), f"{text} becomes {'false' if node.value else 'true'}", not node.value
        return
    try:
        tree = parse(text)
    except SyntaxProblem:
        return
    for part in ast.walk(tree):
        if isinstance(part, ast.BoolOp):
            yield from _without_one(part, text)
        elif isinstance(part, ast.Compare):
            yield from _other_operators(part, text)
            yield from _other_numbers(part, text, step_of)


def _without_one(node: ast.BoolOp, text: str) -> Iterator[tuple[tuple[int, int], str, str]]:
    word = " and " if isinstance(node.op, ast.And) else " or "
    parts = [_around(text, span(value)) for value in node.values]
    for index, value in enumerate(node.values):
        rest = [f"({text[a:b]})" for n, (a, b) in enumerate(parts) if n != index]
        start, end = parts[0][0], parts[-1][1]
        changed = f"{text[:start]}({word.join(rest)}){text[end:]}"
        yield span(value), f"`{_short(text, span(value))}` is dropped", changed


def _around(text: str, at: tuple[int, int]) -> tuple[int, int]:
    """A part of a text with the parentheses that stand around it alone."""
    start, end = at
    while True:
        left, right = len(text[:start].rstrip()) - 1, end + len(text[end:]) - len(text[end:].lstrip())
        if left >= 0 and text[left] == "(" and right < len(text) and text[right] == ")" and not _calls(text, left):
            start, end = left, right + 1
        else:
            return start, end


def _calls(text: str, at: int) -> bool:
    """Whether the parenthesis at a place opens the arguments of a function."""
    before = re.search(r"(\w+)\s*\Z", text[:at])
    return before is not None and before[1] not in ("and", "or", "not", "in", "if", "else", "for")


def _other_operators(node: ast.Compare, text: str) -> Iterator[tuple[tuple[int, int], str, str]]:
    sides = [node.left, *node.comparators]
    for index, op in enumerate(node.ops):
        between = span(sides[index])[1], span(sides[index + 1])[0]
        sign = _WRITTEN.search(text, *between)
        other = _OPERATORS.get(type(op))
        if sign is None or other is None:
            continue
        what = f"`{_short(text, span(node))}` with `{other}`"
        yield (sign.start(), sign.end()), what, f"{text[: sign.start()]}{other}{text[sign.end() :]}"


def _other_numbers(node: ast.Compare, text: str, step_of: Steps) -> Iterator[tuple[tuple[int, int], str, str]]:
    sides = [node.left, *node.comparators]
    for side in sides:
        own = constant(side, {})
        if is_number(own):
            start, end = span(side)
            steps = [step for other in sides if other is not side and (step := step_of(other)) is not None]
            for value in _neighbours(own, steps[0] if steps else written_step(own)):
                written = number_text(value)
                yield (start, end), f"{text[start:end]} becomes {written}", f"{text[:start]}{written}{text[end:]}"


def _short(text: str, at: tuple[int, int]) -> str:
    part = " ".join(text[at[0] : at[1]].split())
    return part if len(part) <= 60 else part[:57] + "..."


# -- numbers


def _moved(value: Any, step: Any) -> Iterator[tuple[str, Any]]:
    """A param one step further, either way; a list without one of its entries."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield f"without {item}", [*value[:index], *value[index + 1 :]]
    elif is_number(value):
        for moved in _neighbours(value, step or written_step(value)):
            yield f"{number_text(value)} becomes {number_text(moved)}", moved
    elif isinstance(value, _Span) and (spelt := duration(value)) is not None:
        for span_ in (spelt - timedelta(seconds=1), spelt + timedelta(seconds=1)):
            if span_ >= timedelta(0):
                yield f"{value} becomes {duration_text(span_)}", _Span(duration_text(span_))


def _neighbours(value: Any, step: Any) -> tuple[Any, Any]:
    return subtract(value, step), add(value, step)


def _readings(bundle: Bundle, rule_id: str | None = None) -> Iterator[tuple[Expression, Scales]]:
    """Every expression that a rule goes by, with the scales of the tool that it is linked for."""
    for agent in bundle.agents.values():
        for guard in agent.guards.values():
            for policy in guard.policies:
                scales = Scales(bundle, agent, bundle.tools[guard.tool], policy)
                for rule in policy.rules:
                    if rule_id in (None, rule.id):
                        for _, expression in read_by(policy, rule.id, (rule.condition, rule.release)):
                            yield expression, scales


def _steps(bundle: Bundle, rule_id: str | None) -> Steps:
    """The smallest step of what is compared, as far as the schemas of some tool that the rule covers say."""
    scales = [found for _, found in _readings(bundle, rule_id)]

    def step_of(node: ast.expr) -> Any:
        return next((step for one in scales if (step := one.of(node).step) is not None), None)

    return step_of


def _step_of_param(name: str, bundle: Bundle) -> Any:
    """The smallest step of what a param is compared with, if a schema says one."""
    for expression, scales in _readings(bundle):
        for node in ast.walk(expression.tree):
            step = _beside_param(node, name, scales) if isinstance(node, ast.Compare) else None
            if step is not None:
                return step
    return None


def _beside_param(node: ast.Compare, name: str, scales: Scales) -> Any:
    sides = [node.left, *node.comparators]
    if not any(_is_param(side, name) for side in sides):
        return None
    steps = [scales.of(side).step for side in sides if not _is_param(side, name)]
    return next((step for step in steps if step is not None), None)


def _is_param(node: ast.expr, name: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) == ("params", name)
    )


# -- documents


def _entries(document: Document, key: str) -> Iterator[tuple[str, Node, Node]]:
    node = document.node.get(key)
    yield from node.pairs() if node is not None and node.entries is not None else ()


def _mutant(
    document: Document,
    path: tuple[str | int, ...],
    node: Node,
    what: str,
    rule: str,
    value: Any,
    within: tuple[int, int] | None = None,
) -> Mutant:
    place = node.within(*within) if within is not None else node.place
    before = text_of(node) if node.items is None and node.entries is None else ""
    after = value if isinstance(value, str) else ""
    content = _with(document.node, path, value)
    return Mutant("", place, what, rule, node.source.file, content, before, after)


class _Span(str):
    """A duration, which is one only if it is written plainly."""

    __slots__ = ()


def _as_written(node: Node) -> Any:
    """The plain value of a param, its durations told from other text."""
    if node.entries is not None:
        return {key: _as_written(value) for key, _, value in node.pairs()}
    if node.items is not None:
        return [_as_written(item) for item in node.items]
    plain = isinstance(node.value, str) and not node.style and duration(node.value) is not None
    return _Span(node.value) if plain else node.value


def _with(document: Node, path: tuple[str | int, ...], value: Any) -> bytes:
    """The document with one value changed, as YAML in flow style."""
    changed = copy.deepcopy(document.plain)
    params = document.get("params")
    if params is not None:
        changed["params"] = _as_written(params)
    owner = changed
    for part in path[:-1]:
        owner = owner[part]
    owner[path[-1]] = value
    return _flow(changed).encode("utf-8")


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{one_line(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    return str(value) if isinstance(value, _Span) else one_line(value)
