"""Typing: what the schemas rule out is said before an expression runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.language import types
from engine.language.expression import compile_expression
from engine.language.schema_types import of_schema
from engine.language.syntax import Kind
from engine.language.type_context import TypeContext


def _form(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


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
        "level": {"enum": ["low", "high", "highest"]},
        "note": {"type": "string"},
        "count": {"type": "integer"},
        "flag": {"type": "boolean"},
        "more": {"type": "array", "maxItems": 3, "items": {"type": "number"}},
        "usd": {"type": "number", "x-unit": "USD"},
        "eur": {"type": "number", "x-unit": "EUR"},
        "lines": {"type": "array", "items": {"type": "number"}},
        "few": {"type": "array", "maxItems": 9, "items": {"type": "number"}},
        "prices": {
            "type": "object",
            "properties": {"low": {"type": "number"}, "high": {"type": "number"}, "highest": {"type": "number"}},
            "required": ["low"],
        },
        "found": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"ok": {"const": True}, "a": {"type": "number"}},
                    "required": ["ok", "a"],
                },
                _form(ok={"const": False}),
            ]
        },
        "coded": {
            "oneOf": [
                _form(code={"const": 1}),
                {
                    "type": "object",
                    "properties": {"code": {"const": 2}, "b": {"type": "string"}},
                    "required": ["code", "b"],
                },
            ]
        },
        "failed": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"err": {"type": "null"}, "a": {"type": "number"}},
                    "required": ["err", "a"],
                },
                _form(err={"type": "string"}),
            ]
        },
        "pays": {
            "type": "array",
            "items": {
                "oneOf": [_form(kind={"const": "card"}), _form(kind={"const": "gift"}, balance={"type": "number"})]
            },
        },
        "pay": {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"kind": {"const": "card"}, "last4": {"type": "string"}},
                    "required": ["kind", "last4"],
                },
                {
                    "type": "object",
                    "properties": {"kind": {"const": "gift"}, "balance": {"type": "number"}},
                    "required": ["kind", "balance"],
                },
                {"type": "object", "properties": {"kind": {"const": "cash"}}, "required": ["kind"]},
            ]
        },
    },
    "required": [
        "amount",
        "name",
        "state",
        "tags",
        "table",
        "either",
        "open",
        "nested",
        "ok",
        "level",
        "usd",
        "eur",
        "lines",
        "few",
        "pay",
        "pays",
        "prices",
        "found",
        "coded",
        "failed",
    ],
}
SCOPE: dict[str, types.Type] = {
    "input": of_schema(SCHEMA),
    "params": types.Record({"limit": types.Field(types.NUMBER)}, "param"),
    "calls": types.Record({"search": types.Field(types.ListOf(types.UNKNOWN))}, "tool"),
    "now": types.DATETIME,
    "day": types.DATE,
    "span": types.DURATION,
    "words": types.SetOf(types.TEXT),
    "numbers": types.ListOf(types.NUMBER),
    "any_": types.UNKNOWN,
    "fees": types.Record({"low": types.Field(types.NUMBER), "high": types.Field(types.NUMBER)}),
}


def problems_of(text: str) -> list[tuple[Kind, str]]:
    _, problems = compile_expression(text, SCOPE)
    return [(p.kind, text[p.start : p.end]) for p in problems]


def type_of(text: str) -> types.Type:
    expression, problems = compile_expression(text, SCOPE)
    assert not problems
    return expression.type


@pytest.mark.parametrize(
    ("text", "kind", "place"),
    [
        ("inptu.amount > 1", Kind.NAME, "inptu"),
        ("len", Kind.NAME, "len"),
        ("meters.x", Kind.OPERAND, "meters"),
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
        ("said_by_customer(input.name)", Kind.OPERAND, "said_by_customer(input.name)"),
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
        ("fees[input.level] > 1", Kind.FIELD, "input.level"),
        ("len(input.note) > 0", Kind.NULL, "input.note"),
        ("null.x", Kind.NULL, "null"),
        ("input.count > 1", Kind.NULL, "input.count"),
        ("1 < input.count", Kind.NULL, "input.count"),
        ("input.count + 1 > 1", Kind.NULL, "input.count"),
        ("input.flag and input.ok", Kind.NULL, "input.flag"),
        ("-input.count > 1", Kind.NULL, "input.count"),
        ("input.note == null and len(input.note) > 1", Kind.OPERAND, "input.note"),
        ("input.note != null or len(input.note) > 1", Kind.OPERAND, "input.note"),
        ("any(x > 1 for x in input.more)", Kind.NULL, "input.more"),
        ("input.pay.last4 == 'x'", Kind.UNION, "last4"),
        ("input.pay.kind != 'card' and input.pay.balance > 1", Kind.UNION, "balance"),
        ("input.pay.kind == 'crad'", Kind.COMPARISON, "crad"),
        ("input.pay.kind == 'gift' and input.pay.last4 == 'x'", Kind.FIELD, "last4"),
        ("input.state == 'open' and input.state == 'closed'", Kind.COMPARISON, "closed"),
        ("input.usd > input.eur", Kind.COMPARISON, "input.usd > input.eur"),
        ("input.usd + input.eur > 1", Kind.OPERAND, "input.usd + input.eur"),
        ("sum([input.usd, input.eur]) > 1", Kind.COMPARISON, "sum([input.usd, input.eur])"),
        ("max(input.usd, input.eur) > 1", Kind.COMPARISON, "max(input.usd, input.eur)"),
        ("sum(input.few) + sum(input.tags) > 1", Kind.OPERAND, "input.tags"),
        ("max(input.more) > 1", Kind.NULL, "input.more"),
        ("sum([input.amount, input.count]) > 1", Kind.NULL, "[input.amount, input.count]"),
        ("any(x > 1 for x in distinct(input.lines))", Kind.UNBOUNDED, "distinct(input.lines)"),
        ("any(x > 1 for x in input.lines + input.few)", Kind.UNBOUNDED, "input.lines + input.few"),
        ("any(a > b for a, b in neighbours(input.lines))", Kind.UNBOUNDED, "neighbours(input.lines)"),
        ("any(a > b for a, b in zip(input.lines, input.lines))", Kind.UNBOUNDED, "zip(input.lines, input.lines)"),
        ("input.note == 3", Kind.COMPARISON, "input.note == 3"),
        ("input.note in [1, 2]", Kind.COMPARISON, "input.note in [1, 2]"),
        ("input.either > 3", Kind.COMPARISON, "input.either > 3"),
        ("3 < ('x' if input.ok else 1)", Kind.COMPARISON, "3 < ('x' if input.ok else 1"),
        ("('x' if input.ok else 1) + 1 == 2", Kind.OPERAND, "('x' if input.ok else 1) + 1"),
        ("input.ok and ('x' if input.ok else input.ok)", Kind.OPERAND, "'x' if input.ok else input.ok"),
        ("lower('x' if input.ok else 1) == 'x'", Kind.OPERAND, "'x' if input.ok else 1"),
        ("'lowe' in [l for l in [input.level]]", Kind.COMPARISON, "lowe"),
        ("input.level == input.state", Kind.COMPARISON, "input.level == input.state"),
        ("input.level == 'low' and input.level == 'high'", Kind.COMPARISON, "high"),
        ("input.prices[input.level] > 3", Kind.NULL, "input.prices[input.level]"),
        ("verdict == 'deny'", Kind.OPERAND, "verdict"),
        ("contains('abc', 1)", Kind.OPERAND, "1"),
        ("contains('abc', input.note)", Kind.NULL, "input.note"),
        ("contains([input.level], 'lowe')", Kind.COMPARISON, "lowe"),
        ("contains(input.few, 'x')", Kind.COMPARISON, "'x'"),
        ("input.level == ('lowe' if input.ok else 'low')", Kind.COMPARISON, "lowe"),
        ("[input.level] == ['lowe']", Kind.COMPARISON, "lowe"),
        ("(input.level, 1) == ('lowe', 1)", Kind.COMPARISON, "lowe"),
        ("date('2026-13-01') > day", Kind.OPERAND, "'2026-13-01'"),
        ("duration('soon') > span", Kind.OPERAND, "'soon'"),
        ("1 / 0 > 1", Kind.OPERAND, "1 / 0"),
        ("min([1], 3) > 1", Kind.OPERAND, "min([1], 3)"),
        ("max(1, day) == 1", Kind.OPERAND, "max(1, day)"),
        ("null.x == 1", Kind.NULL, "null"),
        ("any(x > 1 for x in input.lines)", Kind.UNBOUNDED, "input.lines"),
        ("any(x for x in input.few)", Kind.OPERAND, "x"),
        ("any(x for x in input.amount)", Kind.OPERAND, "input.amount"),
        ("[input for input in input.few]", Kind.OPERAND, "input"),
        ("[a for a, b in input.few]", Kind.OPERAND, "input.few"),
    ],
)
def test_what_can_not_fit_is_said_with_its_place(text: str, kind: Kind, place: str) -> None:
    assert problems_of(text) == [(kind, place)]


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("input.amount * 2", types.NUMBER),
        ("-input.amount", types.NUMBER),
        ("-span", types.DURATION),
        ("input.tags[0]", types.TEXT),
        ("input.table['gold']", types.NUMBER),
        ("input[input.name]", types.UNKNOWN),
        ("input.open.whatever[3].x", types.UNKNOWN),
        ("any_[0]", types.UNKNOWN),
        ("now + span", types.DATETIME),
        ("span + day", types.DATE),
        ("now - now", types.DURATION),
        ("span - span", types.DURATION),
        ("input.tags + ['x']", types.ListOf(types.TEXT)),
        ("any_ + 1", types.UNKNOWN),
        ("input.note", types.Union((types.TEXT, types.NULL))),
        ("'x' in input.table", types.BOOLEAN),
        ("input.name in words", types.BOOLEAN),
        ("1 in any_", types.BOOLEAN),
        ("input.state == 'open'", types.BOOLEAN),
        ("input.either == null", types.BOOLEAN),
        ("first(numbers)", types.NUMBER),
        ("distinct(numbers)", types.ListOf(types.NUMBER)),
        ("set(numbers)", types.SetOf(types.NUMBER)),
        ("neighbours(numbers)", types.ListOf(types.ListOf(types.NUMBER, parts=(types.NUMBER, types.NUMBER)))),
        ("[a for a, b in zip(numbers, [true])]", types.ListOf(types.NUMBER)),
        ("[b for a, b in zip(numbers, [true])]", types.ListOf(types.BOOLEAN)),
        ("numbers if input.ok else []", types.ListOf(types.NUMBER)),
        ("record(a=1)", types.Record({"a": types.Field(types.NUMBER)})),
        ("1 if input.ok else 'a'", types.Union((types.NUMBER, types.TEXT))),
        ("any_ > 1 and any_", types.BOOLEAN),
        ("numbers == any_", types.BOOLEAN),
        ("input.nested == record(x=1)", types.BOOLEAN),
        ("input.level == 'low' or input.level != 'low' and input.ok", types.BOOLEAN),
        ("input.level != 'low' and input.level in ['low', 'high']", types.BOOLEAN),
        ("any([])", types.BOOLEAN),
        ("max([day, day])", types.DATE),
        ("min(now, now)", types.DATETIME),
        ("max(x for x in [span])", types.DURATION),
        ("first(input.pays).kind == 'gift' and first(input.pays).balance > 1", types.BOOLEAN),
        ("contains(any_, 1)", types.BOOLEAN),
        ("input.note in ['a', 'b'] and len(input.note) > 0", types.BOOLEAN),
        ("input.note in input.tags and len(input.note) > 0", types.BOOLEAN),
        ("input.found.ok and input.found.a > 1", types.BOOLEAN),
        ("input.found.ok == true and input.found.a > 1", types.BOOLEAN),
        ("input.coded.code == 2 and input.coded.b == 'x'", types.BOOLEAN),
        ("input.coded.code in [1] or input.coded.b == 'x'", types.BOOLEAN),
        ("input.failed.err == null and input.failed.a > 1", types.BOOLEAN),
        ("not input.found.ok or input.found.a > 1", types.BOOLEAN),
        ("input.prices[input.level] == null or input.prices[input.level] > 3", types.BOOLEAN),
        ("-input.coded.code", types.NUMBER),
        ("sum(input.usd, input.usd)", types.Number("USD")),
        ("values(record(a=1, b=2))", types.ListOf(types.NUMBER)),
        ("values(any_)", types.ListOf(types.UNKNOWN)),
        ("values(input.prices)", types.ListOf(types.UNKNOWN)),  # it may have fields that nobody named
        ("[a for a, b in any_]", types.ListOf(types.UNKNOWN)),
        ("[b for a, b in [[1, 2]]]", types.ListOf(types.NUMBER)),
        ("(input.few if input.ok else [])[0]", types.NUMBER),
        ("[] == []", types.BOOLEAN),
        ("len([])", types.NUMBER),
    ],
)
def test_an_expression_has_its_type(text: str, type_: types.Type) -> None:
    assert type_of(text) == type_


@pytest.mark.parametrize(
    ("schema", "type_"),
    [
        (True, types.UNKNOWN),
        ({}, types.UNKNOWN),
        ({"type": "null"}, types.NULL),
        ({"type": ["string", "null"]}, types.Union((types.TEXT, types.NULL))),
        ({"const": 5}, types.Number(None, frozenset({5}))),
        ({"const": True}, types.Boolean(True)),
        ({"enum": [True, False]}, types.BOOLEAN),
        ({"const": "a"}, types.Text(frozenset({"a"}))),
        ({"enum": ["a", 1]}, types.Union((types.Text(frozenset({"a"})), types.Number(None, frozenset({1}))))),
        ({"oneOf": [{"type": "string"}, {}]}, types.UNKNOWN),
        ({"type": "array"}, types.ListOf(types.UNKNOWN)),
        ({"type": "object"}, types.MapOf(types.UNKNOWN)),
        ({"properties": {"a": {"type": "string"}}}, types.Record({"a": types.Field(types.TEXT, optional=True)})),
        ({"properties": {"a": {}}, "required": 5}, types.Record({"a": types.Field(types.UNKNOWN, optional=True)})),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}, types.TEXT),
        ({"$ref": "#/$defs/none"}, types.UNKNOWN),
        ({"$ref": "other.json"}, types.UNKNOWN),
        ({"$ref": "#"}, types.UNKNOWN),
        ({"type": "file"}, types.UNKNOWN),
        ({"$ref": "#m", "$defs": {"m": {"$anchor": "m", "type": "string"}}}, types.UNKNOWN),
        ({"allOf": [{"$ref": "#/allOf/1"}, {"type": "string"}], "$ref": "#/allOf/1"}, types.TEXT),
        ({"$ref": "#/allOf/7", "allOf": []}, types.UNKNOWN),
    ],
)
def test_a_schema_reads_as_a_type(schema: Any, type_: types.Type) -> None:
    assert of_schema(schema) == type_


def test_fields_that_a_schema_lets_in_otherwise_are_read_as_what_may_be_absent() -> None:
    scope: dict[str, types.Type] = {
        "a": of_schema({"properties": {"x": {}}, "allOf": [{"properties": {"y": {"type": "string"}}}]}),
        "b": of_schema({"properties": {"x": {}}, "additionalProperties": {"type": "string"}}),
        "c": of_schema({"properties": {"x": {}}, "additionalProperties": False}),
    }
    assert not compile_expression("a.y == 'z'", scope)[1]
    assert not compile_expression("b.y != null and len(b.y) > 1", scope)[1]
    assert [p.kind for p in compile_expression("len(b.y) > 1", scope)[1]] == [Kind.NULL]
    assert [p.kind for p in compile_expression("c.y == 'z'", scope)[1]] == [Kind.FIELD]
    assert compile_expression("b.y == null", scope)[0].value({"b": {}}) is True


def test_schemas_that_hold_themselves_end_somewhere() -> None:
    for schema in (
        {"type": "array", "items": {"$ref": "#"}},
        {"type": "object", "properties": {"child": {"$ref": "#"}}},
        {"anyOf": [{"type": "string"}, {"anyOf": [{"$ref": "#"}]}]},
    ):
        assert of_schema(schema) is not None


def test_constants_have_types() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    values = [None, True, 1, Decimal("1.5"), "a", moment, date(2026, 1, 1), timedelta(1), [1, "a"], {"a": 1}, object()]
    assert [types.of_value(value) for value in values] == [
        types.NULL, types.BOOLEAN, types.NUMBER, types.NUMBER, types.TEXT, types.DATETIME, types.DATE, types.DURATION,
        types.ListOf(types.Union((types.NUMBER, types.TEXT))), types.Record({"a": types.Field(types.NUMBER)}), types.UNKNOWN,
    ]  # fmt: skip


def test_types_have_names_for_people() -> None:
    samples: list[types.Type] = [
        types.UNKNOWN,
        types.NULL,
        types.BOOLEAN,
        types.NUMBER,
        types.TEXT,
        types.DATE,
        types.DATETIME,
        types.DURATION,
    ]
    more: list[types.Type] = [
        types.ListOf(types.TEXT),
        types.SetOf(types.TEXT),
        types.MapOf(types.TEXT),
        types.Record({}),
        types.Union((types.TEXT, types.Text(frozenset("a")))),
    ]
    assert [types.name(type_) for type_ in [*samples, *more]] == [
        "anything", "null", "a boolean", "a number", "text", "a date", "a date and time", "a duration", "a list",
        "a set", "an object", "an object", "text",
    ]  # fmt: skip
    assert types.without_null(types.NULL) == types.NULL
    assert types.union([]) == types.UNKNOWN
    either = types.union([types.ListOf(types.TEXT), types.ListOf(types.TEXT, bounded=False)])
    assert isinstance(either, types.ListOf)
    assert not either.bounded


@pytest.mark.parametrize(
    "text",
    [
        "input.note != null and len(input.note) > 0",
        "input.note == null or len(input.note) > 0",
        "not (input.note == null) and len(input.note) > 0",
        "is_set(input.note) and len(input.note) > 0",
        "not is_set(input.note) or len(input.note) > 0",
        "len(input.note) > 0 if input.note != null else false",
        "0 if input.count == null else input.count + 1",
        "input.count != null and input.count > 1 and input.count < 5",
        "input.note == input.name and len(input.note) > 0",
        "input.note in ['a', 'b'] and len(input.note) > 0",
        "input.flag == true and input.ok",
        "input.pay.kind == 'card' and input.pay.last4 == '1234'",
        "input.pay.kind == 'gift' and input.pay.balance > 1",
        "input.pay.kind in ['card'] and input.pay.last4 == '1'",
        "input.pay.kind != 'card' and input.pay.kind != 'cash' and input.pay.balance > 1",
        "(input.pay.kind == 'gift' or input.pay.kind == 'cash') and input.pay.kind != 'cash' and input.pay.balance > 1",
        "input.pay.kind == 'cash' or input.pay.kind == 'gift' and input.pay.balance > 1",
        "(input.note != null and input.count != null) and len(input.note) > input.count",
        "any(x > 1 for x in input.few if input.note != null and len(input.note) > x)",
        "any(p.kind == 'gift' and p.balance > 1 for p in [input.pay])",
        "input.usd > 250 and input.usd * 2 > input.usd + 1 and input.usd / input.usd > 0.5",
        "sum(x for x in input.few) > 1 and [a for a, b in zip(input.few, input.few)] != []",
        "input.open.anything > 1",
        "now != null",
        "input.level != 'highest' and fees[input.level] > 1",
        "any(k == 'gold' for k in input.table)",
        "input.name in [input.name, 'x'] and input.ok",
    ],
)
def test_what_was_tested_is_known_afterwards(text: str) -> None:
    assert problems_of(text) == []


def test_refinements_are_given_to_what_stands_under_a_condition() -> None:
    expression, _ = compile_expression("input.note != null", SCOPE)
    _, problems = compile_expression("len(input.note)", SCOPE, TypeContext(expression.if_true))
    assert not problems
    _, problems = compile_expression("len(input.note)", SCOPE, TypeContext(expression.if_false))
    assert [p.kind for p in problems] == [Kind.OPERAND]


def test_units_are_carried_through_arithmetic() -> None:
    assert type_of("input.usd + 1") == types.Number("USD")
    assert type_of("input.usd * 2") == types.Number("USD")
    assert type_of("input.usd * input.eur") == types.NUMBER
    assert type_of("input.usd / 2") == types.Number("USD")
    assert type_of("2 / input.usd") == types.NUMBER
    assert types.name(types.Number("USD")) == "a number in USD"
    assert types.name(types.NEVER) == "nothing"
    assert types.element_of(types.SetOf(types.TEXT)) == types.TEXT
    assert types.element_of(types.Record({})) == types.TEXT
    assert types.element_of(types.NUMBER) == types.UNKNOWN


@pytest.mark.parametrize(
    "type_",
    [
        types.SetOf(types.NUMBER),
        types.MapOf(types.NUMBER),
        types.ListOf(types.NUMBER),
        types.union((types.TEXT, types.NUMBER)),
    ],
)
def test_the_parts_of_a_type_are_counted_up_to_the_bound(type_: types.Type) -> None:
    assert types.parts(type_, 9) > 1
    assert types.parts(type_, 1) == 2
    wide = types.record(a=type_, b=type_, c=type_, d=type_)
    assert 4 < types.parts(wide, 4) < 9


def test_a_key_of_what_may_be_a_map_or_a_record_is_either() -> None:
    scope = {"m": types.union((types.MapOf(types.NUMBER), types.record(a=types.TEXT)))}
    expression, problems = compile_expression("m['a']", scope)
    assert expression is not None and not problems
    assert expression.type == types.union((types.NUMBER, types.TEXT))
