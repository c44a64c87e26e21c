"""Which tools a rule covers."""

from __future__ import annotations

from collections.abc import Mapping

from engine.bundle.checks import e302_tool, e502_covers_nothing, e519_rule_covers_nothing
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.node import Node
from engine.bundle.value_suggestions import group_meant
from engine.spec.bundle import READ, WRITE, Tool


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


def check_reach(documents: DocumentSet, document: Document, tools: Mapping[str, Tool]) -> None:
    """What a policy's rules name has to be there, and each of them covers something."""
    rules = document.node.at("rules").items or []
    named = [(rule, _tool_names(rule)) for rule in rules]
    for _, names in named:
        for node in names:
            if not documents.has("Tool", node.value):
                word = group_meant(str(node.value))
                help_ = f"write `tools: {word}`, without a list" if word else ""
                documents.say(e302_tool.at(node.place, str(node.value), documents.of("Tool"), help_))
    # a tool that can't be read may be the one that a rule covers
    if not documents.readable("Tool"):
        return
    known = [rule for rule, names in named if all(node.value in tools for node in names)]
    idle = [rule for rule in known if not covered(rule, tools)]
    if len(idle) == len(rules):
        documents.say(e502_covers_nothing.at(document.node.at("name"), document.name, "the bundle"))
        return
    for rule in idle:
        documents.say(e519_rule_covers_nothing.at(rule.at("tools"), str(rule.at("id").value)))


def _tool_names(rule: Node) -> list[Node]:
    excepted = rule.get("except")
    return [*(rule.at("tools").items or ()), *((excepted.items or ()) if excepted else ())]
