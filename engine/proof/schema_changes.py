"""Where two schemas of an input part: by which keyword, whether more or less is taken, and an input that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.language.value import canonical, exact
from engine.proof.forms import spelt_out
from engine.proof.instance import instance
from engine.spec.bundle import Tool

_AT_MOST = frozenset({"maxLength", "maxItems", "maxProperties", "maxContains"})
_AT_LEAST = frozenset({"minLength", "minItems", "minProperties", "minContains"})
_OTHERS = frozenset(
    {
        "const",
        "pattern",
        "format",
        "multipleOf",
        "uniqueItems",
        "contains",
        "prefixItems",
        "anyOf",
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
    }
)
# a value of each kind; of numbers one that is no integer
_KINDS: Mapping[str, Any] = {
    "integer": 1,
    "number": Decimal("0.5"),
    "string": "text",
    "boolean": True,
    "null": None,
    "array": [],
    "object": {},
}


class AsIs(str):
    """What stands in a message as it is."""

    __slots__ = ()


_NONE = AsIs("none")
# the place of what stands in a list
_ITEM = "[]"


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One keyword that is another: `path` are the names down to it, `more` and `less` say what is taken then.

    `edges` are values at which it may show.
    """

    path: tuple[str, ...]
    keyword: str
    before: Any
    after: Any
    more: bool
    less: bool
    edges: tuple[Any, ...] = ()

    def __str__(self) -> str:
        place = ".".join(("input", *self.path)).replace(f".{_ITEM}", _ITEM)
        return f"{place}: {self.keyword} {_written(self.before)} becomes {_written(self.after)}"


def _written(value: Any) -> str:
    return value if isinstance(value, AsIs) else canonical(value)


def schema_changes(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[SchemaChange]:
    """Every keyword by which two schemas take other values, with references spelt out."""
    one, other = _keywords(old), _keywords(new)
    if one == other:
        return
    for keyword in sorted(_AT_MOST | _AT_LEAST | _OTHERS):
        before, after = one.get(keyword), other.get(keyword)
        if before != after:
            more, less = _direction(keyword, before, after)
            yield SchemaChange(path, keyword, _shown(before), _shown(after), more, less)
    yield from _of_sets(one, other, path)
    for name in sorted({*one.get("properties", {}), *other.get("properties", {})}):
        yield from _inner(_property(one, name), _property(other, name), (*path, name))
    yield from _inner(one.get("additionalProperties", {}), other.get("additionalProperties", {}), (*path, "*"))
    yield from _inner(one.get("items", {}), other.get("items", {}), (*path, _ITEM))


def _keywords(schema: Any) -> Mapping[str, Any]:
    return schema if isinstance(schema, Mapping) else {}


def _shown(value: Any) -> Any:
    return _NONE if value is None else value


def _property(schema: Mapping[str, Any], name: str) -> Any:
    return schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))


def _inner(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[SchemaChange]:
    if (old is False) != (new is False):
        yield SchemaChange(path, "value", old is not False, new is not False, old is False, new is False)
    elif old is not False:
        yield from schema_changes(old, new, path)


def _of_sets(one: Mapping[str, Any], other: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[SchemaChange]:
    yield from _of_numbers(one, other, path)
    kinds, other_kinds = _kinds(one), _kinds(other)
    if kinds != other_kinds:
        shown = _shown(one.get("type")), _shown(other.get("type"))
        yield SchemaChange(path, "type", *shown, bool(other_kinds - kinds), bool(kinds - other_kinds))
    needed, needs = set(one.get("required", ())), set(other.get("required", ()))
    if needed != needs:
        yield SchemaChange(path, "required", sorted(needed), sorted(needs), bool(needed - needs), bool(needs - needed))
    listed, lists = one.get("enum"), other.get("enum")
    if listed != lists:
        was, now = ({canonical(v) for v in values or ()} for values in (listed, lists))
        more = listed is not None and (lists is None or bool(now - was))
        less = lists is not None and (listed is None or bool(was - now))
        if more or less:
            yield SchemaChange(path, "enum", _shown(listed), _shown(lists), more, less)


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    listed = schema.get("type", tuple(_KINDS))
    kinds = {listed} if isinstance(listed, str) else set(listed)
    return frozenset(kinds | ({"integer"} if "number" in kinds else set()))


def _of_numbers(one: Mapping[str, Any], other: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[SchemaChange]:
    for inclusive, exclusive, sign in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
        was, now = (_end(schema, inclusive, exclusive, sign) for schema in (one, other))
        if was != now:
            before, after = (f"{_written(_shown(at))}{' itself excluded' if open_ else ''}" for at, open_ in (was, now))
            further = _inside(now, sign) < _inside(was, sign)
            edges = tuple(at for at, _ in (was, now) if at is not None)
            yield SchemaChange(path, inclusive, AsIs(before), AsIs(after), further, not further, edges)


_End = tuple[Any, bool]


def _end(schema: Mapping[str, Any], inclusive: str, exclusive: str, sign: int) -> _End:
    """Where a range ends, and whether without that number itself; None if it does not."""
    ends = [(schema[key], key == exclusive) for key in (inclusive, exclusive) if key in schema]
    return max(ends, key=lambda end: _inside(end, sign), default=(None, False))


def _inside(end: _End, sign: int) -> tuple[Any, bool]:
    at, open_ = end
    return (-Decimal("Infinity") if at is None else sign * at), open_


def _direction(keyword: str, before: Any, after: Any) -> tuple[bool, bool]:
    """Whether more is taken, whether less is; what nobody knows counts as both."""
    if before is None or after is None:
        return after is None, before is None
    if keyword in _AT_MOST:
        return after > before, after < before
    if keyword in _AT_LEAST:
        return after < before, after > before
    return True, True


# -- an input that shows it


def shown_by(parting: SchemaChange, taking: Tool, refusing: Tool) -> dict[str, Any] | None:
    """An input that one tool takes and the other refuses; None where none was found."""
    base = instance(spelt_out(taking.input_schema))
    if not isinstance(base, dict):
        return None
    for put in (lambda given: None, *_variations(parting, taking)):
        given = deepcopy(base)
        put(given)
        if not taking.check_input(given) and refusing.check_input(given):
            return given
    return None


def _variations(parting: SchemaChange, tool: Tool) -> Iterator[Callable[[dict[str, Any]], None]]:
    path = parting.path
    if not path or _ITEM in path:
        return
    name = "further" if path[-1] == "*" else path[-1]
    for value in _candidates(parting, _schema_at(spelt_out(tool.input_schema), path)):

        def put(given: dict[str, Any], value: Any = value) -> None:
            at: Any = given
            for step in path[:-1]:
                at = at.setdefault(step, {}) if isinstance(at, dict) else {}
            if isinstance(at, dict):
                at[name] = value

        yield put


def _schema_at(schema: Any, path: Sequence[str]) -> Any:
    for name in path:
        schema = _property(_keywords(schema), name)
    return schema


def _candidates(parting: SchemaChange, schema: Any) -> Iterator[Any]:
    """Values at the edges of what a keyword says, and any that fits."""
    for edge in parting.edges:
        yield from (exact(Decimal(edge) + step) for step in _STEPS)
    for edge in (parting.before, parting.after):
        if isinstance(edge, list):
            yield from edge
        elif isinstance(edge, int) and not isinstance(edge, bool):
            for size in (edge, edge + 1, edge - 1):
                yield from _sized(parting.keyword, size, schema)
    if parting.keyword == "type":
        yield from _KINDS.values()
    yield instance(schema)
    yield "text"


def _sized(keyword: str, size: int, schema: Any) -> Iterator[Any]:
    if not 0 <= size <= _LONGEST:
        return
    if keyword in ("maxLength", "minLength"):
        yield "x" * size
    elif keyword in ("maxItems", "minItems"):
        yield [instance(_keywords(schema).get("items"), number=n) for n in range(size)]


_STEPS = (Decimal(0), Decimal(1), Decimal(-1), Decimal("0.01"), Decimal("-0.01"))
_LONGEST = 10_000
