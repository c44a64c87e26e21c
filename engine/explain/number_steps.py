"""How finely a value moves, and how far: what its schema says of the numbers that a comparison meets."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from engine.language.arithmetic import is_number
from engine.language.conditions import constant
from engine.language.schema_types import resolve_reference
from engine.policy.rule import PolicyRules
from engine.spec.bundle import Agent, Bundle, Tool

_COUNTS = frozenset({"len", "count"})


@dataclass(frozen=True, slots=True)
class Scale:
    """The smallest step of a number, and its bounds; None where nothing is said.  Open bounds are not met.

    `among` are all values that there are, if a schema lists them.
    """

    step: Any = None
    least: Any = None
    most: Any = None
    least_open: bool = False
    most_open: bool = False
    among: tuple[Any, ...] = ()

    def around(self, value: Any) -> tuple[Any, Any, Any]:
        """What there is below a value, at it and above it: the next one, or True where that is not known, else None."""
        if self.among:
            below, above = [v for v in self.among if v < value], [v for v in self.among if v > value]
            return max(below, default=None), value if value in self.among else None, min(above, default=None)
        if self.step is None or not is_number(value):
            return (
                True if self._any_below(value) else None,
                value if self._within(value) else None,
                True if self._any_above(value) else None,
            )
        whole = Decimal(value) / Decimal(self.step)
        low = self._down((whole.to_integral_value(ROUND_CEILING) - 1) * Decimal(self.step))
        high = self._up((whole.to_integral_value(ROUND_FLOOR) + 1) * Decimal(self.step))
        at = value if whole == whole.to_integral_value() and self._within(value) else None
        return low, at, high

    def _down(self, value: Decimal) -> Decimal | None:
        """The next multiple of the step from here on downwards that is within the bounds."""
        if self.most is not None and value > self.most:
            value = (Decimal(self.most) / Decimal(self.step)).to_integral_value(ROUND_FLOOR) * Decimal(self.step)
        if self.most_open and value == self.most:
            value -= Decimal(self.step)
        return value if self._within(value) else None

    def _up(self, value: Decimal) -> Decimal | None:
        if self.least is not None and value < self.least:
            value = (Decimal(self.least) / Decimal(self.step)).to_integral_value(ROUND_CEILING) * Decimal(self.step)
        if self.least_open and value == self.least:
            value += Decimal(self.step)
        return value if self._within(value) else None

    def _within(self, value: Any) -> bool:
        low = self.least is None or value > self.least or (value == self.least and not self.least_open)
        return low and (self.most is None or value < self.most or (value == self.most and not self.most_open))

    def _any_below(self, value: Any) -> bool:
        return self.least is None or value > self.least

    def _any_above(self, value: Any) -> bool:
        return self.most is None or value < self.most


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
            return self._counted(node)
        if isinstance(node, ast.Name) and node.id in self._policy.lets:
            return self.of(self._policy.lets[node.id].tree)
        value = constant(node, self._policy.params)
        if value is not None:
            return Scale(written_step(value))
        return _scale(self._schema(node))

    def _counted(self, node: ast.Call) -> Scale:
        """How many things there can be in a list, or characters in a text."""
        schema = _plain(self._schema(node.args[0])) if len(node.args) == 1 else None
        if not isinstance(schema, Mapping):
            return Scale(1, 0)
        kind = "Length" if schema.get("type") == "string" else "Items"
        return Scale(1, schema.get(f"min{kind}", 0), schema.get(f"max{kind}"))

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
    among = schema.get("enum") or ()
    if among and all(is_number(value) for value in among):
        return Scale(step=None, among=tuple(among))
    step = schema.get("multipleOf")
    if step is None and (schema.get("type") == "integer" or schema.get("type") == ["integer", "null"]):
        step = 1
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    least_open = above is not None and (least is None or above >= least)
    most_open = below is not None and (most is None or below <= most)
    return Scale(step, above if least_open else least, below if most_open else most, least_open, most_open)
