"""Values that schemas mark `x-sensitive`: whoever reads a session sees that they are there, and not what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from engine.language.schema_types import VALUES, subschemas

MARK = "x-sensitive"
HIDDEN = "[sensitive]"

# what stands for a value where a planner reads, as a regular expression (see `session.handles`)
HANDLE = r"\[sensitive:[0-9a-f]{32}\]"

# keywords that hold schemas for the same value
_COMBINATORS = ("allOf", "anyOf", "oneOf")


def marks(schema: Mapping[str, Any]) -> bool:
    """Whether a schema marks its own value: whatever a mark says but `false`, it was meant as one."""
    return schema.get(MARK, False) is not False


def is_marked(schema: Any) -> bool:
    """Whether a schema marks anything, however deep."""
    if isinstance(schema, Mapping):
        return marks(schema) or any(is_marked(inner) for _, inner in subschemas(schema))
    return isinstance(schema, list) and any(is_marked(item) for item in schema)


def replaced(value: Any, schema: Mapping[str, Any], by: Callable[[Any], Any]) -> Any:
    """A copy of a value in which something else stands for what its schema calls sensitive; null stays null."""
    return _replaced(value, schema, schema, by) if is_marked(schema) else value


def without(value: Any, schema: Mapping[str, Any]) -> Any:
    """A copy of a value with `[sensitive]` for what its schema calls so."""
    return replaced(value, schema, lambda one: HIDDEN)


def sensitive_values(value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    """The values that a schema calls sensitive, as they stand."""
    if is_marked(schema):
        yield from _marked(value, schema, schema)


def marked_at(schema: Mapping[str, Any], path: Iterable[str | int]) -> bool:
    """Whether a schema marks the value at a path, or one that it is a part of."""
    found = list(_schemas(schema, schema))
    for part in path:
        if any(map(marks, found)):
            return True
        inner = [_item(one, part) if isinstance(part, int) else _property(one, part) for one in found]
        found = [one for each in inner for one in _schemas(each, schema)]
    return any(map(marks, found))


def _replaced(value: Any, schema: Any, root: Mapping[str, Any], by: Callable[[Any], Any]) -> Any:
    found = list(_schemas(schema, root))
    if any(map(marks, found)):
        return None if value is None else by(value)
    if isinstance(value, Mapping):
        return {key: _through(item, [_property(one, key) for one in found], root, by) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_through(item, [_item(one, n) for one in found], root, by) for n, item in enumerate(value)]
    return value


def _through(value: Any, schemas: list[Any], root: Mapping[str, Any], by: Callable[[Any], Any]) -> Any:
    """The value under all schemas that hold for it: the first that marks it decides."""
    for schema in schemas:
        if schema and any(map(marks, _schemas(schema, root))):
            return None if value is None else by(value)
    for schema in schemas:
        value = _replaced(value, schema, root, by) if schema else value
    return value


def _marked(value: Any, schema: Any, root: Mapping[str, Any]) -> Iterator[Any]:
    for one in _schemas(schema, root):
        if marks(one):
            yield value
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield from _marked(item, _property(one, key), root)
        elif isinstance(value, list | tuple):
            for number, item in enumerate(value):
                yield from _marked(item, _item(one, number), root)


def _schemas(schema: Any, root: Mapping[str, Any], known: set[int] | None = None) -> Iterator[Mapping[str, Any]]:
    """A schema and all that hold for the same value, references followed, each once."""
    known = set() if known is None else known
    if not isinstance(schema, Mapping) or id(schema) in known:
        return
    known.add(id(schema))
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        target: Any = root
        for part in reference.removeprefix("#").split("/")[1:]:
            target = _step(target, part.replace("~1", "/").replace("~0", "~"))
        yield from _schemas(target, root, known)
    for keyword in _COMBINATORS:
        for one in schema.get(keyword, ()):
            yield from _schemas(one, root, known)
    for keyword in ("if", "then", "else"):
        yield from _schemas(schema.get(keyword), root, known)


def _step(target: Any, part: str) -> Any:
    """One step of a reference: a key, or a place in a list."""
    if isinstance(target, Mapping):
        return target.get(part)
    is_place = isinstance(target, list) and part.isascii() and part.isdigit() and len(part) < 9
    return target[int(part)] if is_place and int(part) < len(target) else None


# where schemas stand for parts of a value that marks are looked for in
_KEYED = ("properties", "$defs")
_SINGLE = ("additionalProperties", "items", "if", "then", "else", "prefixItems", *_COMBINATORS)


def unreached(schema: Any) -> bool:
    """Whether a schema marks something where marks are not looked for, such as under `patternProperties`."""
    if isinstance(schema, list):
        return any(unreached(item) for item in schema)
    if not isinstance(schema, Mapping):
        return False
    for key, value in schema.items():
        if key in VALUES:
            continue
        if key in _KEYED and isinstance(value, Mapping):
            if any(unreached(item) for item in value.values()):
                return True
        elif unreached(value) if key in _SINGLE else is_marked(value):
            return True
    return "$dynamicRef" in schema and is_marked(schema)


def astray(schema: Any) -> bool:
    """Whether a reference of a schema may lead to a mark on a way that is not followed."""
    return _holds_mark(schema) and any(_odd(one, one is schema) for one in _all(schema))


def _holds_mark(value: Any) -> bool:
    """Whether there is a mark anywhere, also where no schema stands."""
    if isinstance(value, Mapping):
        return marks(value) or any(_holds_mark(item) for item in value.values())
    return isinstance(value, list) and any(_holds_mark(item) for item in value)


def _all(schema: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, Mapping):
        yield schema
        for _, inner in subschemas(schema):
            yield from _all(inner)


def _odd(schema: Mapping[str, Any], outermost: bool) -> bool:
    """A reference by another name than its place, into what is no schema, or counted from elsewhere."""
    reference = schema.get("$ref", "#")
    parts = str(reference).split("/")
    elsewhere = parts[0] != "#" or any(part in VALUES or part.startswith("x-") for part in parts[1:])
    return elsewhere or "$dynamicRef" in schema or ("$id" in schema and not outermost)


def _property(schema: Mapping[str, Any], key: str) -> Any:
    known = schema.get("properties", {})
    return known[key] if key in known else schema.get("additionalProperties")


def _item(schema: Mapping[str, Any], number: int) -> Any:
    first = schema.get("prefixItems", ())
    return first[number] if number < len(first) else schema.get("items")
