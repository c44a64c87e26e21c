"""The business meters of an agent's budgets."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from engine.bundle.checks import e206_constraint, e302_tool, e404_operand, e409_null
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.expressions import expression
from engine.bundle.node import Node
from engine.language import types
from engine.language.arithmetic import is_number
from engine.language.conditions import constant
from engine.language.expression import Expression
from engine.language.value import span
from engine.session.expression_names import ToolTypes
from engine.spec.bundle import Meter
from engine.spec.limits import BLOCK


def link_meters(
    documents: DocumentSet, budgets: Node | None, tool_types: Mapping[str, ToolTypes], session: types.Type
) -> tuple[Meter, ...]:
    """The meters that the budgets declare; each expression is typed against every tool that adds to it."""
    declared = budgets.get("meters") if budgets is not None else None
    return tuple(
        _meter(documents, name, node, tool_types, session) for name, _, node in (declared.pairs() if declared else ())
    )


def _meter(
    documents: DocumentSet, name: str, node: Node, tool_types: Mapping[str, ToolTypes], session: types.Type
) -> Meter:
    per, window = node.get("per"), node.get("window")
    if (per is None) != (window is None):
        one, other = ("per", "window") if window is None else ("window", "per")
        documents.say(e206_constraint.at(node.key(one) or node, one, f"needs `{other}` beside it"))
    tools = list(node.at("over").items or ())
    for item in tools:
        if not documents.has("Tool", item.value):
            documents.say(e302_tool.at(item.place, str(item.value), documents.of("Tool")))
    added = {
        str(item.value): (amount, key)
        for item in tools
        if item.value in tool_types
        for amount in [_amount(documents, node.at("sum"), tool_types[str(item.value)], session)]
        for key in [_key(documents, per, tool_types[str(item.value)], session)]
        if amount is not None
    }
    plain = node.plain
    return Meter(
        name,
        {tool: amount for tool, (amount, _) in added.items()},
        Decimal(plain["limit"]),
        plain.get("crossing", BLOCK),
        {tool: key for tool, (_, key) in added.items() if key is not None},
        span(plain["window"]) if window is not None else None,
    )


def _key(documents: DocumentSet, per: Node | None, tool_types: ToolTypes, session: types.Type) -> Expression | None:
    return None if per is None else expression(documents, per, {"input": tool_types.input, "session": session})


def _amount(documents: DocumentSet, node: Node, tool_types: ToolTypes, session: types.Type) -> Expression | None:
    compiled = expression(documents, node, {"input": tool_types.input, "session": session})
    if compiled is None:
        return None
    if not types.only(compiled.type, types.Number):
        documents.say(e404_operand.at(node.place, f"a meter adds numbers, and this is {types.name(compiled.type)}", ""))
    elif types.has_null(compiled.type):
        documents.say(e409_null.at(node.place, f"`{compiled.text}` may be null here"))
    always = constant(compiled.tree, {})
    if is_number(always) and always <= 0:
        documents.say(e206_constraint.on_entry(node, "sum", "adds nothing, so that its limit is never met"))
    return compiled
