"""Keywords of a schema that say nothing where they stand, or that no value can meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeGuard

from engine.bundle.link.validators import FORMATS
from engine.diagnostic import nearest
from engine.language.schema_types import subschemas

Path = tuple[str | int, ...]

_NUMBERS = ("number", "integer")
_OF: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "x-unit"), _NUMBERS),
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format"), ("string",)),
    **dict.fromkeys(
        ("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains"),
        ("array",),
    ),
    **dict.fromkeys(
        (
            "properties",
            "required",
            "additionalProperties",
            "propertyNames",
            "minProperties",
            "maxProperties",
            "patternProperties",
            "dependentRequired",
        ),
        ("object",),
    ),
}
_CALLED = {"number": "numbers", "string": "text", "array": "lists", "object": "objects"}
_BOUNDS = (
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("exclusiveMinimum", "maximum"),
    ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "exclusiveMaximum"),
)
# what may bring fields that `properties` does not name
_MORE_FIELDS = ("patternProperties", "$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas", "$dynamicRef")


def idle_keywords(schema: Any, path: Path = ()) -> Iterator[tuple[Path, str, str]]:
    """Each with its place, what is wrong with it, and what to do."""
    if not isinstance(schema, Mapping):
        return
    kinds = schema.get("type")
    allowed = {kinds} if isinstance(kinds, str) else set(kinds) if isinstance(kinds, list) else set()
    for key, value in schema.items():
        wanted = _OF.get(key, ())
        if allowed and wanted and not allowed & set(wanted) and (key != "format" or value in FORMATS):
            message = f"`{key}` is for {_CALLED[wanted[0]]}, and says nothing here"
            yield (*path, key), message, "remove it, or mend `type`"
    if schema.get("enum") == []:
        yield (*path, "enum"), "no value is among those of an empty `enum`", "list the values, or remove it"
    for least, most in _BOUNDS:
        low, high = schema.get(least), schema.get(most)
        if not _is_number(low) or not _is_number(high):
            continue
        if low > high or (low == high and "exclusive" in least + most):
            yield (*path, least), f"no value is between `{least}` and `{most}`", "exchange the bounds"
    yield from _required(schema, path)
    for below, inner in subschemas(schema):
        yield from idle_keywords(inner, (*path, *below))


def _required(schema: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str, str]]:
    """Names that are required of an object and that it does not have."""
    required, properties = schema.get("required"), schema.get("properties", {})
    if not isinstance(required, list) or not isinstance(properties, Mapping) or any(k in schema for k in _MORE_FIELDS):
        return
    closed = schema.get("additionalProperties") is False
    for place, name in enumerate(required):
        near = nearest(name, sorted(set(properties) - set(required))) if len(str(name)) > 2 else None
        if name not in properties and (closed or near is not None):
            message = f"`{name}` is required, and is not among the properties"
            help_ = f"did you mean `{near}`?" if near else "add it to `properties`, or remove it"
            yield (*path, "required", place), message, help_


def _is_number(value: Any) -> TypeGuard[int | Decimal]:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
