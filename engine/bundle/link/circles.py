"""Schemas that refer to themselves without end: one that says nothing, and one that no value fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.language.schema_types import resolve_reference, subschemas

Path = tuple[str | int, ...]
Schema = Mapping[str, Any]


def circles(root: Schema) -> Iterator[tuple[Path, str]]:
    """Each such part with its place and what is wrong with it."""
    paths: dict[int, Path] = {}
    found: list[Schema] = []
    left: list[tuple[Path, Any]] = [((), root)]
    while left:
        path, schema = left.pop()
        if isinstance(schema, Mapping) and id(schema) not in paths:
            paths[id(schema)] = path
            found.append(schema)
            left += [((*path, *below), inner) for below, inner in subschemas(schema)]
    itself = list(_closing(found, lambda schema: _same(root, schema)))
    for schema in itself:
        yield paths[id(schema)], "it refers to itself, so that nothing would be checked"
    for schema in () if itself else _closing(found, lambda schema: _needed(root, schema)):
        yield paths[id(schema)], "it asks for itself within itself, so that no value would ever fit"


def _closing(found: list[Schema], next_of: Callable[[Schema], list[Schema]]) -> Iterator[Schema]:
    """The schemas from which a way leads back to where it came from."""
    known = {id(schema) for schema in found}
    done, open_ = set[int](), set[int]()
    for start in found:
        way: list[tuple[Schema, list[Schema]]] = [(start, next_of(start))] if id(start) not in done else []
        open_ |= {id(schema) for schema, _ in way}
        while way:
            schema, left = way[-1]
            if not left:
                way.pop()
                open_.discard(id(schema))
                done.add(id(schema))
                continue
            other = left.pop()
            if id(other) in open_:
                yield schema
            elif id(other) in known and id(other) not in done:
                way.append((other, next_of(other)))
                open_.add(id(other))


def _same(root: Schema, schema: Schema) -> list[Schema]:
    """The schemas that judge the same value."""
    found = [resolve_reference(root, schema["$ref"])] if isinstance(schema.get("$ref"), str) else []
    for key in ("allOf", "anyOf", "oneOf"):
        found += schema[key] if isinstance(schema.get(key), list) else []
    found += [schema.get(key) for key in ("not", "if", "then", "else")]
    return [one for one in found if isinstance(one, Mapping)]


def _needed(root: Schema, schema: Schema) -> list[Schema]:
    """The schemas that some value has to fit wherever one fits this."""
    found = [resolve_reference(root, schema["$ref"])] if isinstance(schema.get("$ref"), str) else []
    found += schema["allOf"] if isinstance(schema.get("allOf"), list) else []
    properties, required = schema.get("properties"), schema.get("required")
    if schema.get("type") == "object" and isinstance(properties, Mapping) and isinstance(required, list):
        found += [properties.get(name) for name in required]
    if schema.get("type") == "array" and schema.get("minItems", 0) and "prefixItems" not in schema:
        found.append(schema.get("items"))
    return [one for one in found if isinstance(one, Mapping)]
