"""How finely a value moves, and how far: what its schema says of the numbers that a comparison meets."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from engine.policy.arithmetic import is_number
from engine.policy.rule import PolicyRules
from engine.policy.schema import resolve_reference
from engine.session.bundle import Agent, Bundle, Tool

_COUNTS = frozenset({"len", "count"})


@dataclass(frozen=True, slots=True)
class Scale:
    """The smallest step of a number, and its bounds; None where nothing is said.  Open bounds are not met."""

    step: Any = None
    least: Any = None
    most: Any = None
    least_open: bool = False
    most_open: bool = False


NO_SCALE = Scale()


class Scales:
    """The scales of what the rules of one policy read for one tool."""

    def __init__(self, bundle: Bundle, agent: Agent, tool: Tool, policy: PolicyRules) -> None:
        self._tools = bundle.tools
        self._roots: dict[str, Any] = {"input": tool.input_schema, "session": agent.attributes}
        self._policy = policy

    def of(self, node: ast.expr) -> Scale:
        """The scale of what an expression gives; of a let that of its own."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _COUNTS:
            return Scale(1, 0)
        if isinstance(node, ast.Name) and node.id in self._policy.lets:
            return self.of(self._policy.lets[node.id].tree)
        value = constant(node, self._policy.params)
        if value is not None:
            return Scale(written_step(value))
        return _scale(self._schema(node))

    def _schema(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            if node.id in self._roots:
                return self._roots[node.id]
            fact = self._policy.facts.get(node.id)
            if fact is not None and not fact.for_each and fact.tool in self._tools:
                return self._tools[fact.tool].output_schema
            return None
        if isinstance(node, ast.Attribute):
            return _field(self._schema(node.value), node.attr)
        return None


def constant(node: ast.expr, params: Mapping[str, Any]) -> Any:
    """The number, moment or duration that a node stands for whatever is judged, or None."""
    value = None
    if isinstance(node, ast.Constant):
        value = node.value
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params":
        value = params.get(node.attr)
    return value if is_number(value) or isinstance(value, timedelta | date) else None


def smallest(one: Any, other: Any) -> Any:
    """A step of the kind that two compared values have, where no schema says one."""
    return min(written_step(one), written_step(other))


def written_step(value: Any) -> Any:
    """One in the last place that a number is written with; a second, or a day."""
    if isinstance(value, timedelta | datetime):
        return timedelta(seconds=1)
    if isinstance(value, date):
        return timedelta(days=1)
    exponent = Decimal(value).normalize().as_tuple().exponent
    return Decimal(1).scaleb(exponent) if isinstance(exponent, int) and exponent < 0 else 1


def _field(schema: Any, name: str) -> Any:
    schema = _plain(schema)
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return properties.get(name) if isinstance(properties, Mapping) else None


def _plain(schema: Any) -> Any:
    if isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
        return resolve_reference(schema, schema["$ref"])
    return schema


def _scale(schema: Any) -> Scale:
    schema = _plain(schema)
    if not isinstance(schema, Mapping):
        return NO_SCALE
    step = schema.get("multipleOf")
    if step is None and (schema.get("type") == "integer" or schema.get("type") == ["integer", "null"]):
        step = 1
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    least_open = above is not None and (least is None or above >= least)
    most_open = below is not None and (most is None or below <= most)
    return Scale(step, above if least_open else least, below if most_open else most, least_open, most_open)
