"""Probes: reads that find out whether a write happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.bundle.checks import e206_constraint, e302_tool, e507_fact_writes
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.expressions import expression
from engine.bundle.link.inputs import tool_input
from engine.bundle.node import Node
from engine.language import types
from engine.session.expression_names import ToolTypes
from engine.spec.bundle import READ, WRITE, Probe, Tool


def link_probes(
    documents: DocumentSet, tools: Mapping[str, Tool], tool_types: Mapping[str, ToolTypes], session: types.Type
) -> dict[str, Tool]:
    """The tools with their probes, which are linked when all tools are known."""
    found = dict(tools)
    for document in documents.well_formed("Tool"):
        node = document.node.get("probe")
        if node is not None and node.entries is not None:
            found[document.name] = replace(
                tools[document.name], probe=_probe(documents, node, tools[document.name], tools, tool_types, session)
            )
    return found


def _probe(
    documents: DocumentSet,
    node: Node,
    of: Tool,
    tools: Mapping[str, Tool],
    tool_types: Mapping[str, ToolTypes],
    session: types.Type,
) -> Probe | None:
    name = node.at("tool")
    if of.effect is not WRITE:
        documents.say(e206_constraint.at(node, "probe", "is for writes: a read can always run again"))
    if not documents.has("Tool", name.value):
        documents.say(e302_tool.at(name.place, str(name.value), documents.of("Tool")))
        return None
    reader = tools.get(str(name.value))
    if reader is None:
        return None
    if reader.effect is not READ:
        documents.say(e507_fact_writes.at(name))
    scope: dict[str, types.Type] = {"input": tool_types[of.name].input, "session": session}
    wide = {**scope, "output": tool_types[reader.name].output}
    given = tool_input(documents, node.get("input"), name, reader.name, reader.input_schema, scope)
    happened = expression(documents, node.at("happened"), wide, condition=True)
    listed = node.get("result")
    result = {field: expression(documents, value, wide) for field, _, value in (listed.pairs() if listed else ())}
    if happened is None:
        return None
    kept = {field: compiled for field, compiled in result.items() if compiled is not None}
    return Probe(reader.name, given, happened, kept if listed is not None else None)
