"""The compiled form and the reference agree, on random well-typed expressions over random data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.language import types
from engine.language.arithmetic import EvaluationError
from engine.language.evaluate import UnreadableFact
from engine.language.expression import Expression, compile_expression
from engine.language.syntax import SyntaxProblem
from tests.long_form import either

ITEM = types.record(price=types.NUMBER, sku=types.TEXT, live=types.BOOLEAN)
SCOPE: dict[str, types.Type] = {
    "input": types.Record(
        {
            "amount": types.Field(types.NUMBER),
            "name": types.Field(types.TEXT),
            "ok": types.Field(types.BOOLEAN),
            "note": types.Field(types.TEXT, optional=True),
            "items": types.Field(types.ListOf(ITEM)),
            "tags": types.Field(types.ListOf(types.TEXT)),
        }
    ),
    "params": types.Record({"limit": types.Field(types.NUMBER), "window": types.Field(types.DURATION)}, "param"),
    "fact": types.Record(
        {"state": types.Field(types.Text(frozenset({"open", "shut"}))), "n": types.Field(types.NUMBER)}
    ),
    "now": types.DATETIME,
    "pairs": types.ListOf(types.ListOf(types.NUMBER)),
    "anything": types.UNKNOWN,
}

numbers = st.sampled_from(["0", "1", "250.00", "0.1", "input.amount", "params.limit", "fact.n", "len(input.items)"])
texts = st.sampled_from(["'a'", "'open'", "input.name", "lower(input.name)", "input.tags[0]", "''"])
moments = st.sampled_from(["now", "now - params.window", "datetime('2026-01-01T00:00:00Z')"])


def number(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        numbers,
        st.builds("({} {} {})".format, numbers, st.sampled_from(["+", "-", "*", "/", "%"]), numbers),
        st.builds("(-{})".format, numbers),
        st.builds("({} if {} else {})".format, numbers, inner, numbers),
        st.sampled_from(["sum(i.price for i in input.items)", "max(i.price for i in input.items if i.live)"]),
        st.builds("count({} for i in input.items)".format, st.sampled_from(["i.live", "i.price > 1", "i.sku == 'a'"])),
        st.just("sum(a * b for a, b in pairs)"),
        st.just("input.items[-1].price"),
    )


def boolean(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    any_number = number(inner)
    return st.one_of(
        st.sampled_from(["true", "false", "input.ok", "fact.state == 'open'", "input.note == null", "anything == 1"]),
        st.builds("{} {} {}".format, any_number, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), any_number),
        st.builds("{} {} {}".format, texts, st.sampled_from(["==", "!=", "<", ">="]), texts),
        st.builds("{} {} {}".format, moments, st.sampled_from(["<", ">", "=="]), moments),
        st.builds("{} in input.tags".format, texts),
        st.builds("{} not in ['a', 'b']".format, texts),
        st.builds("contains(input.name, {})".format, texts),
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("any({} and i.live for i in input.items)".format, inner),
        st.builds("all(i.price < {} for i in input.items if {})".format, numbers, inner),
        st.just("input.note != null and len(input.note) > 1"),
        st.just("1 < input.amount < 5"),
        st.just("[i.sku for i in input.items] == input.tags"),
        st.just("anything.x[0] > 1"),
        st.just("record(a=input.amount).a == 1"),
    )


expressions = st.recursive(boolean(st.just("true")), boolean, max_leaves=6)
decimal = st.decimals(min_value=-500, max_value=500, places=2)
word = st.sampled_from(["a", "b", "open", "", "ab"])
data = st.fixed_dictionaries(
    {
        "input": st.fixed_dictionaries(
            {
                "amount": decimal | st.integers(-5, 5),
                "name": word,
                "ok": st.booleans(),
                "items": st.lists(
                    st.fixed_dictionaries({"price": decimal, "sku": word, "live": st.booleans()}), max_size=3
                ),
                "tags": st.lists(word, max_size=2),
            },
            optional={"note": word | st.none()},
        ),
        "params": st.fixed_dictionaries({"limit": decimal, "window": st.just(timedelta(hours=24))}),
        "fact": st.fixed_dictionaries({"state": st.sampled_from(["open", "shut"]), "n": decimal})
        | st.just(UnreadableFact("the line is down")),
        "now": st.just(datetime(2026, 1, 2, tzinfo=UTC)),
        "pairs": st.lists(st.tuples(decimal, decimal).map(list), max_size=2),
        "anything": st.none() | st.integers(0, 3) | st.just({"x": [Decimal(2)]}) | st.just("text"),
    }
)


def outcome(run: Any, names: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    seen: dict[str, Any] = {}
    try:
        value = run(names, seen)
        return (type(value).__name__, value), seen
    except EvaluationError as error:
        return ("error", str(error)), seen


@pytest.mark.untraced
@settings(max_examples=either(1500, 500), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(expressions, data)
def test_both_give_the_same_value_or_the_same_error_and_have_seen_the_same(text: str, names: dict[str, Any]) -> None:
    expression, _ = compile_expression(text, SCOPE)
    assert outcome(expression.value, names) == outcome(expression.reference, names), text
    if expression.fast is not None:
        try:
            quick = expression.fast(names, None)
        except Exception:  # whatever it is, the reference is asked then
            return
        assert quick == expression.reference(names), text


def fast(text: str) -> Expression:
    expression, problems = compile_expression(text, SCOPE)
    assert not problems
    return expression


@pytest.mark.parametrize(
    "text",
    [
        "input.amount > params.limit and input.ok",
        "fact.state in ['open'] or input.tags[0] == 'a'",
        "any(i.price > params.limit for i in input.items)",
        "now - params.window < now",
        "anything == 1",
    ],
)
def test_what_rules_are_made_of_is_compiled(text: str) -> None:
    assert fast(text).fast is not None


@pytest.mark.parametrize("text", ["input.note == null", "1 < input.amount < 5", "input.items[len(input.tags)].live"])
def test_what_is_left_to_the_reference_is_not_compiled(text: str) -> None:
    assert fast(text).fast is None


@pytest.mark.parametrize(
    ("text", "anything"),
    [("[a for a, b in anything]", [1]), ("[x for x in anything]", list(range(10_001))), ("anything and true", [1])],
)
def test_a_loop_keeps_its_bounds_when_it_is_compiled(text: str, anything: list[int]) -> None:
    expression = fast(text)
    assert expression.fast is not None
    with pytest.raises(EvaluationError):
        expression.fast({"anything": anything}, None)
    with pytest.raises(EvaluationError, match=r"pairs|more data than|boolean"):
        expression.value({"anything": anything})


def test_what_is_wrong_is_not_compiled() -> None:
    expression, problems = compile_expression("input.nothing > 1", SCOPE)
    assert problems
    assert expression.fast is None


@settings(max_examples=either(1500, 500), deadline=None)
@given(st.text(st.sampled_from("abinput.ok()[]{}'\"+-*/%<>=!,: 019\n#\\_éif elsfornTrue\x00\ud800"), max_size=60))
def test_any_text_is_refused_or_evaluated_and_never_anything_else(text: str) -> None:
    try:
        expression, problems = compile_expression(text, SCOPE)
    except SyntaxProblem:
        return
    if problems:
        return
    try:
        expression.value({"input": {"ok": True}})
    except EvaluationError:
        return


scalars = st.none() | st.booleans() | st.integers(-3, 3) | decimal | word | st.just(timedelta(hours=1))
junk = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["amount", "items", "price", "x", "__class__"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.untraced
@settings(max_examples=either(1500, 500), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(expressions, st.fixed_dictionaries(dict.fromkeys(SCOPE, junk)))
def test_any_data_gives_a_value_or_a_declared_error_and_never_anything_else(text: str, names: dict[str, Any]) -> None:
    expression, _ = compile_expression(text, SCOPE)
    for run in (expression.value, expression.reference):
        try:
            run(names, {})
        except EvaluationError:
            continue


@pytest.mark.parametrize(
    "text",
    [
        "input.__class__", "input['__class__']", "''.format", "(1).real", "input.items.append", "now.__reduce__",
        "__import__('os')", "N", "S", "K", "W", "list", "v_0", "f_len", "note",
    ],
)  # fmt: skip
def test_no_name_is_there_that_the_tables_do_not_give(text: str) -> None:
    expression, problems = compile_expression(text, SCOPE)
    assert problems
    assert expression.fast is None


@pytest.mark.untraced
@pytest.mark.parametrize(
    "text",
    [
        "len(distinct(anything)) == len(anything)",
        "all(x in anything for x in anything)",
        "any([x] == anything for x in anything)",
        "all(contains(anything, x) for x in anything)",
        "all(len(zip(anything, anything)) > 1 for x in anything)",
        "all(len(neighbours(anything)) >= 0 for x in anything)",
        "len([y for x in anything for y in anything + anything]) > 0",
        "all(len(anything + [x]) > 0 for x in anything)",
        "all(sum(anything) > x for x in anything)",
        "all(x in set(anything) for x in anything)",
        "all(max(anything) >= x for x in anything)",
        "all(len(distinct(anything)) > 0 for x in anything)",
    ],
)
def test_what_goes_over_data_within_a_loop_spends_the_same_bound_either_way(text: str) -> None:
    expression = fast(text)
    many = list(range(200_000 if "len(distinct(anything)) ==" in text else 6_000))
    if text.startswith("len(distinct"):
        assert expression.value({"anything": many}) is True
        return
    for way in (expression.value, expression.reference, expression.fast):
        assert way is not None
        with pytest.raises(EvaluationError, match="more data than a condition may"):
            way({"anything": many}, None)


LONG = [
    "all(lower(anything) == x for x in input.tags)",
    "any(contains(anything, x) for x in input.tags)",
    "any(glob(anything, x) for x in input.tags)",
    "any(starts_with(anything, x) for x in input.tags)",
]


@pytest.mark.parametrize("text", LONG)
def test_long_texts_spend_it_too(text: str) -> None:
    long = "a" * 900_000
    tag = long if "lower" in text else "*b*c*" if "glob" in text else "b" * 200
    names = {"anything": long, "input": {"tags": [tag] * 9_000}}
    expression = fast(text)
    for way in (expression.value, expression.reference):
        with pytest.raises(EvaluationError, match="more data than a condition may"):
            way(names, None)
