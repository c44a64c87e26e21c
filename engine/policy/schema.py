"""How a JSON Schema reads as a type of the expression language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from engine.policy import types as t

_MAX_REFS = 32

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


def of_schema(schema: Any) -> t.Type:
    """The type that a JSON Schema describes; what it leaves open is Unknown."""
    return _of_schema(schema, schema, 0)


def _of_schema(schema: Any, root: Any, refs: int) -> t.Type:
    if not isinstance(schema, Mapping):
        return t.UNKNOWN
    if "$ref" in schema:
        target = resolve_reference(root, schema["$ref"])
        return t.UNKNOWN if target is None or refs >= _MAX_REFS else _of_schema(target, root, refs + 1)
    if "const" in schema:
        return _of_literals([schema["const"]])
    if isinstance(schema.get("enum"), list):
        return _of_literals(schema["enum"])
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list) and "properties" not in schema:
            return t.union(_of_schema(s, root, refs + 1) if refs < _MAX_REFS else t.UNKNOWN for s in schema[key])
    kinds = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kinds, list):
        return t.union(_of_kind(kind, schema, root, refs) for kind in kinds)
    return _of_kind(kinds, schema, root, refs)


def _of_literals(values: list[Any]) -> t.Type:
    texts = frozenset(v for v in values if isinstance(v, str))
    truths = {v for v in values if isinstance(v, bool)}
    numbers = frozenset(v for v in values if isinstance(v, int | Decimal) and not isinstance(v, bool))
    found: list[t.Type] = [t.Text(texts)] if texts else []
    found += [t.BOOLEAN if len(truths) == 2 else t.Boolean(truths.pop())] if truths else []
    found += [t.Number(None, numbers)] if numbers else []
    found += [t.of_value(v) for v in values if not isinstance(v, str | bool | int | Decimal)]
    return t.union(found)


def _of_kind(kind: Any, schema: Mapping[str, Any], root: Any, refs: int) -> t.Type:
    simple: dict[Any, t.Type] = {
        "null": t.NULL,
        "boolean": t.BOOLEAN,
        "number": t.NUMBER,
        "integer": t.NUMBER,
        "string": t.TEXT,
    }
    if kind in simple:
        unit = schema.get("x-unit")
        return t.Number(unit) if isinstance(unit, str) and simple[kind] == t.NUMBER else simple[kind]
    if refs >= _MAX_REFS:
        return t.UNKNOWN
    if kind == "array":
        return t.ListOf(_of_schema(schema.get("items"), root, refs + 1), "maxItems" in schema)
    if kind == "object":
        return _of_object(schema, root, refs)
    return t.UNKNOWN


def _of_object(schema: Mapping[str, Any], root: Any, refs: int) -> t.Type:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return t.MapOf(_of_schema(schema.get("additionalProperties"), root, refs + 1))
    required = schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    fields = {k: t.Field(_of_schema(v, root, refs + 1), k not in needed) for k, v in properties.items()}
    return t.Record(fields, rest=_rest(schema, root, refs))


def _rest(schema: Mapping[str, Any], root: Any, refs: int) -> t.Type | None:
    """The type of fields that a schema lets in without naming them under `properties`."""
    if any(key in schema for key in ("allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentSchemas", "$ref")):
        return t.UNKNOWN
    other = schema.get("additionalProperties")
    return _of_schema(other, root, refs + 1) if isinstance(other, Mapping) else None


def resolve_reference(root: Any, ref: Any) -> Any:
    """The part of the schema that a local reference names, or None."""
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    at = root
    if ref != "#" and not ref.startswith("#/"):
        return None
    for part in ref[1:].split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(at, list) and part.isdigit() and int(part) < len(at):
            at = at[int(part)]
        elif isinstance(at, Mapping) and part in at:
            at = at[part]
        else:
            return None
    return at
