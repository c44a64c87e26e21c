"""How a JSON Schema reads as a type of the expression language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from engine.language import types

# how often a reference is followed within itself, and how many parts are read in all: beyond, nothing is known
MOST_WITHIN = 2
MOST_PARTS = 20_000

# keywords whose keys are names of data, each with a schema behind it
NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})

# keywords that hold plain values and no schema
VALUES = frozenset({"const", "enum", "default", "examples", "required", "dependentRequired", "type", "$vocabulary"})


def subschemas(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The schemas within a schema, each with its path from it; names of data are never taken for keywords."""
    for key, value in schema.items():
        if key in NAMED and isinstance(value, Mapping):
            yield from (((key, name), inner) for name, inner in value.items())
        elif key not in VALUES and not key.startswith("x-"):
            if isinstance(value, list):
                yield from (((key, index), inner) for index, inner in enumerate(value))
            else:
                yield (key,), value


def property_names(schema: Any) -> frozenset[str]:
    """The names that a schema gives to properties, wherever they are; other keys of a value are data."""
    found, left = set[str](), [schema]
    while left:
        here = left.pop()
        for path, inner in subschemas(here) if isinstance(here, Mapping) else ():
            if path[0] == "properties":
                found.add(str(path[1]))
            left.append(inner)
    return frozenset(found)


class Unfolding:
    """How far the references of a schema are followed: one that refers to itself, or to much, ends somewhere."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._parts = MOST_PARTS
        self._within: list[str] = []

    def more(self) -> bool:
        """Count one more part; False when there were too many."""
        self._parts -= 1
        return self._parts >= 0

    @contextmanager
    def follow(self, ref: Any) -> Iterator[Any]:
        """What a reference names, while what is within it is read; None where it is not followed."""
        if not isinstance(ref, str) or self._within.count(ref) >= MOST_WITHIN:
            yield None
            return
        self._within.append(ref)
        try:
            yield resolve_reference(self.root, ref)
        finally:
            self._within.pop()


def of_schema(schema: Any) -> types.Type:
    """The type that a JSON Schema describes; what it leaves open is Unknown."""
    return _of_schema(schema, Unfolding(schema))


def _of_schema(schema: Any, at: Unfolding) -> types.Type:
    if not isinstance(schema, Mapping) or not at.more():
        return types.UNKNOWN
    if "$ref" in schema:
        with at.follow(schema["$ref"]) as target:
            return types.UNKNOWN if target is None else _of_schema(target, at)
    if "const" in schema:
        return _of_literals([schema["const"]])
    if isinstance(schema.get("enum"), list):
        return _of_literals(schema["enum"])
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list) and "properties" not in schema:
            return types.union(_of_schema(s, at) for s in schema[key])
    kinds = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kinds, list):
        return types.union(_of_kind(kind, schema, at) for kind in kinds)
    return _of_kind(kinds, schema, at)


def _of_literals(values: list[Any]) -> types.Type:
    texts = frozenset(v for v in values if isinstance(v, str))
    truths = {v for v in values if isinstance(v, bool)}
    numbers = frozenset(v for v in values if isinstance(v, int | Decimal) and not isinstance(v, bool))
    found: list[types.Type] = [types.Text(texts)] if texts else []
    found += [types.BOOLEAN if len(truths) == 2 else types.Boolean(truths.pop())] if truths else []
    found += [types.Number(None, numbers)] if numbers else []
    found += [types.of_value(v) for v in values if not isinstance(v, str | bool | int | Decimal)]
    return types.union(found)


def _of_kind(kind: Any, schema: Mapping[str, Any], at: Unfolding) -> types.Type:
    simple: dict[Any, types.Type] = {
        "null": types.NULL,
        "boolean": types.BOOLEAN,
        "number": types.NUMBER,
        "integer": types.NUMBER,
        "string": types.TEXT,
    }
    if kind in simple:
        unit = schema.get("x-unit")
        return types.Number(unit) if isinstance(unit, str) and simple[kind] == types.NUMBER else simple[kind]
    if kind == "array":
        first = schema.get("prefixItems")
        places = [_of_schema(one, at) for one in first] if isinstance(first, list) else []
        return types.ListOf(types.union([*places, _of_schema(schema.get("items"), at)]), "maxItems" in schema)
    if kind == "object":
        return _of_object(schema, at)
    return types.UNKNOWN


def _of_object(schema: Mapping[str, Any], at: Unfolding) -> types.Type:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        mixed = "patternProperties" in schema
        return types.MapOf(types.UNKNOWN if mixed else _of_schema(schema.get("additionalProperties"), at))
    required = schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    fields = {k: types.Field(_of_schema(v, at), k not in needed) for k, v in properties.items()}
    return types.Record(fields, rest=_rest(schema, at), open=schema.get("additionalProperties", True) is True)


def _rest(schema: Mapping[str, Any], at: Unfolding) -> types.Type | None:
    """The type of fields that a schema lets in without naming them under `properties`."""
    if any(key in schema for key in ("allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentSchemas", "$ref")):
        return types.UNKNOWN
    other = schema.get("additionalProperties")
    return _of_schema(other, at) if isinstance(other, Mapping) else None


def resolve_reference(root: Any, ref: Any) -> Any:
    """The part of the schema that a local reference names, or None."""
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    at = root
    if ref != "#" and not ref.startswith("#/"):
        return None
    for part in ref[1:].split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(at, list) and part.isascii() and part.isdigit() and len(part) < 9 and int(part) < len(at):
            at = at[int(part)]
        elif isinstance(at, Mapping) and part in at:
            at = at[part]
        else:
            return None
    return at
