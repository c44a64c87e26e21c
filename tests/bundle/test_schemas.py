"""One checker judges values: as the JSON-Schema-Test-Suite says, in linear time, and without telling a value."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from engine.bundle.link.patterns import pattern_problem
from engine.bundle.link.schemas import no_schema
from engine.bundle.link.validators import validator
from engine.bundle.load import load_files, load_stored
from engine.language.value import NotJson, exact
from engine.session.sensitivity import is_marked
from tests.bundle_texts import CODE, agent, tool

SUITE = Path(__file__).resolve().parents[2] / ".venv/suite"
FOUND = sorted(SUITE.glob("jsonschema-*.tar.gz"))


def cases() -> Iterator[tuple[str, Any, Any, bool]]:
    """Every case of draft 2020-12: what it is called, its schema, a value, and whether that fits."""
    with tarfile.open(FOUND[-1]) as archive:
        for member in archive.getmembers():
            if "/json/tests/draft2020-12/" in member.name and member.name.count("/") == 4 and member.isfile():
                file = archive.extractfile(member)
                assert file is not None
                for group in json.load(file):
                    for case in group["tests"]:
                        name = f"{Path(member.name).stem}: {group['description']}: {case['description']}"
                        yield name, group["schema"], case["data"], case["valid"]


@pytest.mark.parametrize("plain", [{"type": "nonsense"}, {"minimum": "a"}, {"properties": []}, {"required": "a"}, 7])
def test_what_is_no_schema_is_refused(plain: Any) -> None:
    assert no_schema(plain) is not None


@pytest.mark.skipif(not FOUND, reason="the suite is fetched by `make test`")
def test_every_case_of_the_suite_is_judged_as_it_says() -> None:
    judged, wrong = 0, []
    for name, schema, data, valid in cases():
        text = json.dumps(schema)
        # what lies outside of a schema is refused at load; formats are checked here, which the suite leaves open
        if "http://" in text or '"$id"' in text or "only an annotation by default" in name:
            continue
        try:
            value, plain = exact(data), exact(schema)
        except NotJson:
            continue
        judged += 1
        if (validator(plain)(value) == []) is not valid and plain:
            wrong.append(name)
    assert judged > 1000
    assert wrong == []


numbers = st.integers(-50, 50) | st.decimals(-50, 50, places=2).map(exact)
values = st.recursive(
    numbers | st.text("ab\u20ac", max_size=3) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
leaves = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number", "string", "boolean", "null", "object", "array"])}
    ),
    st.fixed_dictionaries({"minimum": numbers, "exclusiveMaximum": numbers}),
    st.fixed_dictionaries({"minLength": st.integers(0, 3)}),
    st.fixed_dictionaries({"enum": st.lists(values, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"const": values}),
    st.fixed_dictionaries({"uniqueItems": st.booleans(), "maxItems": st.integers(0, 3)}),
    st.fixed_dictionaries({"required": st.lists(st.sampled_from("abc"), unique=True)}),
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {"properties": st.dictionaries(st.sampled_from("abc"), inner), "additionalProperties": inner}
        ),
        st.fixed_dictionaries({"items": inner}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"oneOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"if": inner, "then": inner, "else": inner}),
    ),
    max_leaves=4,
)


@given(schemas, values)
def test_the_checker_judges_as_the_reference_does(schema: Any, value: Any) -> None:
    assert (validator(schema)(value) == []) == (not schema or Draft202012Validator(schema).is_valid(value))


def test_money_is_compared_exactly() -> None:
    check = validator({"type": "number", "maximum": Decimal("0.1")})
    assert check(Decimal("0.1")) == []
    assert check(Decimal("0.1000000000000000000001"))


SECRET = "hunter2-correct-horse"
TELLING: list[tuple[Any, Any]] = [
    ({"type": "number"}, SECRET),
    ({"enum": ["a", "b"]}, SECRET),
    ({"const": "a"}, SECRET),
    ({"pattern": "^a$"}, SECRET),
    ({"format": "date"}, SECRET),
    ({"maxLength": 3}, SECRET),
    ({"not": {"type": "string"}}, SECRET),
    ({"anyOf": [{"type": "number"}, {"type": "null"}]}, SECRET),
    ({"anyOf": [{"type": "number"}, {"type": "string", "maxLength": 2}]}, SECRET),
    ({"oneOf": [{"type": "string"}, {"minLength": 1}]}, SECRET),
    ({"type": "object", "properties": {}, "additionalProperties": False}, {SECRET: 1}),
    ({"type": "object", "additionalProperties": {"type": "number"}}, {SECRET: "x"}),
    ({"type": "object", "propertyNames": {"maxLength": 3}}, {SECRET: 1}),
    ({"type": "object", "unevaluatedProperties": False}, {SECRET: SECRET}),
    ({"items": {"type": "number"}}, [1, SECRET]),
    ({"uniqueItems": True}, [SECRET, SECRET]),
    ({"contains": {"type": "number"}}, [SECRET]),
    ({"prefixItems": [{"type": "number"}], "items": False}, [SECRET, SECRET]),
    ({"patternProperties": {"^h": {"type": "number"}}}, {SECRET: SECRET}),
    (False, SECRET),
    ({"allOf": [{"if": {"type": "string"}, "then": {"maxLength": 1}}]}, SECRET),
    ({"dependentRequired": {SECRET[:3]: ["b"]}}, {SECRET[:3]: SECRET}),
]


@pytest.mark.parametrize(
    ("step", "fits", "does_not"),
    [
        ("0.01", ("0.07", "250", "2.5E+2", "0.29", "4.35", "1E+58", "12345678901234567890123456789.01"),
         ("250.001", "0.001", "1E-7", "1E-59", "250.000000000000000000000000001", "12345678901234567890123456789.001")),
        ("0.1", ("0.3", "1.1"), ("0.30000000000000004",)),
        ("1E-7", ("3E-7",), ("1E-8",)),
        ("3", ("9E+30",), ("1E+30",)),
        ("0.1234567890123456789", ("0.3703703670370370367",), ("0.37037036703703704",)),
    ],
)  # fmt: skip
def test_a_multiple_is_reckoned_exactly_and_what_is_none_is_told_so(
    step: str, fits: tuple[str, ...], does_not: tuple[str, ...]
) -> None:
    check = validator({"multipleOf": Decimal(step)})
    assert [check(Decimal(number)) for number in fits] == [[] for _ in fits]
    for number in does_not:
        (line,) = check(Decimal(number))
        assert line.startswith("must be a multiple of ")
        assert line.endswith("(`multipleOf`)")


@pytest.mark.parametrize(("schema", "value"), TELLING)
def test_no_complaint_tells_the_value(schema: Any, value: Any) -> None:
    problems = validator(schema if schema is not False else {"properties": {"a": False}})(
        value if schema is not False else {"a": value}
    )
    assert problems
    assert not [line for line in problems if SECRET in line or SECRET[:5] in line]


def test_a_complaint_tells_the_path_the_bound_and_the_keyword() -> None:
    schema = {
        "type": "object",
        "properties": {"lines": {"type": "array", "items": {"properties": {"amount": {"maximum": 500}}}}},
        "required": ["why"],
        "additionalProperties": False,
    }
    assert validator(schema)({"lines": [{"amount": 7}, {"amount": 501}], "x": 1}) == [
        "has a field that the schema does not name; it names `amount`, `lines`, `why` (`additionalProperties`)",
        "`why` is missing (`required`)",
        "lines.1.amount: must be at most 500 (`maximum`)",
    ]


HANGS = ["^([a-zA-Z0-9]+\\.?)+@example\\.com$", "^(a+)+$", "^(a|aa)*$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"]


@pytest.mark.parametrize("pattern", HANGS)
def test_no_text_makes_a_pattern_slow(pattern: str) -> None:
    text = "a" * 200_000 + "!"
    for schema, value in (
        ({"pattern": pattern}, text),
        ({"patternProperties": {pattern: {"type": "number"}}, "additionalProperties": False}, {text: 1}),
        ({"propertyNames": {"pattern": pattern}}, {text: 1}),
        ({"anyOf": [{"pattern": pattern}, {"pattern": "^b"}]}, text),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"pattern": pattern}}}, text),
    ):
        assert validator(schema)(value)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("^(?=a)b", "ahead"), ("(?<!a)b", "behind"), (r"(a)\1", "refers back"), (r"(?<n>a)\k<n>", "refers back"),
        ("(?>a+)b", "go back"), (r"a\Z", "written"), ("(", "no regular expression"),
        ("(" * 2000 + "a" + ")" * 2000, ""),
        ("(a{1000}){1000}", "too large"),
    ],
)  # fmt: skip
def test_a_pattern_beyond_linear_time_is_told_at_load_and_fits_nothing_at_run(pattern: str, why: str) -> None:
    assert why in pattern_problem(pattern)
    assert pattern_problem(pattern)
    assert validator({"pattern": pattern})("a")


def test_load_and_run_read_a_pattern_alike() -> None:
    # `$` is the end of the text and nothing else, `\\d` are ten digits: neither is so in Python's dialect
    assert validator({"pattern": "^a$"})("a\n")
    assert validator({"pattern": "^\\d$"})("\u0663")


@pytest.mark.parametrize(
    ("name", "fits", "does_not"),
    [
        ("date", "2026-11-28", "2026-02-30"), ("date-time", "2026-11-28T10:00:00Z", "2026-11-28"),
        ("time", "10:00:00Z", "10:00"), ("email", "ada@example.com", "ada"), ("uri", "https://a.example/x", "/x"),
        ("uuid", "2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2eb8aa08"), ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "12345::"), ("hostname", "a.example", "-a-"), ("duration", "P1D", "1d"),
    ],
)  # fmt: skip
def test_every_format_that_json_schema_names_is_enforced(name: str, fits: str, does_not: str) -> None:
    check = validator({"format": name})
    assert check(fits) == []
    assert check(does_not) == [f"must have the form `{name}` (`format`)"]


def test_half_a_surrogate_pair_is_checked_like_any_character() -> None:
    check = validator({"type": "object", "properties": {"a": {"maxLength": 2}}})
    assert check({"a": "\ud800x"}) == []
    assert check({"a": "\ud800xy"}) == ["a: must have at most 2 characters (`maxLength`)"]


@pytest.mark.parametrize("plain", [
    {"x-sensitive": "yes"}, {"x-sensitive": "true"}, {"x-sensitive": 1}, {"x-sensitive": None}, {"x_sensitive": True},
    {"X-Sensitive": True}, {"x-sensitve": True}, {"x-unit": 5}, {"xsensitive": True},
    {"properties": {"a": {"anyOf": [{"x-sensitive": "no"}]}}},
])  # fmt: skip
def test_a_mark_that_says_something_else_than_true_or_false_is_refused_on_entry(plain: dict[str, Any]) -> None:
    files = dict([agent("[look]", more="sealed_with: ${secret:KEY}\n")])
    files |= dict([tool("look", input=json.dumps({"type": "object", **plain})), ("specs/tools/code.py", CODE)])
    raw = {path: text.encode() for path, text in files.items()}
    found = load_files(raw).diagnostics
    assert [one.code for one in found if one.code.startswith("E")] == ["E208"]
    assert all(one.on_entry for one in found if one.code == "E208")
    # one that was stored before loads, and what was meant as a mark is one
    stored = load_stored(raw).bundle
    assert stored is not None
    meant = "sensitive" in str(plain) and "x-sensitive" in str(plain)
    assert is_marked(stored.tools["look"].input_schema) is meant


def test_a_stored_bundle_with_a_mark_that_was_none_needs_no_key_and_a_new_one_does() -> None:
    files = dict([agent("[look]"), tool("look", input="{type: object, x-sensitive: 'yes'}")])
    raw = {path: text.encode() for path, text in (files | {"specs/tools/code.py": CODE}).items()}
    assert {one.code for one in load_files(raw).diagnostics if one.code.startswith("E")} == {"E208", "E518"}
    assert load_stored(raw).bundle is not None


@pytest.mark.parametrize(("text", "asked"), [
    ("{% if session.hiv %}yes{% endif %}", ["hiv"]), ("{{ 'a' if not session.hiv else 'b' }}", ["hiv"]),
    ("{% if session.iban and session.pin %}yes{% endif %}", ["pin"]), ("{{ session.pin == 4242 }}", ["pin"]),
    ("{{ 'DE1' == session.iban }}", ["iban"]), ("{{ session.pin + 1 }}", ["pin"]), ("{{ session.hiv is true }}", ["hiv"]),
    ("{% if session.iban %}{{ session.iban }}{% endif %} {{ session.pin }}", []), ("{{ session.pin == none }}", []),
    ("{% if session.tenant == 'acme' and session.iban is none %}x{% endif %}", []), ("{% if %}", []),
])  # fmt: skip
def test_a_prompt_that_asks_of_a_handle_what_only_the_value_could_say_is_refused_on_entry(
    text: str, asked: list[str]
) -> None:
    path, written = agent("[]", more="sealed_with: ${secret:KEY}\nprompt: bot\n")
    marks = "hiv: {type: boolean, x-sensitive: true}, iban: {type: string, x-sensitive: true}"
    written = written.replace("zip: {", f"{marks}, pin: {{type: [integer, 'null'], x-sensitive: true}}, zip: {{")
    found = load_files({path: written.encode(), "prompts/bot.md.j2": text.encode()}).diagnostics
    told = [one for one in found if one.code == "E404"]
    assert [one.message.split("`")[1].removeprefix("session.") for one in told] == asked
    assert all(one.on_entry for one in told)
