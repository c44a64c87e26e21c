"""What is refuted or certain rests on values that fit their schemas, as the runtime asks, wherever they stand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import z3  # type: ignore[import-untyped]

from engine.bundle.link.validators import FORMATS, validator
from engine.fixtures.scenario import run_fixture
from engine.language.value import exact
from engine.proof.bounds import holds_of
from engine.proof.diff import diff
from engine.proof.fixture import fixture_of
from engine.proof.forms import spelt_out
from engine.proof.instance import instance
from engine.proof.prove import NOT_PROVED, PROVED, REFUTED, VACUOUS, Finding, prove
from engine.spec.bundle import Bundle
from tests.bundle_texts import agent, bundle, tool

PATHS = {"fact": "account.v", "input": "input.v", "session": "session.v", "past": "first(calls.look).output.v"}
TEXTS = [
    *(f"{{type: string, format: {name}}}" for name in sorted(FORMATS)),
    "{type: string, pattern: '^[A-Z]{2}[0-9]{4}$'}",
    "{type: string, pattern: '^[a-z]+$', minLength: 12}",
    "{type: string, minLength: 5, maxLength: 6}",
    "{type: string, not: {enum: [text, text1, '']}}",
    "{type: string, not: {pattern: '^t'}}",
    "{type: string, format: email, maxLength: 9}",
    "{type: string, format: email, minLength: 40}",
    "{type: string, format: email, pattern: '@bank[.]example$'}",
    "{type: string, format: date, not: {const: '2026-01-01'}}",
    "{type: string, anyOf: [{const: never}, {format: date}]}",
    "{type: string, allOf: [{minLength: 8}, {pattern: '^x'}]}",
    "{type: string, if: {pattern: '^t'}, then: {minLength: 20}}",
    "{type: string, default: '', minLength: 3}",
    "{type: [string, 'null'], format: uuid}",
]
NUMBERS = [
    "{type: number, multipleOf: 0.07, minimum: 1, maximum: 2}",
    "{type: integer, multipleOf: 0.5}",
    "{type: integer, not: {enum: [0, 1, 2]}}",
    "{type: number, not: {minimum: -5}}",
    "{type: number, exclusiveMinimum: 0, exclusiveMaximum: 1}",
    "{type: number, anyOf: [{minimum: 100}, {maximum: -100}]}",
    "{type: integer, if: {minimum: 0}, then: {minimum: 100}}",
    "{type: number, default: 5, maximum: 2}",
]


def made(field: str, never: str, place: str = "fact", *, when: str = "") -> Bundle:
    """A bundle in which `V` is a value of a schema, in a place; a write is allowed, unless `when`."""
    holder = f"{{type: object, properties: {{v: {field}}}, required: [v], additionalProperties: false}}"
    path, text = agent("[write, look]", policies="[rules]")
    if place == "session":
        begin, end = text.index("attributes: "), text.index("\n", text.index("attributes: "))
        text = f"{text[:begin]}attributes: {holder}{text[end:]}"
    rules = "  - {id: open, tools: [write, look], effect: allow}\n"
    rules += f'  - {{id: shut, tools: [write], effect: deny, when: "{when}"}}\n' if when else ""
    policy = f"kind: Policy\nname: rules\nfacts: {{account: {{tool: look, input: {{}}}}}}\nrules:\n{rules}"
    policy += f'guarantees:\n  - {{id: promise, never: "{never}"}}\n' if never else ""
    return bundle(
        (path, text), ("policies/rules.yaml", policy.replace("V", PATHS[place])),
        tool("write", "write", input=holder if place == "input" else "{type: object}"),
        tool("look", output=holder if place in ("fact", "past") else "{type: object}", input="{type: object}"),
    )  # fmt: skip


def of_write(own: Bundle) -> Finding:
    return next(finding for finding in prove(own) if finding.tool == "write")


ALLOWED = "call.name == 'write' and verdict == 'allow' and "


@pytest.mark.parametrize("field", [*TEXTS, *NUMBERS])
def test_a_call_that_breaks_a_promise_is_found_among_values_that_fit(field: str) -> None:
    own = made(field, f"{ALLOWED} V != {'null' if field in TEXTS else '7'}")
    found = of_write(own)
    assert found.status == REFUTED
    assert found.witness is not None
    assert own.tools["look"].check_output(found.witness.facts[0].output) == []


@pytest.mark.parametrize("place", ["input", "session", "past"])
@pytest.mark.parametrize("field", ["{type: string, format: email}", "{type: string, not: {const: text}, minLength: 3}"])
def test_it_is_found_wherever_the_value_stands(field: str, place: str) -> None:
    found = of_write(made(field, f"{ALLOWED} len(calls.look) > 0 and V != 'someone'", place))
    assert found.status == REFUTED
    assert found.witness is not None
    held = {"input": found.witness.input, "session": found.witness.attributes, "past": found.witness.past[0].output}
    assert validator({"type": "string", "minLength": 3})(held[place]["v"]) == []


@pytest.mark.parametrize("place", ["fact", "input", "session", "past"])
@pytest.mark.parametrize(
    "field", [f"{{type: string, format: {name}}}" for name in ("date", "date-time", "email", "uuid")]
    + ["{type: string, not: {const: no such}}", "{type: string, pattern: '^a'}", "{type: string, maxLength: 3}"],
)  # fmt: skip
def test_what_no_value_of_a_schema_is_breaks_nothing(field: str, place: str) -> None:
    more = "len(calls.look) > 0 and " if place == "past" else ""
    found = of_write(made(field, f"{ALLOWED} {more} V == 'no such'", place))
    assert found.status in (PROVED, VACUOUS) or (found.status == NOT_PROVED and place == "past")


def test_what_is_known_of_a_value_only_by_its_schema_is_no_counterexample() -> None:
    """A text of three digits is longer than three in no call, though no formula says so."""
    found = of_write(made("{type: string, pattern: '^[0-9]{3}$'}", f"{ALLOWED} len(V) > 3"))
    assert found.status == NOT_PROVED


@pytest.mark.parametrize("when", ["datetime(V) < now", "date(V) > date('2026-03-01')", "not is_date(V)"])
def test_a_change_is_shown_by_a_day_that_can_be_and_becomes_a_fixture(when: str) -> None:
    old = made("{type: string, format: date}", "")
    new = made("{type: string, format: date}", "", when=when)
    found = [change for change in diff(old, new) if change.tool == "write"]
    assert found
    for change in found:
        assert change.status == "certain"
        assert change.witness is not None
        assert all(new.tools["look"].check_output(f.output) == [] for f in change.witness.facts if not f.problem)
        written = fixture_of(new, change.witness, "shown", "It is shown.")
        assert written is not None
        assert written.verdict == "deny"
        assert not run_fixture(old, written.document).passed


def test_two_texts_of_a_form_are_two() -> None:
    own = made("{type: string, format: uuid}", f"{ALLOWED} V != session.tenant")
    found = of_write(own)
    assert found.status == REFUTED
    same = of_write(made("{type: string, format: uuid}", f"{ALLOWED} V == session.tenant"))
    assert same.status == REFUTED
    assert same.witness is not None
    assert same.witness.facts[0].output["v"] == same.witness.attributes["tenant"]


@pytest.mark.parametrize("field", [*TEXTS, *NUMBERS])
def test_what_does_not_matter_fits_as_well(field: str) -> None:
    look = made(field, "").tools["look"]
    assert [look.check_output(instance(look.output_schema, number=number)) for number in (0, 1, 2)] == [[], [], []]


def test_a_schema_that_is_spelt_out_takes_no_less() -> None:
    """What can't be spelt out says nothing, and so does what is the stricter the less its parts say."""
    endless = {"$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}
    assert spelt_out(endless) == {}
    beside = {"$defs": {"text": {"type": "string"}}, "not": {"$ref": "#/$defs/text", "format": "date"}}
    assert spelt_out(beside) == {}
    remark = {"$defs": {"text": {"type": "string"}}, "not": {"$ref": "#/$defs/text", "description": "any"}}
    assert spelt_out(remark) == {"not": {"type": "string"}}
    named = {
        "properties": {"not": {"$ref": "#/$defs/no"}, "type": {"$ref": "#/$defs/text"}},
        "$defs": {"text": {"type": "null"}},
    }
    assert spelt_out(named) == {"properties": {"not": {}, "type": {"type": "null"}}}


NUMERIC = [
    {"oneOf": [{"multipleOf": 3}, {"multipleOf": 5}]},
    {"not": {"type": "integer"}},
    {"anyOf": [{"const": 4}, {"enum": [5, "6"]}, {"type": "string"}, {"minimum": 10, "exclusiveMaximum": 12}]},
    {"if": {"exclusiveMinimum": 3}, "then": {"maximum": 9}, "else": False},
    {"allOf": [{"multipleOf": Decimal("0.5")}, {"maxLength": 1}, True]},
]


@pytest.mark.parametrize("schema", NUMERIC)
def test_the_formula_of_a_number_says_what_the_runtime_says(schema: dict[str, Any]) -> None:
    check = validator(schema)
    for number in [Decimal(n) / 2 for n in range(-4, 32)]:
        said = z3.simplify(holds_of(schema, z3.RealVal(str(number))))
        assert z3.is_true(said) == (check(exact(number)) == []), number


def test_what_has_no_formula_is_not_known() -> None:
    for schema in ({"$ref": "#"}, {"not": {"$ref": "#"}}, {"anyOf": [{}, {"$ref": "#"}]}, {"if": {"$ref": "#"}}):
        assert holds_of(schema, z3.RealVal("1")) is None
