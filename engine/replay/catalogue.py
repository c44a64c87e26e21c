"""All that can be covered of a bundle's policies: each rule, each side of each condition, each boundary."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from engine.bundle.corpus import Corpus, Document
from engine.bundle.node import Node
from engine.diagnostic import Place
from engine.policy import types as t
from engine.policy.conditions import Span, conditions, orderings
from engine.policy.expression import Expression
from engine.policy.rule import PolicyRules
from engine.policy.syntax import span
from engine.replay.steps import Scale, Scales, constant
from engine.session.bundle import Bundle

MATCHED, TRUE, FALSE, ABSENT = "matched", "true", "false", "absent"
BELOW, AT, ABOVE = "just below", "at", "just above"

# what an expression is known by: whose it is, and its text
Owner = tuple[str, str, str]


@dataclass(slots=True)
class Written:
    """One expression of the documents: whose it is, where, and all that can be covered of it."""

    owner: Owner
    node: Node
    rules: set[str] = field(default_factory=set)
    sides: dict[Span, set[str]] = field(default_factory=dict)
    boundaries: dict[tuple[Span, int], set[str]] = field(default_factory=dict)
    steps: dict[tuple[Span, int], Any] = field(default_factory=dict)
    absent: set[Span] = field(default_factory=set)

    @property
    def text(self) -> str:
        """What is written."""
        return self.owner[2]

    def place(self, at: Span) -> Place:
        """Where a part of it stands in its file."""
        return self.node.within(*at)


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule of the documents."""

    id: str
    policy: str
    place: Place


@dataclass(slots=True)
class Catalogue:
    """The rules, and the expressions that some rule reads."""

    rules: dict[str, WrittenRule]
    written: dict[Owner, Written]


def catalogue(corpus: Corpus, bundle: Bundle) -> Catalogue:
    """What can be covered, as the linked rules of the agents read it."""
    nodes = dict(_nodes(corpus))
    rules = {
        str(item.at("id").value): WrittenRule(str(item.at("id").value), document.name, item.at("id").place)
        for document in corpus.sound("Policy")
        for item in document.node.at("rules").items or ()
    }
    found = Catalogue(rules, {})
    for agent in bundle.agents.values():
        for guard in agent.guards.values():
            for policy in guard.policies:
                scales = Scales(bundle, agent, bundle.tools[guard.tool], policy)
                for rule in policy.rules:
                    for owner, expression in read_by(policy, rule.id, (rule.condition, rule.release)):
                        if owner in nodes:
                            written = found.written.setdefault(owner, Written(owner, nodes[owner]))
                            written.rules.add(rule.id)
                            _take(written, expression, scales, policy)
    return found


def read_by(
    policy: PolicyRules, rule_id: str, own: tuple[Expression | None, ...]
) -> Iterator[tuple[Owner, Expression]]:
    """The expressions that a rule goes by: its own, and the lets that they read."""
    waiting = [(("rule", rule_id, expression.text), expression) for expression in own if expression is not None]
    seen: set[Owner] = set()
    while waiting:
        owner, expression = waiting.pop()
        if owner in seen:
            continue
        seen.add(owner)
        yield owner, expression
        lets = [(name, policy.lets[name]) for name in expression.reads if name in policy.lets]
        waiting += [(("let", name, let.text), let) for name, let in lets]


def _nodes(corpus: Corpus) -> Iterator[tuple[Owner, Node]]:
    for document in corpus.sound("Policy"):
        for item in document.node.at("rules").items or ():
            for key in ("when", "unless", "release_unless"):
                node = item.get(key)
                if node is not None:
                    yield ("rule", str(item.at("id").value), text_of(node)), node
    for document in (*corpus.sound("Vocabulary"), *corpus.sound("Policy")):
        yield from _lets(document)


def _lets(document: Document) -> Iterator[tuple[Owner, Node]]:
    declared = document.node.get("let")
    for name, _, node in declared.pairs() if declared is not None else ():
        for one in [value for _, _, value in node.pairs()] if node.entries is not None else [node]:
            yield ("let", name, text_of(one)), one


def text_of(node: Node) -> str:
    """The text of an expression, of a constant as the language writes it."""
    value = node.value
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


def _take(written: Written, expression: Expression, scales: Scales, policy: PolicyRules) -> None:
    reachable: dict[Span, set[str]] = {}
    for node, index, left, right in orderings(expression.tree):
        key = span(node), index
        signs = _signs(scales, policy, left, right)
        written.boundaries.setdefault(key, set()).update(signs)
        step = scales.of(left).step or scales.of(right).step
        if step is not None:
            written.steps[key] = step
        if len(node.ops) == 1:
            reachable[span(node)] = _sides(type(node.ops[0]), signs)
    for condition in conditions(expression):
        sides = reachable.get(span(condition), {TRUE, FALSE})
        written.sides.setdefault(span(condition), set()).update(sides)
    written.absent |= set(_may_be_absent(expression))


def _may_be_absent(expression: Expression) -> Iterator[Span]:
    """The chains that may be absent where they stand: what a condition before has ruled out is not."""
    for node in ast.walk(expression.tree):
        at = span(node)
        if at in expression.optional and at in expression.watched and t.has_null(expression.types[id(node)]):
            yield at


def _signs(scales: Scales, policy: PolicyRules, left: ast.expr, right: ast.expr) -> set[str]:
    """The boundaries that the schemas' bounds let a comparison with a constant meet."""
    value = constant(right, policy.params)
    if value is not None:
        return _met(scales.of(left), value, BELOW, ABOVE)
    value = constant(left, policy.params)
    return _met(scales.of(right), value, ABOVE, BELOW) if value is not None else {BELOW, AT, ABOVE}


def _met(scale: Scale, value: Any, below: str, above: str) -> set[str]:
    found = {BELOW, AT, ABOVE}
    if scale.least is not None and value <= scale.least:
        found -= {below} | ({AT} if value < scale.least or scale.least_open else set())
    if scale.most is not None and value >= scale.most:
        found -= {above} | ({AT} if value > scale.most or scale.most_open else set())
    return found


_TRUE_AT: dict[type[ast.cmpop], set[str]] = {
    ast.Lt: {BELOW}, ast.LtE: {BELOW, AT}, ast.Gt: {ABOVE}, ast.GtE: {ABOVE, AT},
}  # fmt: skip


def _sides(op: type[ast.cmpop], signs: set[str]) -> set[str]:
    return ({TRUE} if signs & _TRUE_AT[op] else set()) | ({FALSE} if signs - _TRUE_AT[op] else set())
