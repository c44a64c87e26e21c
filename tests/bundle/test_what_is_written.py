"""What is written as YAML reads back as itself, and what a schema says is heeded."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.bundle import yaml_reader
from engine.cli.console.coverage import as_yaml
from engine.diagnostic import Diagnostic, SourceFile
from engine.language.value import exact
from tests.bundle_texts import agent
from tests.cli.shell import Shell
from tests.tool.stubbing import Importing, about, errors, listed, loaded, with_input

# all that these reach of the core others reach too, under coverage
pytestmark = pytest.mark.untraced

# texts that YAML of any version, or our reader, might take for something else
HOSTILE = [
    "07", "08", "09", "1e5", "1E5", ".5", "5.", "+.5", "1.e5", "0o17", "0x1F", "0b1", "1_000", "12:30", ".inf", ".nan",
    "1e999", "9" * 61, "+1", "-0", "~", "", "null", "NULL", "true", "TRUE", "yes", "no", "on", "off", "y", "=", "<<",
    "2024-01-01", "2024-01-01T00:00:00Z", "-", "?", ":", "#", "a: b", "a #b", "- a", "\t", "\n", "a\n", "\na", " a",
    "a ", "\r\n", "\x85", "a\x85b", "\u2028", "a\u2029b", "\ufeff", "\x00", "\x07", "\x1b", "\x7f", "\x80", "\ufffe", "*a",
    "&a", "!a", "%a", "@a", "`a`", "|", ">", "{a", "[a", "'", '"', "---", "...", "--- a", "{{ x }}", "x " * 100, "\U0001f600",
    "a\n b", "  a\nb", "\u00a0",
]  # fmt: skip


def read(text: str) -> Any:
    said: list[Diagnostic] = []
    node = yaml_reader.read(SourceFile("x.yaml", text), said.append)
    assert not said, [one.message for one in said]
    assert node is not None
    return node.plain


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(HOSTILE)
texts |= st.from_regex(r"[-+]?[0-9._:eExo]{1,8}", fullmatch=True)
numbers = st.integers(-(10**40), 10**40) | st.decimals(allow_nan=False, allow_infinity=False, places=20).map(exact)
scalars = texts | numbers | st.booleans() | st.none()
documents = st.dictionaries(
    texts,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    ),
    min_size=1,
    max_size=3,
)


@given(documents)
@example({"k": "08"})
@example({"k": ["1e5", "0o17", "1e999"]})
@example({"k": "a\u2028b", "\x85": "\x7f"})
@example({"k": Decimal("12345678901234567.89")})
@example({"k": Decimal("0.1000000000000000000001")})
@settings(deadline=None, max_examples=150)
def test_whatever_is_written_as_yaml_reads_back_as_itself(document: dict[str, Any]) -> None:
    assert read(as_yaml(document)) == document


def test_whatever_a_server_lists_is_imported_as_it_is(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "enum": HOSTILE}, **{one: {"type": "string"} for one in HOSTILE}},
        "required": [HOSTILE[1]],
    }
    number = {"type": "object", "properties": {"n": {"type": "number", "maximum": 1e30, "multipleOf": 1e-7}}}
    output = {"type": "object", "properties": {"k": {"const": "08"}}}
    tools = [listed("text", schema, description="08", outputSchema=output), listed("number", number)]
    tools += [listed(f"told{number}", description=text) for number, text in enumerate(HOSTILE) if text.strip()]
    one = Importing(tmp_path, *tools)
    done = one.imported()
    assert done.code == 0, done.err
    made = one.loaded
    assert made.tools["s_text"].input_schema == schema
    assert made.tools["s_text"].output_schema == output
    assert made.tools["s_text"].check_input({"08": "x", "a": "1e5"}) == []
    assert made.tools["s_number"].input_schema == exact(number)
    assert len(made.tools) == len(tools)


def test_a_name_that_yaml_reads_otherwise_is_imported_as_the_name(tmp_path: Path) -> None:
    one = Importing(tmp_path, listed("08"), listed("1e5"), listed("null"), listed("yes"))
    assert one.imported().code == 0
    settings_ = [made.adapter.settings["tool"] for made in one.loaded.tools.values()]
    assert sorted(settings_) == ["08", "1e5", "null", "yes"]


@pytest.mark.parametrize(("text", "value"), [
    ("a: &x 5\nb: {*x : 1}\n", {"a": 5, "b": {"5": 1}}), ("a: &x 08\n*x : 1\n", {"a": 8, "08": 1}),
    ("a: &x null\nb: {*x : 1}\n", {"a": None, "b": {"null": 1}}), ("&k 5: a\nb: 1\n", {"5": "a", "b": 1}),
])  # fmt: skip
def test_a_key_that_is_an_alias_leaves_the_value_that_it_names_as_it_is(text: str, value: Any) -> None:
    assert read(text) == value


def test_a_key_is_a_text_whatever_number_it_would_be() -> None:
    assert read("{1e999: a, .inf: b, 08: c, 8: d}\n") == {"1e999": "a", ".inf": "b", "08": "c", "8": "d"}


TOOL = """\
kind: Tool
name: pay
description: Pays.
effect: write
idempotency: none
input:
  type: object
  properties:
    month: {type: string, enum: ['08', '1e5', "a\\u2028b", '0o17']}
    amount_usd: {type: number}
    until: {type: string, format: date}
    at: {type: string, format: date-time}
    time: {type: string, format: time}
    address: {type: string, format: ipv4}
    other: {type: string, format: ipv6}
    host: {type: string, format: hostname}
    span: {type: string, format: duration}
    id: {type: string, format: uuid}
    mail: {type: string, format: email}
    link: {type: string, format: uri}
  required: [month, amount_usd, until, at, time, address, other, host, span, id, mail, link]
  additionalProperties: false
output: {type: object}
adapter: {kind: python, file: specs/tools/code.py, function: act}
"""
RULES = """\
kind: Policy
name: rules
params: {most: 12345678901234567.89}
rules:
  - {id: may, tools: [pay], effect: allow, when: input.amount_usd <= params.most}
  - {id: eight, tools: [pay], effect: deny, when: input.month == '08', message: no}
  - {id: five, tools: [pay], effect: deny, when: input.month == '1e5', message: no}
"""


def test_every_fixture_that_is_written_is_valid_and_passes(tmp_path: Path) -> None:
    for path, text in (
        ("specs/tools/pay.yaml", TOOL), ("policies/rules.yaml", RULES), agent("[pay]", policies="[rules]"),
        ("specs/tools/code.py", "def act(**given):\n    return {}\n"),
    ):  # fmt: skip
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    shell = Shell(tmp_path)
    done = shell("test", ".", "--write-missing")
    written = sorted((tmp_path / "fixtures").glob("*.yaml"))
    assert len(written) > 2, done.err
    assert "Traceback" not in done.err
    assert shell("validate", ".").code == 0
    again = shell("test", ".")
    assert again.code == 0, again.out


# -- what a schema says


@pytest.mark.parametrize(("schema", "value"), [
    ("{type: string, enum: ['07', 08]}", "8"), ("{type: string, enum: ['07', 1e5]}", "100000"),
    ("{type: string, const: 08}", "8"), ("{type: integer, enum: [1, 2.5]}", "2.5"), ("{type: integer, enum: ['1']}", "1"),
    ("{type: [string, 'null'], enum: [a, 3, null]}", "3"), ("{type: boolean, enum: [yes, true]}", "yes"),
])  # fmt: skip
def test_a_value_that_can_not_fit_its_type_is_told(schema: str, value: str) -> None:
    for whole in (f"{{type: object, properties: {{m: {schema}}}}}",
                  f"{{type: object, properties: {{l: {{type: array, items: {schema}}}}}}}"):  # fmt: skip
        assert about(with_input(whole)[1], value), whole
    assert about(with_input("{type: object}", f"{{type: object, properties: {{m: {schema}}}}}")[1], value)


@pytest.mark.parametrize("schema", [
    "{type: string, enum: [a, b]}", "{type: number, enum: [1, 2.5]}", "{type: integer, enum: [1, 2.0]}",
    "{enum: [1, a, null]}", "{type: ['null', string], enum: [a, null]}", "{const: 1}",
])  # fmt: skip
def test_values_that_fit_their_type_are_not_complained_about(schema: str) -> None:
    assert errors(with_input(f"{{type: object, properties: {{m: {schema}}}}}")[1]) == []


@pytest.mark.parametrize(("wrong", "right"), [
    ("minLenght: 3", "minLength"), ("maxLenght: 3", "maxLength"), ("patern: a", "pattern"), ("enums: [a]", "enum"),
    ("additionalPropertes: false", "additionalProperties"), ("propertes: {a: {}}", "properties"),
    ("require: [a]", "required"), ("minimun: 1", "minimum"), ("Type: string", "type"), ("formt: date", "format"),
    ("uniqueItem: true", "uniqueItems"), ("oneof: [{}]", "oneOf"),
])  # fmt: skip
def test_a_misspelt_keyword_of_a_schema_is_told_with_what_is_meant(wrong: str, right: str) -> None:
    places = [
        f"{{type: object, {wrong}}}", f"{{type: object, properties: {{a: {{{wrong}}}}}}}",
        f"{{type: object, properties: {{a: {{items: {{{wrong}}}}}}}}}", f"{{type: object, $defs: {{a: {{{wrong}}}}}}}",
        f"{{type: object, anyOf: [{{{wrong}}}]}}", f"{{type: object, if: {{{wrong}}}}}",
    ]  # fmt: skip
    for schema in places:
        told = about(with_input(schema)[1], wrong.split(":")[0])
        assert any(f"`{right}`" in one for one in told), schema
    assert about(with_input("{type: object}", places[0])[1], right)


def test_words_of_a_schema_that_are_known_are_not_complained_about() -> None:
    schema = (
        "{type: object, title: a, description: b, $comment: c, deprecated: false, readOnly: true, writeOnly: false, "
        "x-unit: usd, x-anything: {}, contentEncoding: base64, contentMediaType: a/b, unevaluatedProperties: false, "
        "properties: {minLenght: {type: string}, a: {type: array, prefixItems: [{}], items: false, minContains: 1, "
        "contains: {}}}, dependentSchemas: {a: {}}, patternProperties: {'^b': {}}, propertyNames: {maxLength: 9}, "
        "$defs: {enums: {}}}"
    )
    assert errors(with_input(schema)[1]) == []


FORMATS = [
    ("date", "2024-02-29", ["2024-02-30", "20240229", "x"]),
    ("date-time", "2024-01-01T00:00:00Z", ["2024-01-01T00:00:00", "2024-01-01 00:00", "2024-13-01T00:00:00Z"]),
    ("time", "12:00:00Z", ["25:00:00Z", "noon"]),
    ("email", "a@mail.example", ["a b@mail.example", "@", "a"]),
    ("uri", "https://a.example/x", ["a", "http://a b"]),
    ("uuid", "123e4567-e89b-12d3-a456-426614174000", ["123", "{123e4567-e89b-12d3-a456-426614174000}"]),
    ("ipv4", "1.2.3.4", ["1.2.3", "256.1.1.1", "01.2.3.4"]),
    ("ipv6", "::1", ["1::2::3", "1.2.3.4"]),
    ("hostname", "a.example", ["-a", "a_b.example", "x" * 64]),
    ("duration", "PT1H", ["1h", "P", "one"]),
]


@pytest.mark.parametrize(("name", "right", "wrong"), FORMATS)
def test_a_format_is_enforced_at_every_border(name: str, right: str, wrong: list[str]) -> None:
    one = f"{{type: string, format: {name}}}"
    for schema in (
        f"{{type: object, properties: {{a: {one}}}}}",
        f"{{type: object, additionalProperties: {one}}}",
        f"{{type: object, properties: {{a: {{anyOf: [{one}, {{type: 'null'}}]}}}}}}",
        f"{{type: object, $defs: {{d: {one}}}, properties: {{a: {{$ref: '#/$defs/d'}}}}}}",
        f"{{type: object, patternProperties: {{'^a': {one}}}}}",
    ):  # fmt: skip
        made, found = with_input(schema, schema)
        assert made is not None, errors(found)
        for check in (made.tools["act"].check_input, made.tools["act"].check_output):
            assert check({"a": right}) == []
            for text in wrong:
                assert check({"a": text}), (schema, text)
            # what is no text has no format
            assert f"{{type: string, format: {name}}}" in schema


@pytest.mark.parametrize(("name", "right", "wrong"), FORMATS)
def test_an_attribute_of_a_session_has_the_format_that_its_schema_says(
    tmp_path: Path, name: str, right: str, wrong: list[str]
) -> None:
    path, text = agent("[]")
    before, _, after = text.partition("attributes:")
    schema = f"{{type: object, properties: {{a: {{type: string, format: {name}}}}}, required: [a]}}"
    made, found = loaded((path, f"{before}attributes: {schema}\n{after.partition(chr(10))[2]}"))
    assert made is not None, errors(found)
    check = made.agents["bot"].check_attributes
    assert check({"a": right}) == []
    assert all(check({"a": text}) for text in wrong)


def test_a_format_that_nobody_knows_is_told_and_a_text_is_not_refused_for_it() -> None:
    made, found = with_input("{type: object, properties: {a: {type: string, format: dateTime}}}")
    assert about(found, "dateTime")
    if made is not None:
        assert made.tools["act"].check_input({"a": "x"}) == []


# -- older dialects


OLD: dict[str, tuple[dict[str, Any], Any, list[Any]]] = {
    "tuple": ({"properties": {"a": {"type": "array", "items": [{"type": "number"}, {"type": "string"}],
                                    "additionalItems": False}}},
              {"a": [1, "x"]}, [{"a": ["x", 1]}, {"a": [1, "x", 2]}]),
    "dependencies": ({"properties": {"a": {}, "b": {}}, "dependencies": {"a": ["b"]}}, {"a": 1, "b": 1}, [{"a": 1}]),
    "dependent": ({"properties": {"a": {}}, "dependencies": {"a": {"required": ["b"]}}}, {"a": 1, "b": 1}, [{"a": 1}]),
    "above": ({"properties": {"a": {"type": "number", "minimum": 0, "exclusiveMinimum": True}}}, {"a": 1}, [{"a": 0}]),
    "least": ({"properties": {"a": {"type": "number", "minimum": 0, "exclusiveMinimum": False}}}, {"a": 0}, [{"a": -1}]),
    "below": ({"properties": {"a": {"type": "number", "maximum": 9, "exclusiveMaximum": True}}}, {"a": 1}, [{"a": 9}]),
    "named": ({"definitions": {"d": {"type": "string"}}, "properties": {"a": {"$ref": "#/definitions/d"}}},
              {"a": "x"}, [{"a": 1}]),
    "deep": ({"properties": {"o": {"type": "object", "properties": {"l": {"type": "array", "items": [{"type": "null"}]}}}}},
             {"o": {"l": [None]}}, [{"o": {"l": [1]}}]),
    "beside": ({"definitions": {"d": {"type": "string"}},
                "properties": {"a": {"$ref": "#/definitions/d", "maxLength": 1}}}, {"a": "xx"}, [{"a": 1}]),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in OLD if name != "beside"])
@pytest.mark.parametrize("dialect", ["http://json-schema.org/draft-07/schema#", None])
def test_forms_of_older_dialects_are_translated_or_refused_at_import(
    tmp_path: Path, name: str, dialect: str | None
) -> None:
    schema, right, wrong = OLD[name]
    said = {"$schema": dialect} if dialect else {}
    one = Importing(tmp_path, listed(name, {"type": "object", **said, **schema}), listed("good"))
    done = one.imported()
    assert "s_good" in one.documents
    if f"s_{name}" not in one.documents:
        assert name in done.err + done.out
        return
    check = one.loaded.tools[f"s_{name}"].check_input
    assert check(right) == []
    assert all(check(value) for value in wrong)


@pytest.mark.parametrize("schema", [
    "{type: object, properties: {a: {type: array, items: [{type: number}]}}}",
    "{type: object, dependencies: {a: [b]}}", "{type: object, properties: {a: {type: number, exclusiveMinimum: true}}}",
    "{type: object, properties: {a: {type: array, items: {}, additionalItems: false}}}",
    "{type: object, properties: {a: {type: string, nullable: true}}}",
    "{type: object, properties: {a: {type: string, required: true}}}",
])  # fmt: skip
def test_forms_of_older_dialects_in_a_bundle_are_told_in_our_words(schema: str) -> None:
    found = with_input(schema)[1]
    told = [f"{one.message} {one.help or ''}" for one in found]
    words = ("prefixItems", "dependentRequired", "exclusiveMinimum", "additionalItems", "nullable", "required")
    assert any(any(word in one for word in words) for one in told), told
    # no words of Python
    assert not any("True" in one or "[{'" in one for one in told), told
