"""What an agent's customers are told: at ends that are no outcomes, and by reason."""

from __future__ import annotations

from collections.abc import Mapping

from engine.bundle.checks import e201_unknown_key, e206_constraint, e307_reviewers
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.expressions import Scope, template
from engine.bundle.node import Node
from engine.language import types
from engine.language.blank_text import says_something
from engine.language.template import Template
from engine.language.type_context import TypeContext
from engine.policy.rule import Guard
from engine.session.customer_texts import ENDS, TEXTS
from engine.spec.bundle import End, FollowUp


def link_ends(documents: DocumentSet, node: Node | None, scope: Scope, around: TypeContext) -> dict[str, End]:
    """What the agent says itself, by the state that a session ends in."""
    ends: dict[str, End] = {}
    for state in ENDS:
        declared = node.get(state) if node is not None else None
        if declared is not None and declared.entries is not None:
            check_says_something(documents, declared.get("message"))
            message = template(documents, declared.get("message"), scope, around)
            ends[state] = End(message, link_follow_up(documents, declared))
    return ends


def link_follow_up(documents: DocumentSet, end: Node) -> FollowUp | None:
    """What an end promises, if it does."""
    promised = end.get("follow_up")
    if promised is None or promised.entries is None:
        return None
    group = promised.at("reviewers")
    if not documents.has("Reviewers", group.value):
        documents.say(e307_reviewers.at(group.place, str(group.value), documents.of("Reviewers")))
    return FollowUp(str(group.value), str(promised.at("note").value))


def link_texts(
    documents: DocumentSet, node: Node | None, session: types.Type, guards: Mapping[str, Guard], *, whole: bool
) -> dict[str, Template]:
    """The agent's texts, each of a reason of the engine's own or of a rule that judges its calls.

    Where the agent's policies are not `whole`, a reason may be that of a rule that could not be read.
    """
    rules = {rule.reason for guard in guards.values() for policy in guard.policies for rule in policy.rules}
    found: dict[str, Template] = {}
    for reason, key, value in node.pairs() if node is not None else ():
        if whole and reason not in TEXTS and reason not in rules:
            documents.say(e201_unknown_key.at(key, {*TEXTS, *rules}, node.plain if node is not None else ()))
        check_says_something(documents, value)
        found[reason] = template(documents, value, {"session": session})
    return found


def check_says_something(documents: DocumentSet, node: Node | None) -> None:
    """A message as it is written tells somebody something; else what is told instead is no choice of the author's."""
    if node is None or not isinstance(node.value, str) or "{{" in node.value or says_something(node.value):
        return
    told = "says nothing: leave it out, and the text of its reason is told"
    documents.say(e206_constraint.on_entry(node, "message", told))
