"""JSON Schemas as the proofs read them: references spelt out, and the one form that a kind of value has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.language.schema_types import NAMED, VALUES, Unfolding

MOST_DEEP = 12

Schema = Mapping[str, Any]


# what takes less the more its own schemas take: where something is left out of those it says nothing either
_AGAINST = frozenset({"not", "oneOf", "if", "contains"})
# what goes by all that stands beside it
_SIBLING_KEYWORDS = frozenset({"unevaluatedProperties", "unevaluatedItems"})
_REMARKS = frozenset({"$ref", "$defs", "title", "description", "$comment", "default", "examples"})


def spelt_out(schema: Any) -> dict[str, Any]:
    """A schema with what its local references name in their place; it takes at least all that the schema takes.

    What is nested too deep, or stands beside a reference, says nothing.
    """
    found = _Speller(schema).spelt(schema, 0)
    return found if isinstance(found, dict) else {}


class _Speller:
    """Spells one schema out; `left_out` counts what is not told."""

    def __init__(self, root: Any) -> None:
        self._at = Unfolding(root)
        self._left_out = 0

    def spelt(self, schema: Any, depth: int) -> Any:
        if isinstance(schema, list):
            return [self.spelt(item, depth) for item in schema]
        if not isinstance(schema, Mapping):
            return schema
        if depth > MOST_DEEP or not self._at.more() or "$dynamicRef" in schema:
            self._left_out += 1
            return {}
        if isinstance(schema.get("$ref"), str):
            return self._referred(schema, depth)
        before = self._left_out
        found = dict(self._parts(schema, depth))
        return {key: value for key, value in found.items() if key not in _SIBLING_KEYWORDS or self._left_out == before}

    def _parts(self, schema: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
        for key, value in schema.items():
            before = self._left_out
            inner = self._part(key, value, depth)
            if key != "$defs" and (key not in _AGAINST or self._left_out == before):
                yield key, inner

    def _part(self, key: str, value: Any, depth: int) -> Any:
        if key in NAMED and isinstance(value, Mapping):
            return {name: self.spelt(inner, depth + 2) for name, inner in value.items()}
        return value if key in VALUES else self.spelt(value, depth + 1)

    def _referred(self, schema: Mapping[str, Any], depth: int) -> Any:
        with self._at.follow(schema["$ref"]) as target:
            more = any(key not in _REMARKS and not key.startswith("x-") for key in schema)
            self._left_out += target is None or more
            return self.spelt({} if target is None else target, depth + 1)


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
