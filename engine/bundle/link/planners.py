"""Planners that need no model: a decision table, a script; and the door for every kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.bundle.checks import e302_tool, e317_kind, e504_last_row
from engine.bundle.link.expressions import expression, template
from engine.bundle.link.inputs import tool_input
from engine.bundle.link.linker import PlannerLinker, linked
from engine.bundle.node import Node
from engine.ports.kinds import InstalledKind, UnusableKind, planner_kind
from engine.spec.planner_spec import CLIENT, NO_USAGE, PlannerSpec, ProposedCall, Row, Usage


def link_planner(linker: PlannerLinker) -> PlannerSpec:
    """The planner that settings describe; what is wrong with them is said."""
    made, kind = linked(linker, planner_kind)
    if isinstance(made, PlannerSpec):
        return made
    try:
        usage = kind.most(made) if isinstance(kind, InstalledKind) else NO_USAGE
    except UnusableKind as error:
        linker.documents.say(e317_kind.unusable(linker.node.at("kind"), str(error)))
        usage = NO_USAGE
    return PlannerSpec(str(linker.node.plain["kind"]), settings=made, usage=usage)


def link_script(linker: PlannerLinker) -> PlannerSpec:
    """A script is taken as it is."""
    plain = linker.settings
    return PlannerSpec(
        "scripted",
        decisions=tuple(plain["decisions"]),
        when_exhausted=plain.get("when_exhausted", "fail"),
        usage=usage(plain.get("usage", {})),
    )


def link_client(linker: PlannerLinker) -> PlannerSpec:
    """There is nothing to link: the client is outside."""
    return PlannerSpec(CLIENT)


def link_rules(linker: PlannerLinker) -> PlannerSpec:
    """Compile the rows of a decision table; the last of them has to match whatever comes."""
    items = linker.node.at("rows").items or []
    rows = tuple(_row(linker, item) for item in items)
    last = items[-1].get("when")
    if last is not None:
        linker.documents.say(e504_last_row.at(items[-1].key("when") or last))
    return PlannerSpec("rules", rows=rows)


def usage(plain: Mapping[str, Any]) -> Usage:
    """What each question takes."""
    return Usage(plain.get("tokens", 0), plain.get("cost_usd", 0))


def _row(linker: PlannerLinker, node: Node) -> Row:
    documents, scope, offered = linker.documents, linker.scope, linker.offered
    when_node = node.get("when")
    when = None
    if when_node is not None:
        when = expression(documents, when_node, scope, condition=True, around=linker.around)
    around = replace(linker.around, refinements=when.if_true) if when is not None else linker.around
    calls = []
    listed = node.get("tool_calls")
    for item in (listed.items or ()) if listed is not None else ():
        name = item.at("name")
        tool = linker.tools.get(str(name.value))
        if not documents.has("Tool", name.value):
            documents.say(e302_tool.at(name.place, str(name.value), offered))
        elif tool is not None and tool.name not in offered and linker.whole:
            documents.say(e302_tool.not_offered(name.place, tool.name, offered))
        built = tool_input(
            documents, item.get("input"), name, str(name.value), tool.input_schema if tool else None, scope, around
        )
        calls.append(ProposedCall(str(name.value), built))
    return Row(
        when=when,
        message=template(documents, node.get("message"), scope, around),
        tool_calls=tuple(calls),
        done=bool(node.plain.get("done", False)),
    )
