"""Policy documents to the guards of each agent's tools; every (rule, tool) pair is typed by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from engine.bundle.checks import (
    e204_value,
    e206_constraint,
    e301_duplicate_name,
    e302_tool,
    e312_reserved_name,
    e507_fact_writes,
    e510_two_conditions,
    e515_session_need,
    e516_never_matches,
)
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.approvers import attention_of, check_approvers, groups_of, names_of, naming_nodes
from engine.bundle.link.expressions import template
from engine.bundle.link.guarantees import guarantees
from engine.bundle.link.per_tool import PerToolDiagnostics
from engine.bundle.link.rule_coverage import check_reach, covered
from engine.bundle.link.shared_meters import reading_shared_meters
from engine.bundle.link.texts import check_says_something
from engine.bundle.link.word_nodes import ESTABLISHED, FACT, LET, RESERVED, WordNodes, entries, param, words_of
from engine.bundle.link.words import TYPES, Linker, session_type, time_of, type_word
from engine.bundle.node import Node
from engine.language import types
from engine.language.expression import Expression
from engine.language.functions import FUNCTIONS
from engine.language.value import span
from engine.policy.rule import Effect, Guard, PolicyRules, Rule
from engine.session.expression_names import ToolTypes, any_call_scope, gate_scope
from engine.spec.bundle import HANDOFF, READ, WRITE, Tool

Types = Mapping[str, ToolTypes]

# the type of an agent's meters for calls of a tool, or of whichever
MetersOf = Callable[[str], types.Type]


def check_policies(documents: DocumentSet, tools: Mapping[str, Tool]) -> None:
    """What can be said of policies and vocabularies before any agent uses them."""
    rules: dict[str, Node] = {}
    for document in (*documents.well_formed("Policy"), *documents.well_formed("Vocabulary")):
        for kind, what in ((FACT, "a fact"), (LET, "a let"), (ESTABLISHED, "an established value")):
            for name, key, _ in entries(document, kind):
                if name in RESERVED or name in FUNCTIONS:
                    documents.say(e312_reserved_name.at(key, what))
        _check_facts(documents, document, tools)
        _check_lets(documents, document)
    for document in documents.well_formed("Vocabulary"):
        for _, _, value in entries(document, "session"):
            _check_type(documents, value)
        for _, _, value in entries(document, ESTABLISHED):
            _check_type(documents, value.at("type"))
    for document in documents.well_formed("Policy"):
        words_of(documents, document, say=True)
        for item in document.node.at("rules").items or ():
            id_ = item.at("id")
            if str(id_.value) in rules:
                documents.say(e301_duplicate_name.at(id_, "rule", rules[str(id_.value)].place))
            rules.setdefault(str(id_.value), id_)
            _check_rule(documents, item)
        check_reach(documents, document, tools)


def _check_type(documents: DocumentSet, node: Node) -> None:
    if session_type(node) is None:
        documents.say(e204_value.at(node, "type", [*TYPES, *(f"{name}?" for name in TYPES)]))


def check_needs(documents: DocumentSet, policies: list[tuple[Node, Document]], session: types.Type) -> None:
    """What the policies of an agent need of the session, against the attributes that it declares."""
    for item, document in policies:
        for name, node in words_of(documents, document).session.items():
            wanted = session_type(node)
            if wanted is None or not isinstance(session, types.Record):
                continue
            have = session.fields.get(name)
            note = f"needed at {node.place}"
            if have is None:
                message = f"policy `{document.name}` needs the session attribute `{name}`"
                documents.say(e515_session_need.at(item.place, message, note))
            elif not _can_be(have.type, wanted):
                message = f"the session attribute `{name}` is {types.name(have.type)}, and must be {types.name(wanted)}"
                documents.say(e515_session_need.at(item.place, message, note))
            elif have.optional and not types.has_null(wanted):
                message = f"the session attribute `{name}` may be absent, and policy `{document.name}` needs it"
                documents.say(e515_session_need.at(item.place, message, note))


def _can_be(have: types.Type, wanted: types.Type) -> bool:
    """Whether every value of an attribute can be read as the wanted type: dates and durations are written as text."""
    written = types.is_a(wanted, types.Date, types.Datetime, types.Duration)
    return all(
        isinstance(option, types.Unknown)
        or (isinstance(option, types.Null) and types.has_null(wanted))
        or (isinstance(option, types.Text) and written)
        or any(_within(option, other) for other in types.options(wanted))
        for option in types.options(have)
    )


def _within(have: types.Type, wanted: types.Type) -> bool:
    """Whether every value of one plain type is one of the other's."""
    if isinstance(have, types.Text) and isinstance(wanted, types.Text) and wanted.among is not None:
        return have.among is not None and have.among <= wanted.among
    return type(have) is type(wanted)


def _check_rule(documents: DocumentSet, rule: Node) -> None:
    check_approvers(documents, rule)
    unless = rule.get("unless")
    if unless is not None and rule.get("when") is not None:
        documents.say(e510_two_conditions.at(rule.key("unless") or unless))


def _check_facts(documents: DocumentSet, document: Document, tools: Mapping[str, Tool]) -> None:
    for _, _, fact in entries(document, FACT):
        name = fact.at("tool")
        if not documents.has("Tool", name.value):
            documents.say(e302_tool.at(name.place, str(name.value), documents.of("Tool")))
        elif (tool := tools.get(str(name.value))) and (tool.effect is not READ or tool.adapter.kind == HANDOFF):
            documents.say(e507_fact_writes.at(name))


def _check_lets(documents: DocumentSet, document: Document) -> None:
    """A let that differs by tool names tools."""
    for _, _, value in entries(document, LET):
        for name, key, _ in value.pairs() if value.entries is not None else ():
            if not documents.has("Tool", name):
                documents.say(e302_tool.at(key.place, name, documents.of("Tool")))


def link_guards(
    documents: DocumentSet,
    policies: list[Document],
    offered: list[str],
    tools: Mapping[str, Tool],
    tool_types: Types,
    session: types.Type,
    meters: MetersOf,
) -> dict[str, Guard]:
    """What judges each tool of one agent, whose attributes have the type `session`."""
    parts: dict[str, list[PolicyRules]] = {name: [] for name in offered}
    promising: dict[str, list[PolicyRules]] = {name: [] for name in offered}
    for document in policies:
        used: set[str] = set()
        elsewhere: dict[str, list[bool]] = {}
        reach = [(rule, set(covered(rule, tools))) for rule in document.node.at("rules").items or ()]
        said = PerToolDiagnostics(documents, reach)
        for name in tools:
            rules = [rule for rule, covers in reach if name in covers]
            if not rules:
                if name in promising and document.node.get("guarantees") is not None:
                    promising[name] += _only_promising(documents, document, name, tools, tool_types, session, meters)
                continue
            linked, own = _policy_for_tool(documents, document, rules, name, tools, tool_types, session, meters)
            said.linked(name)
            used |= own
            for rule in linked.rules:
                elsewhere.setdefault(rule.id, []).append(_is_elsewhere(rule))
            if name in parts:
                parts[name].append(linked)
        said.say()
        for item in document.node.at("rules").items or ():
            if all(elsewhere.get(str(item.at("id").value), [False])):
                condition = item.get("when") or item.at("unless")
                help_ = "its condition asks for a tool that its `tools` do not list"
                documents.say(e516_never_matches.at(condition.place, str(item.at("id").value), help_))
        _check_idle_words(documents, document, used, tools, tool_types, session, meters)
    return {
        name: Guard(
            name, tools[name].effect is WRITE or tools[name].sensitive, tuple(parts[name]), tuple(promising[name])
        )
        for name in offered
    }


def _is_elsewhere(rule: Rule) -> bool:
    """Whether a rule's condition asks for another tool than the one it is linked for."""
    if rule.condition is None:
        return False
    told = rule.condition.if_false if rule.negated else rule.condition.if_true
    return told.get("call.name") == types.NEVER


def _check_idle_words(
    documents: DocumentSet,
    document: Document,
    used: set[str],
    tools: Mapping[str, Tool],
    tool_types: Types,
    session: types.Type,
    meters: MetersOf,
) -> None:
    """A word that no rule reads yet is typed all the same, against any call."""
    nodes = words_of(documents, document)
    idle = set(nodes.words) - used
    if not idle:
        return
    covering = {name for rule in document.node.at("rules").items or () for name in covered(rule, tools)}
    # the policy's own words are typed against its only tool; of several each may be meant for some, as in a vocabulary
    own = {name for kind in (FACT, LET, ESTABLISHED) for name, _, _ in entries(document, kind)}
    tool = covering.pop() if len(covering) == 1 else ""
    needs = _with_needs(session, nodes)
    for words, about in ((idle & own, tool), (idle - own, "")):
        base = gate_scope(needs, tool_types, about) if about else any_call_scope(needs, tool_types)
        base |= {"params": _params_type(nodes), "meters": meters(about)}
        time = time_of(documents, nodes, base["session"])
        Linker(documents, nodes, base, about, tools, tool_types, time.zone).link(words)


def _policy_for_tool(
    documents: DocumentSet,
    document: Document,
    rules: list[Node],
    name: str,
    tools: Mapping[str, Tool],
    tool_types: Types,
    session: types.Type,
    meters: MetersOf,
) -> tuple[PolicyRules, set[str]]:
    nodes = words_of(documents, document)
    base = gate_scope(_with_needs(session, nodes), tool_types, name)
    base |= {"params": _params_type(nodes), "meters": meters(name)}
    time = time_of(documents, nodes, base["session"])
    linker = Linker(documents, nodes, base, name, tools, tool_types, time.zone)
    linked = tuple(_rule(documents, document, rule, linker) for rule in rules)
    shared, linked = reading_shared_meters(linked, linker.lets, linker.facts)
    promises = guarantees(documents, document, linker)
    made = PolicyRules(
        document.name,
        {key: param(value) for key, value in nodes.params.items()},
        linker.facts,
        linked,
        document.plain.get("no_rule_allows", ""),
        linker.lets,
        linker.established,
        {key: word for key, node in nodes.session.items() if (word := type_word(node)) is not None},
        time,
        promises,
        shared,
    )
    return made, linker.told


def _only_promising(
    documents: DocumentSet,
    document: Document,
    name: str,
    tools: Mapping[str, Tool],
    tool_types: Types,
    session: types.Type,
    meters: MetersOf,
) -> list[PolicyRules]:
    """What a policy promises of a tool that none of its rules covers: nothing, if the promise has no meaning there."""
    said = len(documents.diagnostics)
    made, _ = _policy_for_tool(documents, document, [], name, tools, tool_types, session, meters)
    meaningless = len(documents.diagnostics) > said
    del documents.diagnostics[said:]
    return [] if meaningless else [made]


def _params_type(nodes: WordNodes) -> types.Type:
    return types.Record(
        {key: types.Field(types.of_value(param(value))) for key, value in nodes.params.items()}, "param"
    )


def _with_needs(session: types.Type, nodes: WordNodes) -> types.Type:
    """The session's type, its attributes read as the vocabularies say."""
    if not isinstance(session, types.Record):
        return session
    needs = {
        name: types.Field(type_, types.has_null(type_))
        for name, node in nodes.session.items()
        for type_ in [session_type(node) or types.UNKNOWN]
    }
    # what is missing is said where the agent lists the policy
    return types.Record({**session.fields, **needs})


def _rule(documents: DocumentSet, document: Document, node: Node, linker: Linker) -> Rule:
    when, unless, message_node = node.get("when"), node.get("unless"), node.get("message")
    reached = linker.need(when, unless, message_node, node.get("release_unless"), *naming_nodes(node))
    condition_node = when if when is not None else unless
    condition, sound = None, False
    if condition_node is not None:
        said = len(documents.diagnostics)
        condition = linker.expression(condition_node, linker.scope, condition=True)
        sound = len(documents.diagnostics) == said
    known = None if condition is None else condition.if_true if when is not None else condition.if_false
    never = known is not None and types.NEVER in known.values() and known.get("call.name") != types.NEVER
    if never and sound and condition_node is not None:
        documents.say(e516_never_matches.at(condition_node.place, str(node.at("id").value)))
    around = replace(linker.around, refinements={**linker.around.refinements, **(known or {})})
    check_says_something(documents, message_node)
    message = template(documents, message_node, linker.scope, around, linker.tell) if message_node is not None else None
    plain = node.plain
    return Rule(
        id=plain["id"],
        policy=document.name,
        effect=Effect(plain["effect"]),
        condition=condition,
        negated=unless is not None,
        facts=reached,
        reason=plain.get("reason") or plain["id"].replace("-", "_"),
        message=message,
        approvers=tuple(sorted(set(groups_of(node.get("approvers"))))),
        names_of=tuple(names_of(documents, node, linker, around)),
        people=plain.get("count", 1),
        distinct=plain.get("distinct", False),
        note=plain.get("note") == "required",
        second=Decimal(str(plain.get("second", "0%")).removesuffix("%")),
        settle_delay=span(plain.get("settle_delay", "0s")),
        attention=attention_of(plain),
        place=f"{node.source.file}:{node.at('id').place.line}",
        source=plain.get("source", ""),
        disclose=plain.get("disclose", True),
        release=_release(documents, node, linker),
    )


def _release(documents: DocumentSet, node: Node, linker: Linker) -> Expression | None:
    """The condition under which a read's result goes to the planner; its facts are read before the call starts."""
    release = node.get("release_unless")
    if release is None:
        return None
    if node.at("effect").value != Effect.DENY:
        documents.say(e206_constraint.at(node.key("release_unless") or release, "release_unless", _RELEASE))
    elif linker.effect is not READ:
        message = "is for reads: a write has happened when its result is there"
        documents.say(e206_constraint.at(node.key("release_unless") or release, "release_unless", message))
    scope = {**linker.scope, "output": linker.output}
    return linker.expression(release, scope, condition=True)


_RELEASE = "stands in a rule with `effect: deny`"
