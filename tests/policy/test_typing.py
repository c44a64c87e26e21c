"""Typing: what the schemas rule out is said before an expression runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.policy import types as t
from engine.policy.expression import compile_expression
from engine.policy.syntax import Kind

SCHEMA = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "name": {"type": "string"},
        "state": {"enum": ["open", "closed", None]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "table": {"type": "object", "additionalProperties": {"type": "number"}},
        "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "open": {},
        "nested": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
        "ok": {"type": "boolean"},
        "note": {"type": "string"},
    },
    "required": ["amount", "name", "state", "tags", "table", "either", "open", "nested", "ok"],
}
SCOPE: dict[str, t.Type] = {
    "input": t.of_schema(SCHEMA),
    "params": t.Record({"limit": t.Field(t.NUMBER)}, "param"),
    "calls": t.Record({"search": t.Field(t.ListOf(t.UNKNOWN))}, "tool"),
    "now": t.DATETIME,
    "day": t.DATE,
    "span": t.DURATION,
    "words": t.SetOf(t.TEXT),
    "numbers": t.ListOf(t.NUMBER),
    "any_": t.UNKNOWN,
}


def problems_of(text: str) -> list[tuple[Kind, str]]:
    _, problems = compile_expression(text, SCOPE)
    return [(p.kind, text[p.start : p.end]) for p in problems]


def type_of(text: str) -> t.Type:
    expression, problems = compile_expression(text, SCOPE)
    assert not problems
    return expression.type


@pytest.mark.parametrize(
    ("text", "kind", "place"),
    [
        ("inptu.amount > 1", Kind.NAME, "inptu"),
        ("len", Kind.NAME, "len"),
        ("seen.search", Kind.NOT_AVAILABLE, "seen"),
        ("input.amont > 1", Kind.FIELD, "amont"),
        ("input['amont'] > 1", Kind.FIELD, "amont"),
        ("input.nested.y", Kind.FIELD, "y"),
        ("params.limt", Kind.PARAM, "limt"),
        ("calls.serch", Kind.TOOL, "serch"),
        ("input.name.x", Kind.OPERAND, "x"),
        ("lenght(input.name)", Kind.FUNCTION, "lenght"),
        ("len()", Kind.FUNCTION, "len()"),
        ("zip([1])", Kind.FUNCTION, "zip([1])"),
        ("len(input.amount)", Kind.OPERAND, "input.amount"),
        ("record(1)", Kind.FUNCTION, "record(1)"),
        ("said_by_customer(input.name)", Kind.NOT_AVAILABLE, "said_by_customer"),
        ("input.amount == input.name", Kind.COMPARISON, "input.amount == input.name"),
        ("input.amount > input.name", Kind.COMPARISON, "input.amount > input.name"),
        ("input.ok < input.ok", Kind.COMPARISON, "input.ok < input.ok"),
        ("input.tags == [1]", Kind.COMPARISON, "input.tags == [1]"),
        ("input.amount in input.tags", Kind.COMPARISON, "input.amount in input.tags"),
        ("'a' in input.name", Kind.OPERAND, "input.name"),
        ("1 in 2", Kind.OPERAND, "2"),
        ("input.state == 'opn'", Kind.COMPARISON, "opn"),
        ("'opn' == input.state", Kind.COMPARISON, "opn"),
        ("input.state in ['open', 'clsd']", Kind.COMPARISON, "clsd"),
        ("input.amount and input.ok", Kind.OPERAND, "input.amount"),
        ("not input.amount", Kind.OPERAND, "input.amount"),
        ("1 if input.amount else 2", Kind.OPERAND, "input.amount"),
        ("-input.name", Kind.OPERAND, "-input.name"),
        ("input.amount + input.name", Kind.OPERAND, "input.amount + input.name"),
        ("now + now", Kind.OPERAND, "now + now"),
        ("now - day", Kind.OPERAND, "now - day"),
        ("input.tags['a']", Kind.OPERAND, "'a'"),
        ("input.table[1]", Kind.OPERAND, "1"),
        ("input.amount[1]", Kind.OPERAND, "input.amount"),
    ],
)
def test_what_can_not_fit_is_said_with_its_place(text: str, kind: Kind, place: str) -> None:
    assert problems_of(text) == [(kind, place)]


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("input.amount * 2", t.NUMBER),
        ("-input.amount", t.NUMBER),
        ("-span", t.DURATION),
        ("input.tags[0]", t.TEXT),
        ("input.table['gold']", t.NUMBER),
        ("input.table.gold", t.NUMBER),
        ("input[input.name]", t.UNKNOWN),
        ("input.open.whatever[3].x", t.UNKNOWN),
        ("any_[0]", t.UNKNOWN),
        ("now + span", t.DATETIME),
        ("span + day", t.DATE),
        ("now - now", t.DURATION),
        ("span - span", t.DURATION),
        ("input.tags + ['x']", t.ListOf(t.TEXT)),
        ("any_ + 1", t.UNKNOWN),
        ("input.note", t.Union((t.TEXT, t.NULL))),
        ("'x' in input.table", t.BOOLEAN),
        ("input.name in words", t.BOOLEAN),
        ("1 in any_", t.BOOLEAN),
        ("input.state == 'open'", t.BOOLEAN),
        ("input.either == null", t.BOOLEAN),
        ("first(numbers)", t.NUMBER),
        ("distinct(numbers)", t.ListOf(t.NUMBER)),
        ("set(numbers)", t.SetOf(t.NUMBER)),
        ("neighbours(numbers)", t.ListOf(t.ListOf(t.NUMBER))),
        ("record(a=1)", t.Record({"a": t.Field(t.NUMBER)})),
        ("1 if input.ok else 'a'", t.Union((t.NUMBER, t.TEXT))),
        ("any_ > 1 and any_", t.BOOLEAN),
        ("numbers == any_", t.BOOLEAN),
        ("input.nested == record(x=1)", t.BOOLEAN),
    ],
)
def test_an_expression_has_its_type(text: str, type_: t.Type) -> None:
    assert type_of(text) == type_


@pytest.mark.parametrize(
    ("schema", "type_"),
    [
        (True, t.UNKNOWN),
        ({}, t.UNKNOWN),
        ({"type": "null"}, t.NULL),
        ({"type": ["string", "null"]}, t.Union((t.TEXT, t.NULL))),
        ({"const": 5}, t.NUMBER),
        ({"const": "a"}, t.Text(frozenset({"a"}))),
        ({"enum": ["a", 1]}, t.Union((t.Text(frozenset({"a"})), t.NUMBER))),
        ({"oneOf": [{"type": "string"}, {}]}, t.UNKNOWN),
        ({"type": "array"}, t.ListOf(t.UNKNOWN)),
        ({"type": "object"}, t.MapOf(t.UNKNOWN)),
        ({"properties": {"a": {"type": "string"}}}, t.Record({"a": t.Field(t.TEXT, optional=True)})),
        ({"properties": {"a": {}}, "required": 5}, t.Record({"a": t.Field(t.UNKNOWN, optional=True)})),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}, t.TEXT),
        ({"$ref": "#/$defs/none"}, t.UNKNOWN),
        ({"$ref": "other.json"}, t.UNKNOWN),
        ({"$ref": "#"}, t.UNKNOWN),
        ({"type": "file"}, t.UNKNOWN),
    ],
)
def test_a_schema_reads_as_a_type(schema: Any, type_: t.Type) -> None:
    assert t.of_schema(schema) == type_


def test_schemas_that_hold_themselves_end_somewhere() -> None:
    for schema in (
        {"type": "array", "items": {"$ref": "#"}},
        {"type": "object", "properties": {"child": {"$ref": "#"}}},
        {"anyOf": [{"type": "string"}, {"anyOf": [{"$ref": "#"}]}]},
    ):
        assert t.of_schema(schema) is not None


def test_constants_have_types() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    values = [None, True, 1, Decimal("1.5"), "a", moment, date(2026, 1, 1), timedelta(1), [1, "a"], {"a": 1}, object()]
    assert [t.of_value(value) for value in values] == [
        t.NULL, t.BOOLEAN, t.NUMBER, t.NUMBER, t.TEXT, t.DATETIME, t.DATE, t.DURATION,
        t.ListOf(t.Union((t.NUMBER, t.TEXT))), t.Record({"a": t.Field(t.NUMBER)}), t.UNKNOWN,
    ]  # fmt: skip


def test_types_have_names_for_people() -> None:
    types = [t.UNKNOWN, t.NULL, t.BOOLEAN, t.NUMBER, t.TEXT, t.DATE, t.DATETIME, t.DURATION]
    more = [t.ListOf(t.TEXT), t.SetOf(t.TEXT), t.MapOf(t.TEXT), t.Record({}), t.Union((t.TEXT, t.Text(frozenset("a"))))]
    assert [t.name(type_) for type_ in [*types, *more]] == [
        "anything", "null", "a boolean", "a number", "text", "a date", "a date and time", "a duration", "a list",
        "a set", "an object", "an object", "text",
    ]  # fmt: skip
    assert t.without_null(t.NULL) == t.NULL
    assert t.union([]) == t.UNKNOWN
