"""JSON Schemas as the proofs read them: references spelt out, and the one form that a kind of value has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.policy.schema import Unfolding

MOST_DEEP = 12

Schema = Mapping[str, Any]


def spelt_out(schema: Any) -> dict[str, Any]:
    """A schema with what its local references name in their place; what is nested too deep says nothing."""
    found = _spelt_out(schema, Unfolding(schema), 0)
    return found if isinstance(found, dict) else {}


def _spelt_out(schema: Any, at: Unfolding, depth: int) -> Any:
    if isinstance(schema, list):
        return [_spelt_out(item, at, depth) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    if depth > MOST_DEEP or not at.more():
        return {}
    if isinstance(schema.get("$ref"), str):
        with at.follow(schema["$ref"]) as target:
            return _spelt_out(target or {}, at, depth + 1)
    return {key: _spelt_out(value, at, depth + 1) for key, value in schema.items() if key != "$defs"}


def forms(schema: Any) -> list[Schema]:
    """The alternatives that a schema has, null aside."""
    return [form for form in _forms(schema) if form.get("type") != "null" and form.get("const", 0) is not None]


def _forms(schema: Any) -> Iterator[Schema]:
    if not isinstance(schema, Mapping):
        return
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list) and "properties" not in schema:
            for inner in schema[key]:
                yield from _forms(inner)
            return
    yield schema


def only_form(schema: Any) -> Schema:
    """The one form that a schema has, null aside; nothing is known of several."""
    found = forms(schema)
    return found[0] if len(found) == 1 else {}
