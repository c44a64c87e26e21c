"""All that can be covered of a bundle's policies: each rule, each side of each condition, each boundary."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.node import Node
from engine.diagnostic import Place
from engine.explain.number_steps import Scale, Scales
from engine.language import types
from engine.language.conditions import MIRRORED, Span, conditions, constant, orderings
from engine.language.expression import Expression
from engine.language.syntax import span
from engine.policy.rule import PolicyRules
from engine.spec.bundle import Bundle

MATCHED, TRUE, FALSE, ABSENT = "matched", "true", "false", "absent"
BELOW, AT, ABOVE = "just below", "at", "just above"

# what an expression is known by where it is read: whose it is, and its text
ExpressionKey = tuple[str, str, str]
# and where it is written: the same, and its place
Owner = tuple[str, str, str, str]


@dataclass(slots=True)
class WrittenExpression:
    """One expression of the documents: whose it is, where, and all that can be covered of it.

    Comparisons are known by their span and the number of the operator, boundaries by where the value stands to the
    constant; of those that are `mirrored` the constant stands first.
    """

    owner: Owner
    node: Node
    rules: set[str] = field(default_factory=set)
    sides: dict[Span, set[str]] = field(default_factory=dict)
    boundaries: dict[tuple[Span, int], set[str]] = field(default_factory=dict)
    steps: dict[tuple[Span, int], Any] = field(default_factory=dict)
    mirrored: set[tuple[Span, int]] = field(default_factory=set)
    parts: dict[tuple[Span, int], Span] = field(default_factory=dict)
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
    written: dict[Owner, WrittenExpression]
    nodes: Nodes

    def of(self, policy: PolicyRules, tool: str, known: ExpressionKey) -> WrittenExpression | None:
        """What is covered where a policy reads an expression for a tool."""
        found = self.nodes.find(policy.name, tool, known)
        return self.written.get(found[0]) if found is not None else None


def catalogue(documents: DocumentSet, bundle: Bundle) -> Catalogue:
    """What can be covered, as the linked rules of the agents read it."""
    nodes = Nodes(documents)
    rules = {
        str(item.at("id").value): WrittenRule(str(item.at("id").value), document.name, item.at("id").place)
        for document in documents.well_formed("Policy")
        for item in document.node.at("rules").items or ()
    }
    found = Catalogue(rules, {}, nodes)
    for agent in bundle.agents.values():
        for guard in agent.guards.values():
            for policy in guard.policies:
                scales = Scales(bundle, agent, bundle.tools[guard.tool], policy)
                for rule in policy.rules:
                    for known, expression in read_by(policy, rule.id, (rule.condition, rule.release)):
                        at = nodes.find(policy.name, guard.tool, known)
                        if at is not None:
                            written = found.written.setdefault(at[0], WrittenExpression(*at))
                            written.rules.add(rule.id)
                            _take(written, expression, scales, policy)
    return found


def read_by(
    policy: PolicyRules, rule_id: str, own: tuple[Expression | None, ...]
) -> Iterator[tuple[ExpressionKey, Expression]]:
    """The expressions that a rule goes by: its own, and the lets that they read."""
    waiting = [(("rule", rule_id, expression.text), expression) for expression in own if expression is not None]
    seen: set[ExpressionKey] = set()
    while waiting:
        owner, expression = waiting.pop()
        if owner in seen:
            continue
        seen.add(owner)
        yield owner, expression
        lets = [(name, policy.lets[name]) for name in expression.reads if name in policy.lets]
        waiting += [(("let", name, let.text), let) for name, let in lets]


class Nodes:
    """The expressions of the documents, found as the policies read them."""

    def __init__(self, documents: DocumentSet) -> None:
        self._found: dict[ExpressionKey, list[tuple[str, str, Node]]] = {}
        for document in documents.well_formed("Policy"):
            for item in document.node.at("rules").items or ():
                for key in ("when", "unless", "release_unless"):
                    self._add("rule", str(item.at("id").value), document.name, "", item.get(key))
            self._lets(document, document.name)
        for document in documents.well_formed("Vocabulary"):
            self._lets(document, "")

    def find(self, policy: str, tool: str, known: ExpressionKey) -> tuple[Owner, Node] | None:
        """Of expressions of one name and text the one that a policy reads for a tool: its own before a vocabulary's."""
        fitting = [
            (not owner, not own_tool, node)
            for owner, own_tool, node in self._found.get(known, ())
            if owner in ("", policy) and own_tool in ("", tool)
        ]
        if not fitting:
            return None
        node = min(fitting, key=lambda one: one[:2])[2]
        return (*known, f"{node.source.file}:{node.start}"), node

    def _lets(self, document: Document, policy: str) -> None:
        declared = document.node.get("let")
        for name, _, node in declared.pairs() if declared is not None else ():
            if node.entries is None:
                self._add("let", name, policy, "", node)
            for tool, _, value in node.pairs():
                self._add("let", name, policy, tool, value)

    def _add(self, kind: str, name: str, policy: str, tool: str, node: Node | None) -> None:
        if node is not None:
            self._found.setdefault((kind, name, text_of(node)), []).append((policy, tool, node))


def text_of(node: Node) -> str:
    """The text of an expression, of a constant as the language writes it."""
    value = node.value
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


def _take(written: WrittenExpression, expression: Expression, scales: Scales, policy: PolicyRules) -> None:
    reachable: dict[Span, set[str]] = {}
    for node, index, left, right in orderings(expression.tree):
        key = span(node), index
        found = _reach(scales, policy, left, right)
        written.boundaries.setdefault(key, set()).update(found.boundaries)
        written.parts[key] = span(left)[0], span(right)[1]
        if found.mirrored:
            written.mirrored.add(key)
        step = scales.of(left).step or scales.of(right).step
        if step is not None:
            written.steps[key] = step
        if len(node.ops) == 1:
            reachable[span(node)] = _sides(type(node.ops[0]), found)
    for condition in conditions(expression):
        sides = reachable.get(span(condition), {TRUE, FALSE})
        written.sides.setdefault(span(condition), set()).update(sides)
    written.absent |= set(_may_be_absent(expression))


def _may_be_absent(expression: Expression) -> Iterator[Span]:
    """The chains that may be absent where they stand: what a condition before has ruled out is not."""
    for node in ast.walk(expression.tree):
        at = span(node)
        if at in expression.optional and at in expression.watched and types.has_null(expression.node_types[id(node)]):
            yield at


@dataclass(frozen=True, slots=True)
class _Reachable:
    """Where a value can stand to what it is compared with, and at which of its boundaries."""

    regions: set[str]
    boundaries: set[str]
    mirrored: bool = False


def _reach(scales: Scales, policy: PolicyRules, left: ast.expr, right: ast.expr) -> _Reachable:
    """What the schemas' bounds and steps let a comparison with a constant meet."""
    value = constant(right, policy.params)
    if value is not None:
        return _Reachable(*_met(scales.of(left), value))
    value = constant(left, policy.params)
    if value is not None:
        return _Reachable(*_met(scales.of(right), value), mirrored=True)
    return _Reachable({BELOW, AT, ABOVE}, {BELOW, AT, ABOVE})


def _met(scale: Scale, value: Any) -> tuple[set[str], set[str]]:
    lower, at, upper = scale.around(value)
    # without a step it is not known what stands next to the value, only on which sides there is any
    regions = {sign for sign, there in ((BELOW, lower), (AT, at), (ABOVE, upper)) if there is not None}
    far = {
        sign
        for sign, there in ((BELOW, lower), (ABOVE, upper))
        if scale.step and isinstance(there, Decimal) and abs(there - value) > scale.step
    }
    return regions, regions - far


_TRUE_AT: dict[type[ast.cmpop], set[str]] = {
    ast.Lt: {BELOW},
    ast.LtE: {BELOW, AT},
    ast.Gt: {ABOVE},
    ast.GtE: {ABOVE, AT},
}


def _sides(op: type[ast.cmpop], found: _Reachable) -> set[str]:
    true_at = _TRUE_AT[MIRRORED[op] if found.mirrored else op]
    return ({TRUE} if found.regions & true_at else set()) | ({FALSE} if found.regions - true_at else set())
