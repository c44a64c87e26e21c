"""The fast checker and the reference judge alike: over the JSON-Schema-Test-Suite, and over values of our own."""

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
from jsonschema.exceptions import SchemaError

from engine.bundle.link import schemas as schemas_module
from engine.bundle.link.schemas import AGREED, fast_checker, validator
from engine.policy.value import NotJson, exact

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


@pytest.mark.skipif(not FOUND, reason="the suite is fetched by `make test`")
def test_every_schema_of_the_suite_is_one_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Draft202012Validator, "check_schema", lambda schema: asked.append(schema))
    for _, schema, _, _ in cases():
        schemas_module._schema_error(exact(schema))
    assert asked == []


@pytest.mark.parametrize("plain", [{"type": "nonsense"}, {"minimum": "a"}, {"properties": []}, {"required": "a"}, 7])
def test_what_is_no_schema_is_refused(plain: Any) -> None:
    assert isinstance(schemas_module._schema_error(plain), SchemaError)


@pytest.mark.skipif(not FOUND, reason="the suite is fetched by `make test`")
def test_every_case_of_the_suite_is_judged_as_it_says_wherever_the_fast_checker_is_used() -> None:
    judged, wrong = 0, []
    for name, schema, data, valid in cases():
        try:
            fast, value, plain = fast_checker(schema), exact(data), exact(schema)
        except NotJson:
            continue
        if fast is None:
            continue
        judged += 1
        reference = Draft202012Validator(plain).is_valid(value)
        if not fast_checker(plain)(value) is reference is valid:  # type: ignore[misc]
            wrong.append(name)
    assert judged > 500
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
def test_both_checkers_judge_any_value_alike(schema: Any, value: Any) -> None:
    fast = fast_checker(schema)
    assert fast is not None
    assert fast(value) == Draft202012Validator(schema).is_valid(value)
    assert (validator(schema)(value) == []) == fast(value)


@pytest.mark.parametrize(
    "schema", [{"pattern": "^a$"}, {"properties": {"a": {"format": "date"}}}, {"$ref": "#/$defs/a"}]
)
def test_a_keyword_that_they_may_see_differently_goes_the_slow_way(schema: Any) -> None:
    assert fast_checker(schema) is None


def test_money_is_compared_exactly_either_way() -> None:
    check = validator({"type": "number", "maximum": Decimal("0.1")})
    assert check(Decimal("0.1")) == []
    assert check(Decimal("0.1000000000000000000001"))
    assert "pattern" not in AGREED
