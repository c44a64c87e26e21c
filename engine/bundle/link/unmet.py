"""Rules whose conditions no call meets: their parts exclude each other, or the bounds of a schema do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.bundle.corpus import Corpus
from engine.bundle.link.implied import Bound, Conditions
from engine.bundle.rules import e516_never_matches, w621_beyond_schema
from engine.policy.arithmetic import is_number
from engine.policy.meaning import meaning
from engine.policy.rule import PolicyRules, Rule
from engine.policy.syntax import SyntaxProblem, parse
from engine.policy.value import number_text
from engine.session.bundle import Agent, Tool

Linked = tuple[Rule, PolicyRules, Tool]

# keyword: whether a value has to be more, whether the number itself is out, and how it is said
_BOUNDS = {
    "minimum": (True, False, "at least"), "exclusiveMinimum": (True, True, "more than"),
    "maximum": (False, False, "at most"), "exclusiveMaximum": (False, True, "less than"),
}  # fmt: skip


def check_unmet(corpus: Corpus, agents: Mapping[str, Agent], tools: Mapping[str, Tool]) -> None:
    """Rules that are so wherever they stand."""
    linked: dict[str, list[Linked]] = {}
    for agent in agents.values():
        for name, guard in agent.guards.items():
            for policy in guard.policies:
                for rule in policy.rules:
                    linked.setdefault(rule.id, []).append((rule, policy, tools[name]))
    for document in corpus.sound("Policy"):
        for node in document.node.at("rules").items or ():
            condition = node.get("when") or node.get("unless")
            id_ = str(node.at("id").value)
            found = linked.get(id_, [])
            if condition is None or not found:
                continue
            if all(Conditions(rule, policy, dials=False).never for rule, policy, _ in found):
                corpus.say(e516_never_matches.contradicting(condition.place, id_))
                continue
            beyond = [Conditions(rule, policy).beyond(_bounds(policy, tool, tools)) for rule, policy, tool in found]
            if all(beyond):
                corpus.say(w621_beyond_schema.at(condition.place, id_, beyond[0]))


def _bounds(policy: PolicyRules, tool: Tool, tools: Mapping[str, Tool]) -> Iterator[tuple[Bound, str]]:
    """The bounds of the numbers that a call has, and that the facts about it have."""
    yield from _of_schema("input", tool.input_schema, policy)
    for name, fact in policy.facts.items():
        if not fact.for_each and fact.tool in tools:
            yield from _of_schema(name, tools[fact.tool].output_schema, policy)


def _of_schema(owner: str, schema: Any, policy: PolicyRules) -> Iterator[tuple[Bound, str]]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    for name, inner in properties.items() if isinstance(properties, Mapping) else ():
        for key, (more, open_, words) in _BOUNDS.items():
            number: Any = inner.get(key) if isinstance(inner, Mapping) else None
            if not is_number(number):
                continue
            try:
                tree = parse(f"{owner}.{name}")
            except SyntaxProblem:
                break
            yield (
                Bound(meaning(tree, policy), more, number, open_),
                f"`{owner}.{name}` is {words} {number_text(number)}",
            )
