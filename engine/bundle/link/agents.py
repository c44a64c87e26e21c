"""Agent documents to agents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from engine.bundle.checks import (
    e206_constraint,
    e302_tool,
    e303_policy,
    e304_prompt,
    e307_reviewers,
    e310_planner,
    e404_operand,
    e502_covers_nothing,
    e503_last_outcome,
    e517_runtime_only,
    e518_sealed,
    e520_compared_with,
    w601_many_tools,
    w602_alike_tools,
)
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.agent_lets import link_lets
from engine.bundle.link.expressions import Scope, expression, template
from engine.bundle.link.limits import limits
from engine.bundle.link.linker import PlannerLinker
from engine.bundle.link.meters import link_meters
from engine.bundle.link.planners import link_planner
from engine.bundle.link.policies import check_needs, link_guards
from engine.bundle.link.rule_coverage import covered
from engine.bundle.link.schemas import schema, usable
from engine.bundle.link.texts import check_says_something, link_ends, link_follow_up, link_texts
from engine.bundle.link.validators import validator
from engine.bundle.node import Node
from engine.bundle.variables import PLANNER
from engine.diagnostic import did_you_mean
from engine.language import types
from engine.language.expression import Expression
from engine.language.schema_types import of_schema
from engine.language.type_context import TypeContext
from engine.session.expression_names import ToolTypes, let_scope, meters_type, planner_scope, stop_scope
from engine.session.marks import Marks
from engine.session.sensitivity import is_marked
from engine.spec.bundle import Agent, Seal, StopRule, Tool
from engine.spec.limits import ANY_CROSSING, LIMITS, REVIEW
from engine.spec.planner_spec import CLIENT, Price

MANY_TOOLS = 8


def attributes_type(document: Document) -> types.Type:
    """The type of an agent's session attributes; of a schema that can't be used nothing can be missed."""
    node = document.node.get("attributes")
    if node is None:
        return types.Record({})
    return of_schema(node.plain) if usable(node.plain) else types.UNKNOWN


def link_agent(
    documents: DocumentSet,
    document: Document,
    tools: Mapping[str, Tool],
    tool_types: Mapping[str, ToolTypes],
    prices: Mapping[str, Price],
) -> Agent:
    """The agent that a document describes; what is wrong with it is said."""
    node, plain = document.node, document.plain
    attributes, _ = schema(documents, node.get("attributes"))
    session = attributes_type(document)
    offered = _tools(documents, node, tools)
    listed = node.get("tools")
    whole = listed is None or all(documents.has("Tool", item.value) for item in listed.items or ())
    policies = _policies(documents, node, offered, tools)
    check_needs(documents, _listed_policies(node, policies), session)
    _check_limits(documents, node, tools)
    _check_crossings(documents, node)
    _check_keys(documents, offered, tool_types, session)
    chain = _chain(documents, node)
    prompt = plain.get("prompt")
    if prompt is not None and not documents.has_prompt(prompt):
        documents.say(e304_prompt.at(node.at("prompt").place, prompt, documents.prompts))
    meters = link_meters(documents, node.get("budgets"), tool_types, session)
    lets = link_lets(documents, document, let_scope(session, tool_types))
    table = {**planner_scope(session, tool_types), **lets.let_types}
    stop = {**stop_scope(session, tool_types), **lets.let_types}
    guards = link_guards(
        documents, policies, offered, tools, tool_types, session, lambda tool: meters_type(meters, tool)
    )

    def linker(value: Node) -> PlannerLinker:
        return PlannerLinker(documents, value, table, tuple(offered), whole, tools, prices, around=lets.around)

    return Agent(
        name=document.name,
        description=plain["description"],
        planner=chain[0],
        fallback=tuple(chain[1:]),
        planners={name: link_planner(linker(value)) for name, _, value in node.at("planners").pairs()},
        prompt=prompt,
        tools=tuple(offered),
        guards=guards,
        meters=meters,
        limits=limits(plain.get("budgets", {})),
        stop=_stop(documents, node.at("stop"), stop, lets.around),
        ends=link_ends(documents, node.get("ends"), stop, lets.around),
        texts=link_texts(
            documents, node.get("texts"), session, guards, whole=len(policies) == len(set(plain.get("policies", [])))
        ),
        attributes=attributes or {},
        requester=_requester(documents, node, session),
        variables={p: documents.variables.of(PLANNER, f"{document.name} {p}") for p in plain["planners"]},
        check_attributes=validator(attributes),
        lets=lets.expressions,
        seal=_seal(documents, node, tools, Marks(attributes or {}, meters), offered),
    )


def _seal(
    documents: DocumentSet, node: Node, tools: Mapping[str, Tool], marks: Marks, offered: Iterable[str]
) -> Seal | None:
    """The keys for sensitive values, which an agent needs whose attributes or tools have some."""
    declared: str | list[str] | None = node.plain.get("sealed_with")
    marked = [f"tool `{tool.name}`" for tool in tools.values() if is_marked([tool.input_schema, tool.output_schema])]
    if is_marked(node.plain.get("attributes")):
        marked.insert(0, "its attributes")
    if marked and declared is None:
        missing = e518_sealed.at(node.at("name"), str(node.at("name").value), marked[0])
        # one stored before may have a mark that was none then
        documents.say(replace(missing, on_entry=True))
    if not marked or declared is None:
        return None
    keys = (declared,) if isinstance(declared, str) else tuple(declared)
    person = node.plain.get("sealed_for")
    attributes = node.plain.get("attributes", {"type": "object"})
    if person is not None and usable(attributes) and not _is_told(attributes, person):
        documents.say(e206_constraint.at(node.at("sealed_for"), "sealed_for", "is an attribute that is required"))
    comparing = node.plain.get("compared_with")
    if comparing is None and len(keys) > 1:
        told = next((name for name in offered if name in tools and marks.compares(tools[name])), None)
        if told is not None:
            documents.say(e520_compared_with.at(node.at("sealed_with"), told, keys[-1]))
    return Seal(keys, keys[-1] if comparing is None else comparing, person)


def _is_told(attributes: Any, name: str) -> bool:
    """Whether every session says what an attribute is."""
    required = attributes.get("required") if isinstance(attributes, Mapping) else None
    return isinstance(required, list) and name in required


def _chain(documents: DocumentSet, node: Node) -> list[str]:
    """The planner, and those that stand in for it, in their order."""
    declared = node.at("planner")
    items = [declared] if declared.items is None else declared.items
    names: list[str] = []
    for item in items:
        name = str(item.value)
        if node.at("planners").get(name) is None:
            documents.say(e310_planner.at(item.place, name, node.plain["planners"]))
        if name in names:
            documents.say(e206_constraint.at(item, name, "stands in the chain already"))
        if len(items) > 1 and node.plain["planners"].get(name, {}).get("kind") == CLIENT:
            documents.say(
                e206_constraint.at(item, name, "is a client, which is waited for: nothing can stand in for it")
            )
        names.append(name)
    return names


def _listed_policies(node: Node, policies: list[Document]) -> list[tuple[Node, Document]]:
    by_name = {document.name: document for document in policies}
    listed = node.get("policies")
    items = (listed.items or ()) if listed is not None else ()
    return [(item, by_name[str(item.value)]) for item in items if str(item.value) in by_name]


def _check_limits(documents: DocumentSet, node: Node, tools: Mapping[str, Tool]) -> None:
    """A limit of a tool that does not exist limits nothing."""
    for name, key, _ in node.at("budgets", "calls_per_tool").pairs() if node.get("budgets") is not None else ():
        if name != "other" and node.at("budgets").get("calls_per_tool") is not None and not documents.has("Tool", name):
            help_ = did_you_mean(name, {*documents.of("Tool"), "other"})
            documents.say(e302_tool.at(key.place, name, documents.of("Tool"), help_))


def _check_crossings(documents: DocumentSet, node: Node) -> None:
    """A limit that asks for more says how much, and whom; one that does not asks nobody."""
    budgets = node.get("budgets")
    listed = [*budgets.pairs()] if budgets is not None else []
    meters = budgets.get("meters") if budgets is not None else None
    listed += [*meters.pairs()] if meters is not None else []
    for name, _, limit in listed:
        crossing = limit.get("crossing") if limit.entries is not None else None
        if crossing is None:
            continue
        known = LIMITS[name].crossings if name in LIMITS else ANY_CROSSING
        if crossing.value in ANY_CROSSING and crossing.value not in known:
            allowed = " or ".join(f"`{one}`" for one in known)
            documents.say(e206_constraint.at(crossing, "crossing", f"is {allowed}: every step has its calls anew"))
        for key in ("extend_by", "reviewers"):
            given = limit.get(key)
            if crossing.value == REVIEW and given is None:
                documents.say(e206_constraint.at(crossing, "review", f"needs `{key}` beside it"))
            elif crossing.value != REVIEW and given is not None:
                documents.say(e206_constraint.at(limit.key(key) or given, key, "is for `crossing: review`"))
        group = limit.get("reviewers")
        if group is not None and not documents.has("Reviewers", group.value):
            documents.say(e307_reviewers.at(group.place, str(group.value), documents.of("Reviewers")))


def _requester(documents: DocumentSet, node: Node, session: types.Type) -> Expression | None:
    """Who can't approve what the session does, by an attribute of it; a text that is always there."""
    asked = node.get("requester")
    if asked is None:
        return None
    compiled = expression(documents, asked, {"session": session})
    if compiled is None:
        return None
    if not all(isinstance(option, types.Text | types.Unknown) for option in types.options(compiled.type)):
        null = "; where it is null, whoever asked could approve" if types.has_null(compiled.type) else ""
        message = f"this is {types.name(compiled.type)}, and a requester is a person's name{null}"
        help_ = "make the attribute required, and text" if null else ""
        documents.say(e404_operand.at(asked.place, message, help_))
    elif not compiled.reads:
        documents.say(e404_operand.at(asked.place, "this is the same for every session", "name an attribute of it"))
    return compiled


def _check_keys(
    documents: DocumentSet, offered: list[str], tool_types: Mapping[str, ToolTypes], session: types.Type
) -> None:
    """The keys of writes are typed against each agent that offers them: another has other attributes."""
    for name in offered:
        declared = documents.of("Tool")[name].node.get("idempotency")
        for item in (declared.at("key").items or ()) if declared is not None and declared.entries else ():
            expression(documents, item, {"input": tool_types[name].input, "session": session})


def _tools(documents: DocumentSet, node: Node, tools: Mapping[str, Tool]) -> list[str]:
    listed = node.get("tools")
    offered: list[str] = []
    for item in (listed.items or ()) if listed is not None else ():
        name = str(item.value)
        if not documents.has("Tool", name):
            documents.say(e302_tool.at(item.place, name, documents.of("Tool")))
            continue
        if (
            documents.of("Tool").get(name) is not None
            and documents.of("Tool")[name].plain.get("offered_to") == "runtime"
        ):
            documents.say(e517_runtime_only.at(item.place, name))
            continue
        alike = next((other for other in offered if _alike(name, other)), None)
        if alike is not None:
            documents.say(w602_alike_tools.at(item, alike))
        if name in tools and name not in offered:
            offered.append(name)
    return offered


def check_many_tools(documents: DocumentSet, most: int) -> None:
    """Agents that are offered more tools than that."""
    for document in documents.well_formed("Agent"):
        listed = document.node.get("tools")
        if listed is not None and len(listed.items or ()) > most:
            key = document.node.key("tools") or listed
            documents.say(w601_many_tools.at(key, len(listed.items or ()), most))


def _alike(a: str, b: str) -> bool:
    """Whether two tool names differ in no more than one letter, or only in order or joining of their words."""
    if a == b:
        return False
    if sorted(a.split("_")) == sorted(b.split("_")) or a.replace("_", "") == b.replace("_", ""):
        return True
    if abs(len(a) - len(b)) > 1 or min(len(a), len(b)) < 4:
        return False
    short, long = sorted((a, b), key=len)
    if len(short) == len(long):
        return sum(x != y for x, y in zip(short, long, strict=True)) <= 1
    return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


def _policies(documents: DocumentSet, node: Node, offered: list[str], tools: Mapping[str, Tool]) -> list[Document]:
    listed = node.get("policies")
    found: list[Document] = []
    for item in (listed.items or ()) if listed is not None else ():
        name = str(item.value)
        document = documents.of("Policy").get(name)
        if document is None and not documents.has("Policy", name):
            documents.say(e303_policy.at(item.place, name, documents.of("Policy")))
        elif document is not None and document.well_formed and document not in found:
            found.append(document)
            rules = document.node.at("rules").items or []
            reach = {tool for rule in rules for tool in covered(rule, tools)}
            known = (
                all(tool.value in documents.of("Tool") for tool in node.at("tools").items or ())
                if node.get("tools")
                else True
            )
            if reach and offered and known and documents.readable("Tool") and not reach & set(offered):
                documents.say(e502_covers_nothing.at(item, name, "this agent"))
    return found


def _stop(documents: DocumentSet, node: Node, scope: Scope, around: TypeContext) -> tuple[StopRule, ...]:
    items = node.items or []
    last = items[-1]
    when = last.get("when")
    if last.plain.get("on", "done") != "done":
        documents.say(e503_last_outcome.at(last.key("on") or last, "the last outcome must be tried `on: done`"))
    elif when is not None:
        documents.say(e503_last_outcome.at(last.key("when") or when))
    return tuple(_outcome(documents, item, scope, around) for item in items)


def _outcome(documents: DocumentSet, item: Node, scope: Scope, around: TypeContext) -> StopRule:
    node = item.get("when")
    when = expression(documents, node, scope, condition=True, around=around) if node is not None else None
    in_context = replace(around, refinements=when.if_true) if when is not None else around
    check_says_something(documents, item.get("message"))
    message = template(documents, item.get("message"), scope, in_context)
    return StopRule(item.plain["outcome"], when, item.plain.get("on", "done"), message, link_follow_up(documents, item))
