"""What schemas mark `x-sensitive` is hidden wherever a schema can say so."""

from __future__ import annotations

from typing import Any

import pytest

from engine.language.value import compact
from engine.session.sealed_tokens import PREFIX, has_marks, is_sealed, shown
from engine.session.sensitivity import HIDDEN, astray, is_marked, marked_at, sensitive_values, unreached
from engine.session.sensitivity import without as hidden
from engine.spec.secret_refs import filled, malformed, references

S: dict[str, Any] = {"type": "string", "x-sensitive": True}

CASES = [
    ({"type": "object", "properties": {"a": S, "b": {}}}, {"a": "x", "b": "y"}, {"a": HIDDEN, "b": "y"}, ["x"]),
    ({"type": "object", "properties": {"a": S}}, {"a": None}, {"a": None}, [None]),
    ({"type": "object", "properties": {"a": {"type": "object", "x-sensitive": True}}}, {"a": {"n": 1}}, {"a": HIDDEN},
     [{"n": 1}]),
    ({"type": "array", "items": S}, ["x", "y"], [HIDDEN, HIDDEN], ["x", "y"]),
    ({"type": "array", "prefixItems": [{}, S], "items": {}}, ["x", "y", "z"], ["x", HIDDEN, "z"], ["y"]),
    ({"additionalProperties": S}, {"k": "x"}, {"k": HIDDEN}, ["x"]),
    ({"anyOf": [{"properties": {"a": S}}, {"properties": {"b": {}}}]}, {"a": "x", "b": "y"}, {"a": HIDDEN, "b": "y"},
     ["x"]),
    ({"$defs": {"t": S}, "properties": {"a": {"$ref": "#/$defs/t"}}}, {"a": "x"}, {"a": HIDDEN}, ["x"]),
    ({"$defs": {"t": S}, "properties": {"a": {"$ref": "#/$defs/u"}}}, {"a": "x"}, {"a": "x"}, []),
    ({"if": {}, "then": {"properties": {"a": S}}}, {"a": 5}, {"a": HIDDEN}, [5]),
    ({"properties": {"a": S}}, "text", "text", []),
    ({"type": "string", "x-sensitive": True}, "text", HIDDEN, ["text"]),
    ({"properties": {"a": {}}}, {"a": 1}, {"a": 1}, []),
    ({"$defs": {"t": {"properties": {"next": {"$ref": "#/$defs/t"}, "v": S}}}, "$ref": "#/$defs/t"},
     {"v": "x", "next": {"v": "y"}}, {"v": HIDDEN, "next": {"v": HIDDEN}}, ["x", "y"]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "seen", "found"), CASES)
def test_what_is_marked_is_hidden(schema: dict[str, Any], value: Any, seen: Any, found: list[Any]) -> None:
    assert hidden(value, schema) == seen
    assert list(sensitive_values(value, schema)) == found


def test_a_reference_to_itself_comes_to_an_end() -> None:
    schema = {"$ref": "#", "properties": {"a": S}}
    assert hidden({"a": "x"}, schema) == {"a": HIDDEN}


@pytest.mark.parametrize("schema", [
    {"patternProperties": {"a": S}}, {"properties": {"a": {"unevaluatedProperties": S}}}, {"contains": S},
    {"anyOf": [{"dependentSchemas": {"a": {"properties": {"b": S}}}}]}, {"$dynamicRef": "#x", "properties": {"a": S}},
])  # fmt: skip
def test_a_mark_where_none_is_looked_for_is_found_out(schema: dict[str, Any]) -> None:
    assert unreached(schema)


@pytest.mark.parametrize("schema", [
    {"$defs": {"t": {"$dynamicAnchor": "T", **S}}, "properties": {"a": {"$dynamicRef": "#T"}}},
    {"$defs": {"t": {"$anchor": "T", **S}}, "properties": {"a": {"$ref": "#T"}}},
    {"examples": [S], "properties": {"a": {"$ref": "#/examples/0"}}},
    {"properties": {"a": {"$id": "https://b.example/a", "$ref": "#/$defs/t", "$defs": {"t": S}}}},
])  # fmt: skip
def test_a_reference_that_is_not_followed_is_found_out_where_something_is_marked(schema: dict[str, Any]) -> None:
    assert astray(schema)


@pytest.mark.parametrize("schema", [schema for schema, *_ in CASES])
def test_a_reference_that_is_followed_is_none_of_those(schema: dict[str, Any]) -> None:
    assert not astray(schema)
    assert not astray({"properties": {"a": {"$dynamicRef": "#x"}}})


@pytest.mark.parametrize("schema", [schema for schema, *_ in CASES])
def test_a_mark_where_one_may_stand_is_none_of_those(schema: dict[str, Any]) -> None:
    assert not unreached(schema)


def test_references_lead_through_lists() -> None:
    schema = {
        "$defs": {"l": {"allOf": [S]}},
        "properties": {"a": {"$ref": "#/$defs/l/allOf/0"}, "b": {"$ref": "#/$defs/l/allOf/7"}},
    }
    assert hidden({"a": "x", "b": "y"}, schema) == {"a": HIDDEN, "b": "y"}
    assert hidden(("x",), {"items": S}) == [HIDDEN]


def test_a_mark_is_found_however_deep() -> None:
    assert is_marked([{"properties": {"a": {"items": S}}}])
    assert not is_marked({"properties": {"a": {"x-sensitive": False}}})


def test_a_text_of_json_tells_whether_anything_in_it_is_hidden() -> None:
    for text in (PREFIX, f"{PREFIX}abc", f"before {PREFIX}abc after"):
        assert has_marks(compact({"k": [text]}))
    assert has_marks(compact({"k": f"[sensitive:{'0' * 32}]"}))
    assert not has_marks(compact({"k": "sealed: 1", "n": "[sensitive]"}))


def test_sealed_tokens_are_shown_as_marks() -> None:
    token = f"{PREFIX}abc"
    assert is_sealed(token)
    assert not is_sealed(5)
    assert shown({"a": [token, "b"], token: 1, "n": 2}) == {"a": [HIDDEN, "b"], HIDDEN: 1, "n": 2}


def test_what_is_sealed_and_what_stands_for_it_are_hidden_within_texts_too() -> None:
    handle = f"[sensitive:{'0a' * 16}]"
    told = shown(f"iban = {PREFIX}ab-C_9=, handled as {handle}, and [sensitive:0] is a text")
    assert told == f"iban = {HIDDEN}, handled as {HIDDEN}, and [sensitive:0] is a text"


@pytest.mark.parametrize("mark", ["yes", "true", 1, None, "no"])
def test_whatever_a_mark_says_but_false_marks(mark: Any) -> None:
    schema = {"properties": {"a": {"x-sensitive": mark}, "b": {"x-sensitive": False}}}
    assert hidden({"a": 1, "b": 2}, schema) == {"a": HIDDEN, "b": 2}
    assert list(sensitive_values({"a": 1, "b": 2}, schema)) == [1]
    assert unreached({"patternProperties": {"a": {"x-sensitive": mark}}})


def test_references_to_secrets_are_read_and_filled() -> None:
    text = "Bearer ${secret:A}${secret:B_2}"
    assert references(text) == ["A", "B_2"]
    assert filled(text, str.lower) == "Bearer ab_2"
    assert malformed(text) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [("x ${secret:1a}", (2, 14)), ("${ secret:A}", (0, 12)), ("${secret:A", (0, 10)), ("$secret:A", None)],
)
def test_what_means_to_be_a_reference_and_is_none_is_found(text: str, at: tuple[int, int] | None) -> None:
    assert malformed(text) == at


@pytest.mark.parametrize(
    ("path", "marked"),
    [([], False), (["a"], True), (["a", "deep"], True), (["list", 0], True), (["list", 0, "x"], True), (["list"], False),
     (["ref", "v"], True), (["ref"], False), (["other"], False), (["gone", "v"], False)],
)  # fmt: skip
def test_whether_a_value_at_a_path_is_marked(path: list[str | int], marked: bool) -> None:
    schema = {
        "$defs": {"t": {"properties": {"v": S}}},
        "properties": {"a": S, "list": {"items": S}, "ref": {"$ref": "#/$defs/t"}, "other": {}},
    }
    assert marked_at(schema, path) is marked
