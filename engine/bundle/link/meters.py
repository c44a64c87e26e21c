"""The business meters of an agent's budgets."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from engine.bundle.corpus import Corpus
from engine.bundle.link.expressions import expression
from engine.bundle.node import Node
from engine.bundle.rules import e206_constraint, e302_tool, e404_operand, e409_null
from engine.policy import types as t
from engine.policy.expression import Expression
from engine.policy.value import span
from engine.session.bundle import Meter
from engine.session.limits import BLOCK
from engine.session.names import ToolTypes


def link_meters(
    corpus: Corpus, budgets: Node | None, types: Mapping[str, ToolTypes], session: t.Type
) -> tuple[Meter, ...]:
    """The meters that the budgets declare; each expression is typed against every tool that adds to it."""
    declared = budgets.get("meters") if budgets is not None else None
    found = [_meter(corpus, name, node, types, session) for name, _, node in declared.pairs()] if declared else []
    return tuple(meter for meter in found if meter is not None)


def _meter(corpus: Corpus, name: str, node: Node, types: Mapping[str, ToolTypes], session: t.Type) -> Meter | None:
    per, window = node.get("per"), node.get("window")
    if (per is None) != (window is None):
        one, other = ("per", "window") if window is None else ("window", "per")
        corpus.say(e206_constraint.at(node.key(one) or node, one, f"needs `{other}` beside it"))
    tools = list(node.at("over").items or ())
    for item in tools:
        if not corpus.has("Tool", item.value):
            corpus.say(e302_tool.at(item.place, str(item.value), corpus.of("Tool")))
    amounts = [
        amount
        for item in tools
        if item.value in types and (amount := _amount(corpus, node.at("sum"), types[str(item.value)], session))
    ]
    keys = [
        key
        for item in tools
        if per is not None
        and item.value in types
        and (key := expression(corpus, per, {"input": types[str(item.value)].input, "session": session}))
    ]
    if not amounts or (per is not None and not keys):
        return None
    plain = node.plain
    return Meter(
        name,
        amounts[0],
        frozenset(str(item.value) for item in tools),
        Decimal(plain["limit"]),
        plain.get("crossing", BLOCK),
        keys[0] if keys else None,
        span(plain["window"]) if window is not None else None,
    )


def _amount(corpus: Corpus, node: Node, types: ToolTypes, session: t.Type) -> Expression | None:
    compiled = expression(corpus, node, {"input": types.input, "session": session})
    if compiled is None:
        return None
    if not t.only(compiled.type, t.Number):
        corpus.say(e404_operand.at(node.place, f"a meter adds numbers, and this is {t.name(compiled.type)}", ""))
    elif t.has_null(compiled.type):
        corpus.say(e409_null.at(node.place, f"`{compiled.text}` may be null here"))
    return compiled
