"""What is typed without a complaint gives no error of types when it runs, for every function and operator."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.language import types
from engine.language.arithmetic import EvaluationError
from engine.language.expression import Expression, compile_expression
from engine.language.functions import FUNCTIONS, PROVENANCE
from engine.language.provenance.origins import Evidence, Origins
from engine.language.schema_types import of_schema
from engine.language.syntax import SyntaxProblem
from tests.long_form import either


def form(*needed: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(needed), "additionalProperties": False}


def few(items: Any) -> dict[str, Any]:
    return {"type": "array", "maxItems": 3, "items": items}


NUMBER, TEXT = {"type": "number"}, {"type": "string"}
# a schema, and values that fit it
FIELDS: dict[str, tuple[Any, list[Any]]] = {
    "n": (NUMBER, [0, 3, -2]),
    "usd": ({"type": "number", "x-unit": "USD"}, [1, 5]),
    "s": (TEXT, ["", "a", "2026-01-01", "24h"]),
    "e": ({"enum": ["low", "high"]}, ["low", "high"]),
    "ne": ({"enum": ["low", "high", None]}, ["low", None]),
    "en": ({"enum": [1, 2]}, [1, 2]),
    "mix": ({"enum": ["a", 1, True, None]}, ["a", 1, True, None]),
    "b": ({"type": "boolean"}, [True, False]),
    "two": ({"type": ["string", "number"]}, ["a", 1]),
    "nn": ({"type": ["number", "null"]}, [1, None]),
    "lt": (few(TEXT), [[], ["a"], ["a", "b"]]),
    "ln": (few(NUMBER), [[], [1], [1, 2, 2]]),
    "lb": (few({"type": "boolean"}), [[], [True], [True, False]]),
    "ll": (few(few(NUMBER)), [[], [[1, 2]], [[1, 2], [3, 4]]]),
    "lm": (few({"type": ["string", "number"]}), [[], ["a", 1], [1, "b"]]),
    "lo": (few(form("x", x=NUMBER, y=TEXT)), [[], [{"x": 1}], [{"x": 1, "y": "a"}, {"x": 2}]]),
    "lu": (few({"anyOf": [form("x", x=NUMBER), TEXT]}), [[], ["a"], [{"x": 1}, "a"]]),
    "m": ({"type": "object", "additionalProperties": NUMBER}, [{}, {"a": 1}, {"low": 1, "high": 2}]),
    "r": (form("x", "z", x=NUMBER, y=TEXT, z=few(NUMBER)), [{"x": 1, "z": [1]}, {"x": 1, "y": "a", "z": []}]),
    "r2": (form("low", low=NUMBER, high=NUMBER), [{"low": 1}, {"low": 1, "high": 2}]),
    "un": ({"oneOf": [form("k", "a", k={"const": 1}, a=NUMBER), form("k", k={"const": 2})]}, [{"k": 2}]),
}
PARAMS: dict[str, Any] = {
    "mixed": ["a", 1], "none": [], "table": {"low": 1, "high": "x"}, "words": ["a", "b"], "deep": [[1], ["a"]],
}  # fmt: skip
SCOPE: dict[str, types.Type] = {
    "input": of_schema(form(*FIELDS, **{name: schema for name, (schema, _) in FIELDS.items()})),
    "params": types.of_value(PARAMS), "now": types.DATETIME, "day": types.DATE, "span": types.DURATION, PROVENANCE: types.UNKNOWN,
}  # fmt: skip
ATOMS = [
    *(f"input.{name}" for name in FIELDS), *(f"params.{name}" for name in PARAMS), "now", "day", "span", "1", "'a'",
    "true", "null", "[]", "[1, 'a']", "(1, 'a')", "record(a=1)", "(input.s if input.b else input.ln)",
    "(input.n if input.b else input.ln)", "(input.r if input.b else input.ln)",
]  # fmt: skip
# what depends on the value, and no schema can tell
OF_VALUES = (
    "division by zero", "of an empty list", "of nothing", "unequal length", "is not a date", "is not a duration",
    "out of range", "no such item", "whole days", "goes over more", "there is no", "need pairs, and this is a list",
    "has no entry", "there is no",
)  # fmt: skip
LOOPS = (
    "[x for x in {}]", "[y for x in {} for y in x]", "[a for a, b in {}]", "[b for a, b in neighbours({})]",
    "any(x for x in {})", "[x.x for x in {}]", "set((a, b) for a, b in zip({0}, {0}))", "set(x for x in {})",
    "record(x={}).x", "-{}", "not {}", "{}[0]", "{}['low']", "{}.x", "{}.a", "first({}).x",
)  # fmt: skip
OPERATORS = ("==", "!=", "<", "in", "+", "-", "*", "/", "%", "and")


def environments() -> list[dict[str, Any]]:
    rows = max(len(values) for _, values in FIELDS.values())
    given_ = [{name: values[(row * 7 + n) % len(values)] for n, (name, (_, values)) in enumerate(FIELDS.items())}
              for row in range(3 * rows)]  # fmt: skip
    common = {
        "params": PARAMS, "now": datetime(2026, 1, 2, tzinfo=UTC), "day": date(2026, 1, 1), "span": timedelta(hours=3),
        PROVENANCE: Origins([Evidence("customer", "a")]),
    }  # fmt: skip
    return [{"input": one, **common} for one in given_]


ENVIRONMENTS = environments()


def error_of(expression: Expression, names: dict[str, Any]) -> str:
    for run in (expression.value, expression.reference):
        try:
            run(names)
        except EvaluationError as error:
            if not any(part in str(error) for part in OF_VALUES):
                return str(error)
    return ""


def disagreements(text: str) -> list[str]:
    """What goes wrong at run although nothing was said at load."""
    try:
        expression, problems = compile_expression(text, SCOPE)
    except SyntaxProblem:
        return []
    return [] if problems else sorted({error_of(expression, names) for names in ENVIRONMENTS} - {""})


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_what_types_in_a_function_of_one_argument_never_errs_for_its_type(name: str) -> None:
    wrong = {text: found for atom in ATOMS for text in [f"{name}({atom})"] if (found := disagreements(text))}
    assert wrong == {}


@pytest.mark.parametrize("name", sorted(name for name, function in FUNCTIONS.items() if function.most > 1))
def test_what_types_in_a_function_of_two_arguments_never_errs_for_its_type(name: str) -> None:
    wrong = {
        text: found
        for place, one in enumerate(ATOMS)
        for other in ATOMS[place % 3 :: 3]
        for text in [f"{name}({one}, {other})"]
        if (found := disagreements(text))
    }
    assert wrong == {}


@pytest.mark.parametrize("written", LOOPS)
def test_what_types_in_a_loop_or_a_reading_never_errs_for_its_type(written: str) -> None:
    wrong = {text: found for atom in ATOMS for text in [written.format(atom)] if (found := disagreements(text))}
    assert wrong == {}


@pytest.mark.parametrize("operator", [*OPERATORS, "[]"])
def test_what_types_between_two_values_never_errs_for_its_type(operator: str) -> None:
    wrong = {
        text: found
        for place, one in enumerate(ATOMS)
        for other in ATOMS[place % 2 :: 2]
        for text in [f"{one}[{other}]" if operator == "[]" else f"{one} {operator} {other}"]
        if (found := disagreements(text))
    }
    assert wrong == {}


def forms(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    ones = st.sampled_from([*(f"{name}({{}})" for name in FUNCTIONS), *LOOPS[:8]])
    twos = st.sampled_from([f"({{}}) {sign} ({{}})" for sign in OPERATORS] + [
        "[{}, {}]", "({}) if input.b else ({})", "zip({}, {})", "contains({}, {})", "min({}, {})", "({}) in set({})",
    ])  # fmt: skip
    return st.one_of(
        st.builds(lambda written, one: written.format(one), ones, inner),
        st.builds(lambda written, one, other: written.format(one, other), twos, inner, inner),
    )


@settings(max_examples=either(600, 200), deadline=None)
@given(st.recursive(st.sampled_from(ATOMS), forms, max_leaves=4))
def test_what_types_never_gives_an_error_of_types_at_run(text: str) -> None:
    assert disagreements(text) == []


def test_what_a_set_holds_is_settled_at_load() -> None:
    for text in ("set((a, b) for a, b in zip(input.lt, input.lt))", "set(input.ll)", "set(input.lo)", "set([[1], 2])"):
        assert disagreements(text) == [], text


@pytest.mark.parametrize("value", [[1], {"a": 1}, [[1], {"b": []}]])
def test_whether_a_list_or_a_map_is_in_a_set_is_never_a_fault_of_the_engine(value: Any) -> None:
    expression, _ = compile_expression("any_ in set(more)", {"any_": types.UNKNOWN, "more": types.UNKNOWN})
    for more in ([], [1], ["a", 2], [value]):
        with suppress(EvaluationError):
            assert expression.value({"any_": value, "more": more}) in (True, False)


@pytest.mark.parametrize("text", ["input.m.a > 1", "input.m.low == 1", "sum([input.m.a]) > 0"])
def test_a_key_of_a_map_is_not_read_by_a_point(text: str) -> None:
    _, problems = compile_expression(text, SCOPE)
    assert [p.kind for p in problems] == ["operand"] or [p.kind for p in problems] == ["field"]
    assert "['" in problems[0].help


def test_a_key_of_a_map_is_read_in_brackets_and_that_of_a_known_object_by_a_point() -> None:
    for text in (
        "input.m['a'] > 1",
        "input.r2.low > 1",
        "params.table.low == 1",
        "'a' in input.m and input.m['a'] > 0",
    ):
        assert compile_expression(text, SCOPE)[1] == (), text


def test_a_value_of_several_types_is_compared_by_membership() -> None:
    """The way that is left where `==` is refused."""
    for text in ("input.two in ['a']", "input.mix in [true]", "'a' in [input.mix]"):
        assert disagreements(text) == []
        assert compile_expression(text, SCOPE)[1] == ()
