"""A small value that fits a JSON Schema, for the parts of a counterexample that do not matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from engine.language.arithmetic import is_number
from engine.language.schema_types import Unfolding, subschemas
from engine.language.value import exact
from engine.proof.texts import fits, texts

MOST_DEEP = 8


def instance(schema: Any, *, number: int = 0, at: Unfolding | None = None, depth: int = 0) -> Any:
    """One value; further ones of texts by `number`.  It may miss what is said beside the usual."""
    at = at or Unfolding(schema)
    if not isinstance(schema, Mapping) or depth > MOST_DEEP or not at.more():
        return None
    if isinstance(schema.get("$ref"), str):
        with at.follow(schema["$ref"]) as target:
            return instance(target, number=number, at=at, depth=depth + 1)
    for values in _listed_values(schema):
        check = fits(schema)
        told = [value for value in values if check is None or check(value)]
        if told:
            return told[number % len(told)]
    kind = schema.get("type")
    for key in ("oneOf", "anyOf", "allOf"):
        if isinstance(schema.get(key), list) and schema[key] and "properties" not in schema and kind not in _SCALARS:
            first = next((one for one in schema[key] if one != {"type": "null"}), schema[key][0])
            return instance(first, number=number, at=at, depth=depth + 1)
    kinds = schema.get("type", "object" if "properties" in schema else "null")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    return _of_kind(kind, schema, number, at, depth)


def _of_kind(kind: str, schema: Mapping[str, Any], number: int, at: Unfolding, depth: int) -> Any:
    if kind == "boolean":
        return _first_fitting(schema, (False, True), False)
    if kind in ("number", "integer"):
        return _number(schema)
    if kind == "string":
        return _text(schema, number)
    if kind == "array":
        least = schema.get("minItems", 0)
        return [instance(schema.get("items"), number=n, at=at, depth=depth + 1) for n in range(least)]
    if kind == "object":
        properties = schema.get("properties", {})
        return {
            name: instance(properties.get(name, {"type": "string"}), number=number, at=at, depth=depth + 1)
            for name in schema.get("required", ())
        }
    return None


def _listed_values(schema: Mapping[str, Any]) -> Iterator[list[Any]]:
    """The values that a schema tells of itself, by keyword."""
    yield from ([schema[key]] for key in ("const", "default") if key in schema)
    yield from (schema[key] for key in ("enum", "examples") if isinstance(schema.get(key), list))


def _first_fitting(schema: Mapping[str, Any], values: Iterable[Any], otherwise: Any) -> Any:
    check = fits(schema)
    return next((value for value in values if check is None or check(value)), otherwise)


def _number(schema: Mapping[str, Any]) -> Any:
    step = Decimal(schema.get("multipleOf") or 1)
    ends = list(_ends(schema))
    starts = [(Decimal(end) / step).to_integral_value(rounding) * step for end in ends for rounding in _ROUNDINGS]
    near = [start + step * number for start in (Decimal(0), *starts) for number in (0, 1, -1, 2, 3)]
    between = [sum(map(Decimal, ends)) / len(ends)] if ends else []
    usual = [exact(one) for one in (*near[:1], *near[5:], *near[1:5], *between)]
    return _first_fitting(schema, usual, usual[0])


def _ends(schema: Any) -> Iterator[Any]:
    """The numbers that a schema names, wherever it does."""
    if isinstance(schema, Mapping):
        named = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "const"))
        yield from (one for one in (*named, *(schema.get("enum") or ())) if is_number(one))
        for _, inner in subschemas(schema):
            yield from _ends(inner)


def _text(schema: Mapping[str, Any], number: int) -> str:
    plain = "text" if number == 0 else f"text{number}"
    plain = plain[: schema.get("maxLength", 60)].ljust(schema.get("minLength", 0), "x")
    if _SIMPLE.issuperset(schema):
        return plain
    more = (text for at in range(number, number + 4) for text in texts(schema, "", at))
    return str(_first_fitting(schema, (*texts(schema, "", number), plain, *more, *_OTHERS), plain))


_ROUNDINGS = (ROUND_CEILING, ROUND_FLOOR)
_SIMPLE = frozenset({"type", "title", "description", "x-sensitive", "minLength", "maxLength"})
_OTHERS = ("another", "x", "0", "")
_SCALARS = frozenset({"string", "number", "integer"})
