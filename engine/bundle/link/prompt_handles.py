"""Marked attributes in prompts: a prompt is given a handle for each, a text that says nothing of the value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.bundle.checks import e404_operand
from engine.bundle.document_set import DocumentSet
from engine.diagnostic import Place, SourceFile
from engine.session.sensitivity import sensitive_values
from engine.spec.bundle import Agent

# what the value itself may be like, and its handle never is
_NEVER = frozenset({"boolean", "integer", "number", "array"})

# what is true of a handle where it is of the value
_TESTS = frozenset({"none", "defined", "undefined"})


def check_handles(documents: DocumentSet, agents: Iterable[Agent]) -> None:
    """No prompt asks of a handle what only the value could say: it would always get the same answer."""
    for agent in agents:
        source = documents.prompts.get(agent.prompt or "")
        if source is None or agent.seal is None or "session" not in source.text:
            continue
        for name, line in sorted(set(_handle_uses(source, agent.attributes))):
            message = (
                f"`session.{name}` is marked x-sensitive: a prompt has its handle, which says nothing of the value"
            )
            help_ = "have a rule or another attribute, which is not marked, say what the prompt has to know"
            documents.say(replace(e404_operand.at(_place(source, line, name), message, help_), on_entry=True))


def _handle_uses(source: SourceFile, attributes: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The marked attributes that are compared, reckoned with or taken for true or false, each with its line."""
    from jinja2 import TemplateSyntaxError
    from jinja2 import nodes as jinja_nodes

    from engine.prompt_language import PromptEnvironment

    nodes: Any = jinja_nodes

    def marked(node: Any) -> bool:
        read = isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "session"
        return read and bool(list(sensitive_values({node.attr: ""}, attributes)))

    try:
        tree = PromptEnvironment().checked(source.text)
    except TemplateSyntaxError:
        return
    truths = [one.test for one in tree.find_all((nodes.If, nodes.CondExpr))]
    truths += [one.node for one in tree.find_all(nodes.Not)]
    truths += [side for one in tree.find_all((nodes.And, nodes.Or)) for side in (one.left, one.right)]
    for node in truths:
        # of a text it says whether there is one
        if marked(node) and _types(attributes, node.attr) & _NEVER:
            yield node.attr, node.lineno
    for node in tree.find_all((nodes.Compare, nodes.BinExpr, nodes.Test)):
        if isinstance(node, nodes.Compare):
            sides = [node.expr, *(one.expr for one in node.ops)]
        elif isinstance(node, nodes.Test):
            sides = [] if node.name in _TESTS else [node.node]
        else:
            sides = [] if isinstance(node, nodes.And | nodes.Or) else [node.left, node.right]
        if not any(isinstance(side, nodes.Const) and side.value is None for side in sides):
            yield from ((side.attr, side.lineno) for side in sides if marked(side))


def _types(attributes: Mapping[str, Any], name: str) -> set[str]:
    """The types that a schema names for an attribute."""
    properties = attributes.get("properties", {})
    found = properties[name].get("type", ()) if isinstance(properties.get(name), Mapping) else ()
    return {found} if isinstance(found, str) else set(found)


def _place(source: SourceFile, line: int, word: str) -> Place:
    column = max(source.line(line).find(word), 0) + 1
    return Place(source.file, line, column, line, column + len(word))
