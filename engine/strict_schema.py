"""JSON Schemas for servers that are strict: one form, every field required, null for what may be left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from engine.language.schema_types import NAMED, VALUES, resolve_reference, subschemas

# what a strict server knows of a schema; anything else is left out, since the engine checks each input anyway
_STRICT = frozenset(
    {
        "type",
        "description",
        "enum",
        "const",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
        "$ref",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
    }
)

# what changes which values there are, and can't be said to a strict server
_UNSAYABLE = frozenset(
    {
        "oneOf",
        "allOf",
        "not",
        "if",
        "then",
        "else",
        "patternProperties",
        "propertyNames",
        "dependentRequired",
        "dependentSchemas",
        "unevaluatedProperties",
        "unevaluatedItems",
        "prefixItems",
        "contains",
        "$dynamicRef",
    }
)

_SAYS_WHAT = frozenset({"type", "enum", "const", "anyOf", "$ref"})

_WALKED = frozenset({"properties", "items", "anyOf", "$defs"})


def unsayable(schema: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """What a strict server can't be told of a schema: where, and what."""
    if not isinstance(schema, Mapping):
        if schema is True:
            yield path, "anything may stand there"
        return
    for key in sorted(_UNSAYABLE & schema.keys()):
        yield path, f"`{key}`"
    if not _SAYS_WHAT & schema.keys():
        yield path, "anything may stand there"
    elif _is_object(schema) and (not isinstance(schema.get("properties"), Mapping) or _is_open(schema)):
        yield path, "fields that are not named (`additionalProperties` is not false)"
    for below, inner in subschemas(schema):
        if below[0] in _WALKED:
            yield from unsayable(inner, ".".join(filter(None, (path, *map(str, below[1:])))))


def _is_object(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type")
    return "$ref" not in schema and (kinds == "object" or (isinstance(kinds, list) and "object" in kinds))


def _is_open(schema: Mapping[str, Any]) -> bool:
    return schema.get("additionalProperties", True) is not False


def without_nulls(value: Any, schema: Any, root: Any = None) -> Any:
    """A value without the nulls of optional fields that may not be null: a strict server has no other way to say so."""
    root = schema if root is None else root
    forms = list(_forms(schema, root))
    if isinstance(value, Mapping):
        found = {}
        for key, item in value.items():
            inner = [form["properties"][key] for form in forms if key in form.get("properties", ())]
            optional = any(key in form.get("properties", ()) and key not in form.get("required", ()) for form in forms)
            if item is None and optional and not any(_nullable(one, root) for one in inner):
                continue
            for one in inner:
                item = without_nulls(item, one, root)
            found[key] = item
        return found
    if isinstance(value, list):
        items = [form["items"] for form in forms if "items" in form]
        for one in items:
            value = [without_nulls(item, one, root) for item in value]
    return value


def _forms(schema: Any, root: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    if not isinstance(schema, Mapping) or depth > 8:
        return
    yield schema
    if "$ref" in schema:
        yield from _forms(resolve_reference(root, schema["$ref"]), root, depth + 1)
    for one in schema.get("anyOf", ()):
        yield from _forms(one, root, depth + 1)


def _nullable(schema: Any, root: Any) -> bool:
    for form in _forms(schema, root):
        kinds = form.get("type")
        if kinds == "null" or (isinstance(kinds, list) and "null" in kinds) or None in form.get("enum", ()):
            return True
    return not isinstance(schema, Mapping) or not _SAYS_WHAT & schema.keys()


def strict(schema: Any) -> Any:
    """The form of strict servers: every field is required, and null where it may be left out."""

    def closed(inner: dict[str, Any]) -> dict[str, Any]:
        found = {key: value for key, value in inner.items() if key in _STRICT or key == "$defs"}
        if _is_object(found):
            fields = found.get("properties", {})
            needed = found.get("required", [])
            found["properties"] = {key: one if key in needed else _or_null(one) for key, one in fields.items()}
            found["required"] = list(fields)
            found["additionalProperties"] = False
        return found

    return mapped(schema, closed)


def _or_null(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    kinds = schema.get("type")
    if "enum" in schema or "const" in schema or not isinstance(kinds, str) or kinds == "object":
        return schema if kinds == "null" else {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [kinds, "null"]} if kinds != "null" else schema


def mapped(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A copy of a schema, each schema within it changed from the inside; names of data are never taken for keywords."""
    if not isinstance(schema, Mapping):
        return _json(schema)
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in NAMED and isinstance(value, Mapping):
            found[key] = {name: mapped(inner, change) for name, inner in value.items()}
        elif key in VALUES or not isinstance(value, Mapping | list):
            found[key] = _json(value)
        elif isinstance(value, list):
            found[key] = [mapped(inner, change) for inner in value]
        else:
            found[key] = mapped(value, change)
    return change(found)


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value
