"""Inputs that one schema takes and another does not are found, with their direction and an input that shows it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.proof.diff import Change, diff
from engine.proof.schema_changes import schema_changes
from engine.spec.bundle import Bundle
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool


def taking(schema: str) -> Bundle:
    given = f"{{type: object, properties: {{n: {schema}}}, required: [n], additionalProperties: false}}"
    return of_input(given)


def of_input(schema: str) -> Bundle:
    write = tool("write", "write", input=schema)
    return bundle(agent("[write]", policies="[rules]"), policy(ALLOW), write)


def kinds(changes: list[Change]) -> set[tuple[str, bool, str]]:
    return {(change.kind, change.loosens, change.status) for change in changes}


MORE, LESS = ("deny→taken", True, "certain"), ("taken→deny", False, "certain")


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("{type: number, maximum: 10}", "{type: number, maximum: 20}"),
        ("{type: number, maximum: 10}", "{type: number}"),
        ("{type: number, exclusiveMinimum: 0}", "{type: number, minimum: 0}"),
        ("{type: string, maxLength: 5}", "{type: string, maxLength: 9}"),
        ("{type: string, minLength: 5}", "{type: string}"),
        ("{type: string, enum: [a]}", "{type: string, enum: [a, b]}"),
        ("{type: string, enum: [a]}", "{type: string}"),
        ("{type: integer}", "{type: number}"),
        ("{type: array, items: {type: string}, maxItems: 1}", "{type: array, items: {type: string}, maxItems: 3}"),
        (
            "{type: object, properties: {a: {type: string}}, required: [a]}",
            "{type: object, properties: {a: {type: string}}}",
        ),
        (
            "{type: object, properties: {a: {type: string}}, additionalProperties: false}",
            "{type: object, properties: {a: {type: string}, b: {type: string}}, additionalProperties: false}",
        ),
        (
            "{type: object, properties: {a: {type: string}}, additionalProperties: false}",
            "{type: object, properties: {a: {type: string}}}",
        ),
        (
            "{type: object, properties: {a: {type: number, maximum: 1}}}",
            "{type: object, properties: {a: {type: number, maximum: 2}}}",
        ),
    ],
)
def test_a_schema_that_takes_more_loosens_and_the_way_back_tightens(narrow: str, wide: str) -> None:
    one, other = taking(narrow), taking(wide)
    loosened, tightened = list(diff(one, other)), list(diff(other, one))
    assert MORE in kinds(loosened)
    assert LESS in kinds(tightened)
    for change, takes, refuses in ((loosened[0], other, one), (tightened[0], one, other)):
        assert change.witness is not None
        by = (takes, refuses) if change.loosens else (refuses, takes)
        assert not by[0].tools["write"].check_input(change.witness.input)
        assert by[1].tools["write"].check_input(change.witness.input)


def test_what_nobody_has_shown_is_possible_and_loosens() -> None:
    (change, *_) = diff(taking("{type: string, pattern: '^a+$'}"), taking("{type: string, pattern: '^(aa)+$'}"))
    assert (change.kind, change.loosens) == ("deny→taken", True)
    assert change.status == "possible"
    assert change.why == 'inputs are taken now: input.n: pattern "^a+$" becomes "^(aa)+$"'


def test_what_says_the_same_in_other_words_is_no_difference() -> None:
    plain = "{type: object, properties: {n: {type: number, maximum: 9}}, required: [n]}"
    told = (
        "{$defs: {count: {type: number, maximum: 9}}, type: object, title: a count,"
        " properties: {n: {$ref: '#/$defs/count', description: how many}}, required: [n]}"
    )
    assert list(diff(of_input(plain), of_input(told))) == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"items": {"maximum": 1}}, {"items": {"maximum": 2}}, [("input[]: maximum 1 becomes 2", True, False)]),
        ({"enum": ["a", "b"]}, {"enum": ["b", "a"]}, []),
        (
            {"exclusiveMinimum": 0},
            {"minimum": 0},
            [("input: minimum 0 itself excluded becomes 0", True, False)],
        ),
        ({"maximum": 9, "exclusiveMaximum": 9}, {"exclusiveMaximum": 9}, []),
        (
            {"type": ["number", "null"]},
            {"type": "integer"},
            [('input: type ["number","null"] becomes "integer"', False, True)],
        ),
        ({"required": ["a"]}, {"required": ["b"]}, [('input: required ["a"] becomes ["b"]', True, True)]),
        ({"enum": ["a"]}, {"enum": ["b"]}, [('input: enum ["a"] becomes ["b"]', True, True)]),
        ({}, {"minItems": 1}, [("input: minItems none becomes 1", False, True)]),
        ({"properties": {"a": False}}, {}, [("input.a: value false becomes true", True, False)]),
    ],
)
def test_each_keyword_tells_which_way_it_goes(old: Any, new: Any, found: list[Any]) -> None:
    assert [(str(one), one.more, one.less) for one in schema_changes(old, new)] == found


def test_a_tool_that_comes_or_goes_is_named_so_that_somebody_can_answer_for_it() -> None:
    more = bundle(
        agent("[write, note]", policies="[rules]"), policy(ALLOW), tool("write", "write"), tool("note", "write")
    )
    fewer = bundle(agent("[write]", policies="[rules]"), policy(ALLOW), tool("write", "write"))
    (added,) = diff(fewer, more)
    (removed,) = diff(more, fewer)
    assert (added.kind, added.rules, added.loosens) == ("deny→added", ("not_offered",), True)
    assert (removed.kind, removed.rules, removed.loosens) == ("removed→deny", ("not_offered",), False)
