"""What a schema says of a number, as formulas of the solver.

Numbers are exact, and taken to be smaller than 10^30.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.language.arithmetic import is_number

LARGEST = 10**30

_ORDERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
}
_COMBINED = ("allOf", "anyOf", "oneOf", "not", "if")
# what may say something of a number that has no formula here
_UNKNOWN = frozenset({"$ref", "$dynamicRef"})


def exactly(value: Any) -> Any:
    """A number as a term."""
    return z3.RealVal(str(Fraction(Decimal(value))))


def listed(schema: Mapping[str, Any]) -> list[Any] | None:
    """The values that a schema lists, null aside; None if it lists none."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if values is None else [value for value in values if value is not None]


def number(name: str, schema: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """A number that is known by its name, and what always holds of it."""
    whole = schema.get("type") in ("integer", ["integer", "null"], ["null", "integer"])
    step = schema.get("multipleOf") or (1 if whole else None)
    term = z3.Real(name) if step is None else z3.ToReal(z3.Int(name)) * exactly(step)
    holds = [order(term, exactly(schema[key])) for key, order in _ORDERS.items() if is_number(schema.get(key))]
    holds += [term < LARGEST, term > -LARGEST]
    if whole and Decimal(step or 1) % 1:
        holds.append(z3.IsInt(term))
    among = listed(schema)
    if among is not None:
        holds.append(_any(term == exactly(value) for value in among if is_number(value)))
    for key in _COMBINED:
        further = {one: schema[one] for one in (key, "then", "else") if one in schema}
        if key in schema and (said := holds_of(further, term)) is not None:
            holds.append(said)
    return term, holds


def holds_of(schema: Any, term: Any) -> Any:
    """When a number fits a schema, neither more nor less; None where that is not known."""
    if not isinstance(schema, Mapping):
        return z3.BoolVal(schema is not False)
    if not _UNKNOWN.isdisjoint(schema):
        return None
    parts = [*_of_itself(schema, term), *_of_parts(schema, term)]
    return None if any(part is None for part in parts) else z3.And(*parts)


def _of_itself(schema: Mapping[str, Any], term: Any) -> Iterator[Any]:
    if "type" in schema:
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        yield z3.BoolVal(True) if "number" in kinds else z3.IsInt(term) if "integer" in kinds else z3.BoolVal(False)
    yield from (order(term, exactly(schema[key])) for key, order in _ORDERS.items() if is_number(schema.get(key)))
    if is_number(schema.get("multipleOf")):
        yield z3.IsInt(term / exactly(schema["multipleOf"]))
    for values in ([schema["const"]] if "const" in schema else None, schema.get("enum")):
        if values is not None:
            yield _any(term == exactly(value) for value in values if is_number(value))


def _of_parts(schema: Mapping[str, Any], term: Any) -> Iterator[Any]:
    for key in ("allOf", "anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            yield _of_several(key, [holds_of(one, term) for one in schema[key]])
    if "not" in schema:
        yield _unless(holds_of(schema["not"], term))
    if "if" in schema:
        test, then, other = (holds_of(schema.get(key, True), term) for key in ("if", "then", "else"))
        yield None if test is None or then is None or other is None else z3.If(test, then, other)


def _of_several(key: str, parts: Sequence[Any]) -> Any:
    if any(part is None for part in parts):
        return None
    if key == "allOf":
        return z3.And(*parts)
    return _any(parts) if key == "anyOf" else z3.Sum([z3.If(part, 1, 0) for part in parts]) == 1


def _unless(part: Any) -> Any:
    return None if part is None else z3.Not(part)


def _any(parts: Any) -> Any:
    return z3.Or(*parts)
