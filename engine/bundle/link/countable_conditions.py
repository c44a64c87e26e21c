"""Conditions on counts: what a count of calls or steps can be under an agent's limits, and what follows from it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.language.arithmetic import is_number
from engine.language.conditions import MIRRORED
from engine.spec.bundle import Agent
from engine.spec.worst_case import least

_WHOLE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
# more than any agent can be given
_MANY = 100_000


def beyond_reach(tree: ast.expr, agent: Agent) -> str:
    """Why a condition can't be true: it wants more calls of a tool, or more steps, than there can be."""
    reach: dict[str, range] = {}
    for part in _joined(tree, agent, set()):
        if not isinstance(part, ast.Compare) or len(part.ops) > 1:
            continue
        left, op, right = part.left, type(part.ops[0]), part.comparators[0]
        if isinstance(left, ast.Constant):
            left, op, right = right, MIRRORED.get(op, op), left
        compare = _WHOLE.get(op)
        limit, why = _reach(left, agent)
        if compare is None or limit is None or not isinstance(right, ast.Constant) or not is_number(right.value):
            continue
        name = ast.dump(left)
        values = [one for one in reach.get(name, limit) if compare(one, right.value)]
        if not values:
            return why
        reach[name] = range(values[0], values[-1] + 1)
    return ""


def _joined(tree: ast.expr, agent: Agent, gone: set[str]) -> Iterator[ast.expr]:
    """What all has to hold for a condition to hold, each of the agent's lets taken apart once."""
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        for part in tree.values:
            yield from _joined(part, agent, gone)
    elif isinstance(tree, ast.Name) and tree.id in agent.lets:
        if tree.id not in gone:
            gone.add(tree.id)
            yield from _joined(agent.lets[tree.id].tree, agent, gone)
    else:
        yield tree


def always_holds(tree: ast.expr, agent: Agent) -> bool:
    """Whether a condition is true whatever happens: it says so, or asks for a count that there always is."""
    return _always(tree, agent, {})


def _always(tree: ast.expr, agent: Agent, known: dict[str, bool]) -> bool:
    """The same, with what is known of lets already."""
    if isinstance(tree, ast.BoolOp):
        found = (_always(part, agent, known) for part in tree.values)
        return all(found) if isinstance(tree.op, ast.And) else any(found)
    if isinstance(tree, ast.Name) and tree.id in agent.lets:
        if tree.id not in known:
            known[tree.id] = _always(agent.lets[tree.id].tree, agent, known)
        return known[tree.id]
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.operand, ast.Constant):
        return tree.operand.value is False
    if isinstance(tree, ast.Constant):
        return tree.value is True
    if not isinstance(tree, ast.Compare) or len(tree.ops) > 1 or not isinstance(tree.comparators[0], ast.Constant):
        return False
    limit, _ = _reach(tree.left, agent)
    compare, number = _WHOLE.get(type(tree.ops[0])), tree.comparators[0].value
    if limit is None or compare is None or not is_number(number):
        return False
    return compare(limit[0], number) and compare(limit[-1], number) and type(tree.ops[0]) not in (ast.Eq, ast.NotEq)


def counts(node: ast.expr) -> bool:
    """Whether an expression counts something."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("len", "count")


def _reach(node: ast.expr, agent: Agent) -> tuple[range | None, str]:
    """The values that a count of a tool's calls, or of steps, can have, and why no others; None for anything else."""
    limits = agent.limits
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr)
        == (
            "step",
            "number",
        )
    ):
        steps = None if "steps" in limits.extensions else limits.steps
        return range(1, (_MANY if steps is None else steps) + 1), f"there are {steps} steps"
    if not (counts(node) and isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Attribute)):
        return None, ""
    owner, tool = node.args[0].value, node.args[0].attr
    if not (isinstance(owner, ast.Name) and owner.id == "calls"):
        return None, ""
    if tool not in agent.tools:
        return range(1), f"the agent has no tool `{tool}`"
    most = least(limits.per_tool(tool), None if "calls" in limits.extensions else limits.calls)
    return range(
        (_MANY if most is None else most) + 1
    ), f"there are {'no such' if most is None else most} calls of `{tool}`"
