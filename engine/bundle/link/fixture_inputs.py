"""What fixtures say of the inputs of calls: one that no call can have is never met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.bundle.checks import e509_input
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.validators import validator
from engine.bundle.node import Node
from engine.diagnostic import did_you_mean, nearest
from engine.spec.bundle import Tool

# what says something of each field; the rest is about an input as a whole
_OF_FIELDS = ("type", "properties", "patternProperties", "additionalProperties", "$defs")


def check_inputs(documents: DocumentSet, document: Document, tools: Mapping[str, Tool]) -> None:
    """Say which inputs that a stub waits for, or a customer says yes to beforehand, no call can have."""
    for name, given, whole in _tool_inputs(document.node):
        tool = tools.get(name)
        if tool is None or not tool.input_schema:
            continue
        schema = tool.input_schema
        properties = schema.get("properties", {})
        unknown = [key for field, key, _ in given.pairs() if field not in properties]
        if unknown and (schema.get("additionalProperties") is False or _near(unknown, properties)):
            for key in unknown:
                help_ = did_you_mean(str(key.value), properties)
                documents.say(e509_input.on_entry(key.place, f"tool `{name}` takes no `{key.value}`", help_))
            continue
        check = tool.check_input if whole else validator({key: schema[key] for key in _OF_FIELDS if key in schema})
        for problem in check(given.plain)[:1]:
            documents.say(e509_input.on_entry(given.place, f"tool `{name}` is never called with this: {problem}"))


def _near(keys: list[Node], properties: Mapping[str, Any]) -> bool:
    return all(nearest(str(key.value), properties) is not None for key in keys)


def _tool_inputs(node: Node) -> Iterator[tuple[str, Node, bool]]:
    """A tool's name, fields of its input, and whether they are the whole of it."""
    stubs, then = node.get("stubs"), node.get("then")
    for name, _, stub in stubs.pairs() if stubs is not None else ():
        calls = stub.get("calls")
        for one in (calls.items or ()) if calls is not None else ():
            found = one.get("input")
            if found is not None:
                yield name, found, False
    for item in (then.items or ()) if then is not None else ():
        said = item.get("confirmed")
        if said is not None and said.entries is not None:
            given = said.get("input")
            if given is not None:
                yield str(said.at("tool").value), given, True
