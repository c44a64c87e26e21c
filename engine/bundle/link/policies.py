"""Policy documents to the guards of each agent's tools; every (rule, tool) pair is typed by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from engine.bundle.corpus import Corpus, Document
from engine.bundle.link.expressions import Scope, expression, template
from engine.bundle.link.inputs import tool_input
from engine.bundle.node import Node
from engine.bundle.rules import (
    e205_not_available,
    e301_duplicate_name,
    e302_tool,
    e307_reviewers,
    e312_reserved_name,
    e502_covers_nothing,
    e507_fact_writes,
    e508_approvers,
    e510_two_conditions,
)
from engine.policy import types as t
from engine.policy import value as v
from engine.policy.rule import CUSTOMER, Effect, Fact, Guard, PolicyRules, Rule
from engine.session.bundle import HANDOFF, READ, WRITE, Tool
from engine.session.names import ToolTypes, gate_scope

Types = Mapping[str, ToolTypes]


def check_policies(corpus: Corpus, tools: Mapping[str, Tool]) -> None:
    """What can be said of policies before any agent uses them."""
    rules: dict[str, Node] = {}
    for document in corpus.sound("Policy"):
        for fact, key, _ in _entries(document, "facts"):
            if fact in _TAKEN:
                corpus.say(e312_reserved_name.at(key, "a fact"))
        for item in document.node.at("rules").items or ():
            id_ = item.at("id")
            if str(id_.value) in rules:
                corpus.say(e301_duplicate_name.at(id_, "rule", rules[str(id_.value)].place))
            rules.setdefault(str(id_.value), id_)
            _check_rule(corpus, item)
        _check_facts(corpus, document, tools)
        listed = [n for item in document.node.at("rules").items or () for n in _tool_names(item)]
        for name in listed:
            if not corpus.has("Tool", name.value):
                corpus.say(e302_tool.at(name.place, str(name.value), corpus.of("Tool")))
        undefined = any(name.value not in tools for name in listed)
        if not undefined and not any(covered(item, tools) for item in document.node.at("rules").items or ()):
            corpus.say(e502_covers_nothing.at(document.node.at("name"), document.name, "the bundle"))


_TAKEN = frozenset(
    {
        "input", "params", "session", "now", "messages", "call", "step", "budget", "meters", "calls", "seen",
        "denied", "verdict", "approvers", "output", "decision", "results", "true", "false", "null",
    }
)  # fmt: skip


def _entries(document: Document, key: str) -> list[tuple[str, Node, Node]]:
    node = document.node.get(key)
    return list(node.pairs()) if node is not None else []


def _tool_names(rule: Node) -> list[Node]:
    excepted = rule.get("except")
    return [*(rule.at("tools").items or ()), *((excepted.items or ()) if excepted else ())]


def _check_rule(corpus: Corpus, rule: Node) -> None:
    approvers = rule.get("approvers")
    asks = rule.at("effect").value == Effect.REQUIRE_APPROVAL
    if asks and not (approvers and approvers.items):
        corpus.say(e508_approvers.at(rule.at("effect"), "a rule that asks for approval must name its approvers"))
    if approvers is not None and not asks:
        corpus.say(e508_approvers.at(approvers, "only a rule with `effect: require_approval` has approvers"))
    for group in (approvers.items or ()) if approvers else ():
        if group.value != CUSTOMER and not corpus.has("Reviewers", group.value):
            corpus.say(e307_reviewers.at(group.place, str(group.value), [*corpus.of("Reviewers"), CUSTOMER]))
    unless = rule.get("unless")
    if unless is not None and rule.get("when") is not None:
        corpus.say(e510_two_conditions.at(rule.key("unless") or unless))


def _check_facts(corpus: Corpus, document: Document, tools: Mapping[str, Tool]) -> None:
    for _, _, fact in _entries(document, "facts"):
        name = fact.at("tool")
        if not corpus.has("Tool", name.value):
            corpus.say(e302_tool.at(name.place, str(name.value), corpus.of("Tool")))
        elif (tool := tools.get(str(name.value))) and (tool.effect != READ or tool.adapter.kind == HANDOFF):
            corpus.say(e507_fact_writes.at(name))


def covered(rule: Node, tools: Mapping[str, Tool]) -> list[str]:
    """The tools that a rule covers."""
    listed = rule.at("tools")
    excepted = set(rule.get("except").plain) if rule.get("except") else set()  # type: ignore[union-attr]
    if listed.items is not None:
        names = [str(item.value) for item in listed.items if item.value in tools]
    else:
        wanted = {"all": (READ, WRITE), "reads": (READ,), "writes": (WRITE,)}[str(listed.value)]
        names = [name for name, tool in sorted(tools.items()) if tool.effect in wanted]
    return [name for name in names if name not in excepted]


def link_guards(
    corpus: Corpus,
    policies: list[Document],
    offered: list[str],
    tools: Mapping[str, Tool],
    types: Types,
    session: t.Type,
) -> dict[str, Guard]:
    """What judges each tool of one agent, whose attributes have the type `session`."""
    parts: dict[str, list[PolicyRules]] = {name: [] for name in offered}
    for document in policies:
        params = {name: param(value) for name, _, value in _entries(document, "params")}
        for name in tools:
            rules = [r for r in document.node.at("rules").items or () if name in covered(r, tools)]
            if not rules:
                continue
            linked = _policy_for_tool(corpus, document, rules, params, name, tools, types, session)
            if name in parts:
                parts[name].append(linked)
    return {
        name: Guard(name, tools[name].effect == WRITE or tools[name].sensitive, tuple(parts[name])) for name in offered
    }


def _policy_for_tool(
    corpus: Corpus,
    document: Document,
    rules: list[Node],
    params: Mapping[str, Any],
    name: str,
    tools: Mapping[str, Tool],
    types: Types,
    session: t.Type,
) -> PolicyRules:
    base = gate_scope(session, types, name)
    base["params"] = t.Record({key: t.Field(t.of_value(value)) for key, value in params.items()}, "param")
    facts = {fact: node for fact, _, node in _entries(document, "facts")}
    known = {fact: _fact_type(str(node.at("tool").value), tools, types) for fact, node in facts.items()}
    scope = {**known, **base}
    linked = tuple(_rule(corpus, document, rule, scope, frozenset(facts)) for rule in rules)
    used = sorted(frozenset().union(*(rule.facts for rule in linked)))
    plain = document.plain
    return PolicyRules(
        document.name,
        params,
        {fact: _fact(corpus, fact, facts[fact], base, tools, facts) for fact in used},
        linked,
        plain.get("no_rule_allows", ""),
    )


def _fact_type(tool: str, tools: Mapping[str, Tool], types: Types) -> t.Type:
    """What a fact is; of one that can't be read, nothing is said twice."""
    return types[tool].output if tool in tools and tools[tool].effect == READ else t.UNKNOWN


def _rule(corpus: Corpus, document: Document, node: Node, scope: Scope, facts: frozenset[str]) -> Rule:
    when, unless = node.get("when"), node.get("unless")
    condition_node = when if when is not None else unless
    condition = expression(corpus, condition_node, scope, condition=True) if condition_node is not None else None
    message_node = node.get("message")
    known = None if condition is None else condition.if_true if when is not None else condition.if_false
    message = template(corpus, message_node, scope, known) if message_node is not None else None
    reads = (condition.reads if condition else frozenset()) | (message.reads if message else frozenset())
    plain = node.plain
    return Rule(
        id=plain["id"],
        policy=document.name,
        effect=Effect(plain["effect"]),
        condition=condition,
        negated=unless is not None,
        facts=reads & facts,
        reason=plain.get("reason") or plain["id"].replace("-", "_"),
        message=message,
        approvers=tuple(sorted(set(plain.get("approvers", ())))),
        place=f"{node.source.file}:{node.at('id').place.line}",
        source=plain.get("source", ""),
    )


def _fact(
    corpus: Corpus, name: str, node: Node, scope: Scope, tools: Mapping[str, Tool], facts: Mapping[str, Node]
) -> Fact:
    tool = str(node.at("tool").value)
    given = node.get("input")
    for _, _, value in given.pairs() if given is not None else ():
        other = next(
            (f for f in facts if isinstance(value.value, str) and value.value.split(".")[0] == f and f not in scope),
            None,
        )
        if other is not None:
            message = f"fact `{name}` depends on fact `{other}`, which is not available in this version"
            corpus.say(e205_not_available.at(value.place, message))
            return Fact(name, tool, {}, timedelta(0))
    schema = tools[tool].input_schema if tool in tools else None
    built = tool_input(corpus, given, node.at("tool"), tool, schema, scope)
    return Fact(name, tool, built, v.span(str(node.plain.get("max_age", "0s"))))


def param(node: Node) -> Any:
    """A param's value: text that is written plainly and reads as a duration is one."""
    if node.entries is not None:
        return {key: param(value) for key, _, value in node.pairs()}
    if node.items is not None:
        return [param(item) for item in node.items]
    if isinstance(node.value, str) and not node.style:
        span = v.duration(node.value)
        return node.value if span is None else span
    return node.value
