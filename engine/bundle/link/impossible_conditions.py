"""Rules and guarantees whose conditions no call meets: their parts exclude each other, or a schema's bounds do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.bundle.checks import e516_never_matches, w621_beyond_schema
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.exclusion import Among, Bound, ValueClaim
from engine.bundle.link.implication import Conditions
from engine.bundle.node import Node
from engine.language.arithmetic import is_number
from engine.language.syntax import SyntaxProblem, parse
from engine.language.value import number_text
from engine.policy.fingerprint import meaning
from engine.policy.rule import Guarantee, PolicyRules, Rule
from engine.spec.bundle import Agent, Tool

Linked = tuple[Rule, PolicyRules, Tool]

_DEEPEST = 6

# keyword: whether a value has to be more, whether the number itself is out, and how it is said
_BOUNDS = {
    "minimum": (True, False, "at least"),
    "exclusiveMinimum": (True, True, "more than"),
    "maximum": (False, False, "at most"),
    "exclusiveMaximum": (False, True, "less than"),
}


def check_unmet(documents: DocumentSet, agents: Mapping[str, Agent], tools: Mapping[str, Tool]) -> None:
    """Rules and guarantees that are so wherever they stand."""
    linked: dict[str, list[Linked]] = {}
    promised: dict[str, list[tuple[Guarantee, PolicyRules]]] = {}
    for agent in agents.values():
        for name, guard in agent.guards.items():
            for policy in (*guard.policies, *guard.promising):
                for promise in policy.guarantees:
                    promised.setdefault(promise.place, []).append((promise, policy))
                for rule in policy.rules:
                    linked.setdefault(rule.id, []).append((rule, policy, tools[name]))
    for document in documents.well_formed("Policy"):
        for node in document.node.at("rules").items or ():
            _check_rule(documents, node, linked.get(str(node.at("id").value), []), tools)
        listed = document.node.get("guarantees")
        for node in (listed.items or ()) if listed is not None else ():
            found = promised.get(f"{node.source.file}:{node.at('id').place.line}", [])
            if found and all(Conditions(one.never, policy, dials=False).contradictory for one, policy in found):
                documents.say(e516_never_matches.promising_nothing(node.at("never").place, str(node.at("id").value)))


def _check_rule(documents: DocumentSet, node: Node, found: Sequence[Linked], tools: Mapping[str, Tool]) -> None:
    condition, release = node.get("when") or node.get("unless"), node.get("release_unless")
    id_ = str(node.at("id").value)
    if release is not None and found and all(_always_released(rule, policy) for rule, policy, _ in found):
        documents.say(e516_never_matches.withholding_nothing(release.place, id_))
    if condition is None or not found:
        return
    if all(_of(rule, policy, dials=False).never for rule, policy, _ in found):
        documents.say(e516_never_matches.contradicting(condition.place, id_))
        return
    beyond = [_of(rule, policy).beyond(_bounds(policy, tool, tools)) for rule, policy, tool in found]
    if all(beyond):
        documents.say(w621_beyond_schema.at(condition.place, id_, beyond[0]))


def _of(rule: Rule, policy: PolicyRules, *, dials: bool = True) -> Conditions:
    return Conditions(rule.condition, policy, negated=rule.negated, dials=dials)


def _always_released(rule: Rule, policy: PolicyRules) -> bool:
    return rule.release is not None and Conditions(rule.release, policy, negated=True, dials=False).contradictory


def _bounds(policy: PolicyRules, tool: Tool, tools: Mapping[str, Tool]) -> Iterator[tuple[ValueClaim, str]]:
    """What the schemas say of the numbers that a call has, and that the facts about it have."""
    yield from _of_schema("input", tool.input_schema, policy)
    for name, fact in policy.facts.items():
        if not fact.for_each and fact.tool in tools:
            yield from _of_schema(name, tools[fact.tool].output_schema, policy)


def _of_schema(owner: str, schema: Any, policy: PolicyRules, depth: int = 0) -> Iterator[tuple[ValueClaim, str]]:
    """What a schema says of the numbers in a value, wherever they are."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    try:
        tree = parse(owner)
    except SyntaxProblem:
        return
    for key, (more, open_, words) in _BOUNDS.items():
        number: Any = schema.get(key)
        if is_number(number):
            yield Bound(meaning(tree, policy), more, number, open_), f"`{owner}` is {words} {number_text(number)}"
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(listed, list | tuple) and listed and all(map(is_number, listed)):
        words = ", ".join(number_text(one) for one in listed[:5]) + (", ..." if len(listed) > 5 else "")
        yield Among(meaning(tree, policy), tuple(listed)), f"`{owner}` is {words}"
    parts, properties = schema.get("allOf"), schema.get("properties")
    for part in parts if isinstance(parts, list | tuple) else ():
        yield from _of_schema(owner, part, policy, depth + 1)
    for name, inner in properties.items() if isinstance(properties, Mapping) else ():
        yield from _of_schema(f"{owner}.{name}", inner, policy, depth + 1)
