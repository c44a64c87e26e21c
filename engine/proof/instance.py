"""A small value that fits a JSON Schema, for the parts of a counterexample that do not matter."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from engine.policy.schema import Unfolding
from engine.policy.value import exact
from engine.proof.patterns import matching

MOST_DEEP = 8

_FORMATS = {
    "date": "2026-01-01", "date-time": "2026-01-01T00:00:00Z", "email": "somebody@mail.example",
    "uri": "https://somewhere.example/", "uuid": "00000000-0000-4000-8000-000000000000", "time": "12:00:00Z",
    "duration": "P1D", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "hostname": "somewhere.example",
    "idn-email": "somebody@mail.example", "idn-hostname": "somewhere.example", "iri": "https://somewhere.example/",
    "uri-reference": "/", "iri-reference": "/", "json-pointer": "/a", "relative-json-pointer": "0", "regex": "a",
    "uri-template": "/{a}",
}  # fmt: skip


def instance(schema: Any, *, number: int = 0, at: Unfolding | None = None, depth: int = 0) -> Any:
    """One value; further ones of texts by `number`.  It may miss what a pattern says beside a length."""
    at = at or Unfolding(schema)
    if not isinstance(schema, Mapping) or depth > MOST_DEEP or not at.more():
        return None
    if isinstance(schema.get("$ref"), str):
        with at.follow(schema["$ref"]) as target:
            return instance(target, number=number, at=at, depth=depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][number % len(schema[key])]
    for key in ("oneOf", "anyOf", "allOf"):
        if isinstance(schema.get(key), list) and schema[key] and "properties" not in schema:
            first = next((one for one in schema[key] if one != {"type": "null"}), schema[key][0])
            return instance(first, number=number, at=at, depth=depth + 1)
    kinds = schema.get("type", "object" if "properties" in schema else "null")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    return _of_kind(kind, schema, number, at, depth)


def _of_kind(kind: str, schema: Mapping[str, Any], number: int, at: Unfolding, depth: int) -> Any:
    if kind == "boolean":
        return False
    if kind in ("number", "integer"):
        return _number(kind, schema)
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


def _number(kind: str, schema: Mapping[str, Any]) -> Any:
    step = schema.get("multipleOf") or (1 if kind == "integer" else None)
    least, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    most = schema.get("maximum")
    start = least if least is not None else above
    if start is None:
        return 0 if most is None or most >= 0 else most
    found = Decimal(start)
    if step is not None:
        found = (found / Decimal(step)).to_integral_value(ROUND_CEILING) * Decimal(step)
    if above is not None and found <= above:
        found += Decimal(step or 1)
    return exact(found)


def _text(schema: Mapping[str, Any], number: int) -> str:
    known = _FORMATS.get(str(schema.get("format")))
    if known is not None:
        return known
    least, most = schema.get("minLength", 0), schema.get("maxLength", 60)
    fitting = matching(schema["pattern"], number) if isinstance(schema.get("pattern"), str) else None
    if fitting is not None:
        return fitting
    text = "text" if number == 0 else f"text{number}"
    return text[:most].ljust(least, "x")
