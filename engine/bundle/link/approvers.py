"""Whom a rule asks: groups of reviewers, whole or those of them whom an expression names, or the customer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from engine.bundle.checks import e307_reviewers, e404_operand, e508_approvers
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.expressions import expression
from engine.bundle.link.words import Linker
from engine.bundle.node import Node
from engine.diagnostic import nearest
from engine.language import types
from engine.language.expression import Expression
from engine.language.type_context import TypeContext
from engine.language.value import duration, span
from engine.policy.rule import CUSTOMER, Attention, Effect

# a yes is taken back by who has slipped, and the question does not expire meanwhile
LONGEST_DELAY = timedelta(days=1)


def check_approvers(documents: DocumentSet, rule: Node) -> None:
    """Only who asks asks somebody, and whom it asks there is."""
    approvers = rule.get("approvers")
    asks = rule.at("effect").value == Effect.REQUIRE_APPROVAL
    if asks and not _items(approvers):
        groups = ", ".join(f"`{name}`" for name in sorted({*documents.of("Reviewers"), CUSTOMER}))
        message = "a rule that asks for approval must name its approvers"
        documents.say(e508_approvers.at(rule.at("effect"), message, f"add `approvers: [...]`, of {groups}"))
    if approvers is not None and not asks:
        documents.say(e508_approvers.at(approvers, "only a rule with `effect: require_approval` has approvers"))
    for item in _items(approvers):
        _check_group(documents, item, groups_of(approvers))
    _check_people(documents, rule, asks=asks)


def _check_group(documents: DocumentSet, item: Node, names: Sequence[str]) -> None:
    """A group is defined; one that facts alone fill needs no document, if its name is no slip of another's."""
    group = _group(item)
    name = str(group.value)
    if group is item:
        if name != CUSTOMER and not documents.has("Reviewers", name):
            documents.say(e307_reviewers.at(group.place, name, [*documents.of("Reviewers"), CUSTOMER]))
    elif name == CUSTOMER:
        documents.say(e508_approvers.at(group, "the customer is one person, whom nothing else names"))
    elif not documents.has("Reviewers", name) and nearest(name, documents.of("Reviewers")) is not None:
        documents.say(e307_reviewers.at(group.place, name, documents.of("Reviewers")))
    elif names.count(name) > 1:
        message = f"the group `{name}` is asked in another way as well"
        documents.say(e508_approvers.at(group, message, "say in one `of` who is asked: it may be a list"))


def _check_people(documents: DocumentSet, rule: Node, *, asks: bool) -> None:
    """Only who asks can ask several people, and there have to be so many."""
    for key in ("count", "distinct", "note", "second", "settle_delay", "remind", "escalate"):
        given = rule.get(key)
        if given is not None and not asks:
            message = f"only a rule with `effect: require_approval` has `{key}`"
            documents.say(e508_approvers.at(rule.key(key) or given, message))
    count, second, approvers = rule.get("count"), rule.get("second"), rule.get("approvers")
    note = rule.get("note")
    if asks and note is not None and note.value == "required" and CUSTOMER in groups_of(approvers):
        documents.say(e508_approvers.at(note, "a customer says yes or no, and no note"))
    delay = rule.get("settle_delay")
    if asks and delay is not None and CUSTOMER in groups_of(approvers):
        documents.say(e508_approvers.at(delay, "a customer's yes counts at once"))
    elif asks and delay is not None and (duration(str(delay.value)) or LONGEST_DELAY) > LONGEST_DELAY:
        documents.say(e508_approvers.at(delay, "a yes waits for a day at most", "write `24h`, or less"))
    draws = second is not None and str(second.value).strip("0.%") != ""
    _check_escalation(documents, rule)
    wanted = second if draws else count
    if wanted is None or approvers is None or not asks:
        return
    needed = (count.value if count is not None else 1) + draws
    names = groups_of(approvers)
    known = documents.of("Reviewers")
    if _naming(approvers) or not all(name == CUSTOMER or name in known for name in names):
        return  # who they are is known when the call is judged, or is wrong already
    plain = [known[name].plain for name in names if name != CUSTOMER]
    people = {person for group in plain for person in group.get("members", ())} | ({CUSTOMER} & set(names))
    if len(people) < needed and not any(group.get("roles") for group in plain):
        message = f"the rule asks {needed} people, and its approvers are {len(people)}"
        documents.say(e508_approvers.at(wanted, message, "add members, or groups"))


def _check_escalation(documents: DocumentSet, rule: Node) -> None:
    """Who is told later is asked, beside others who are told at once."""
    escalation = rule.get("escalate")
    if escalation is None or rule.get("approvers") is None:
        return
    to, asked = escalation.at("to"), groups_of(rule.get("approvers"))
    if to.value == CUSTOMER:
        documents.say(e508_approvers.at(to, "a customer is told by whoever talks to them, and not by the engine"))
    elif to.value not in asked:
        message = f"`{to.value}` is told, and could not answer: it is none of the rule's approvers"
        documents.say(e508_approvers.at(to, message, "add the group to `approvers`"))
    elif not {*asked} - {to.value, CUSTOMER}:
        documents.say(e508_approvers.at(to, "nobody else is asked before: name another group in `approvers`"))


def attention_of(plain: Mapping[str, Any]) -> Attention | None:
    """When a rule has its people reminded, and whom it has told later."""
    remind, later = plain.get("remind") or (), plain.get("escalate")
    if not remind and later is None:
        return None
    escalate = ((later["to"], span(later["after"])),) if later is not None else ()
    return Attention(tuple(sorted({span(text) for text in remind})), escalate)


def groups_of(approvers: Node | None) -> list[str]:
    """The names of the groups that a rule asks."""
    return [str(_group(item).value) for item in _items(approvers)]


def named_groups(documents: DocumentSet) -> set[str]:
    """The groups of which some rule asks people by name, be there documents of them or not."""
    rules = [rule for policy in documents.well_formed("Policy") for rule in policy.node.at("rules").items or ()]
    return {str(_group(item).value) for rule in rules for item in _naming(rule.get("approvers"))}


def naming_nodes(rule: Node) -> list[Node]:
    """What is written of who is asked of groups."""
    return [item.at("of") for item in _naming(rule.get("approvers"))]


def names_of(
    documents: DocumentSet, rule: Node, linker: Linker, around: TypeContext
) -> Iterator[tuple[str, Expression]]:
    """By group the expression that names the people of it, as it reads where the rule matches."""
    for item in sorted(_naming(rule.get("approvers")), key=lambda item: str(_group(item).value)):
        node = item.at("of")
        compiled = expression(documents, node, linker.scope, around=around, tell=linker.tell)
        if compiled is None:
            continue
        if not all(map(_names_people, types.options(compiled.type))):
            message = f"this is {types.name(compiled.type)}, and people are named by a text or a list of texts"
            help_ = "let the rule's condition say that it is not null, and another rule ask for the rest"
            documents.say(e404_operand.at(node.place, message, help_ if types.has_null(compiled.type) else ""))
        yield str(_group(item).value), compiled


def _names_people(option: types.Type) -> bool:
    listed = option.item if isinstance(option, types.ListOf | types.SetOf) else option
    return all(isinstance(one, types.Text | types.Unknown) for one in types.options(listed))


def _items(approvers: Node | None) -> Sequence[Node]:
    return (approvers.items or ()) if approvers is not None else ()


def _group(item: Node) -> Node:
    return item.at("group") if item.entries is not None else item


def _naming(approvers: Node | None) -> list[Node]:
    return [item for item in _items(approvers) if item.entries is not None]
