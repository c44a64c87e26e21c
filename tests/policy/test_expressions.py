"""Expressions: what has a value, what has none, and what is refused before it runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.language import arithmetic, types
from engine.language.arithmetic import EvaluationError
from engine.language.evaluate import UnreadableFact
from engine.language.expression import compile_expression
from engine.language.syntax import SyntaxProblem, parse
from engine.language.value import exact

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMES: dict[str, Any] = {
    "input": {"amount": Decimal("250.01"), "name": "Ada", "tags": ["a", "b"], "deep": {"x": {"y": 1}}, "none": None},
    "now": NOW,
    "day": date(2026, 11, 23),
    "hour": timedelta(hours=1),
    "items": [3, 1, 2],
    "table": {"gold": 3, "silver": 2},
    "words": ["x", "y"],
    "words_": {"from": 1, "class": 2},
    "flag": True,
    "s": frozenset({("a number", 1)}),
}


def value(text: str, **names: Any) -> Any:
    expression, _ = compile_expression(text, dict.fromkeys([*NAMES, *names], types.UNKNOWN))
    return expression.value({**NAMES, **names})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("3 - 0.5", Decimal("2.5")),
        ("-3 + 1", -2),
        ("0.1 + 0.2 == 0.3", True),
        ("1 / 3", Decimal("0.3333333333333333333333333333")),
        ("7 % 3", 1),
        ("-7 % 3", 2),
        ("7 % -3", -2),
        ("6 % 3", 0),
        ("input.amount > 250", True),
        ("250 >= 250.00", True),
        ("1 < 2 < 3", True),
        ("1 < 2 > 5", False),
        ("'a' < 'b'", True),
        ("'a' in ['a', 'b']", True),
        ("'z' not in ['a', 'b']", True),
        ("'gold' in table", True),
        ("1 in table", False),
        ("1 in s", True),
        ("true and not false", True),
        ("false or flag", True),
        ("flag or missing.x", True),
        ("false and missing.x", False),
        ("'big' if input.amount > 100 else 'small'", "big"),
        ("input.tags[0]", "a"),
        ("input.tags[-1]", "b"),
        ("input['name']", "Ada"),
        ("table['gold']", 3),
        ("input.deep.x.y", 1),
        ("null == input.none", True),
        ("null == 1", False),
        ("input.none != 1", True),
        ("[1, 2] == [1.0, 2]", True),
        ("[1] == ['1']", False),
        ("{}".format("table == record(gold=3, silver=2)"), True),
        ("('a', 1) == ['a', 1]", True),
        ("[1] + [2]", [1, 2]),
        ("now - hour < now", True),
        ("hour + now == now + hour", True),
        ("now - now == duration('0s')", True),
        ("day - day == hour - hour", True),
        ("-hour < hour", True),
        ("hour + hour > hour", True),
        ("date(now) == day", True),
        ("date(day) == date('2026-11-23')", True),
        ("datetime('2026-11-23T13:00:00+01:00') == now", True),
        ("datetime('2026-11-23T12:00:00') == datetime(now)", True),
        ("datetime(day) < now", True),
        ("duration('90s') == duration(duration('1.5m'))", True),
        ("is_date('2026-02-30')", False),
        ("is_date(day)", True),
        ("sum(items)", 6),
        ("sum([])", 0),
        ("sum(1, 2.5)", Decimal("3.5")),
        ("min(items)", 1),
        ("max(1, 2)", 2),
        ("max(now, now - hour) == now", True),
        ("min([hour, hour])  == hour", True),
        ("len('abc') + len(items) + len(table)", 8),
        ("first(items)", 3),
        ("distinct([1, 1.0, 2])", [1, 2]),
        ("set([1, 2]) == set([2, 1, 1])", True),
        ("2 in set([1, 2])", True),
        ("values(table)", [3, 2]),
        ("zip([1, 2], ['a', 'b'])", [[1, "a"], [2, "b"]]),
        ("neighbours(items)", [[3, 1], [1, 2]]),
        ("lower('ADA')", "ada"),
        ("starts_with('abc', 'ab') and ends_with('abc', 'bc')", True),
        ("contains('abc', 'b') and contains(items, 3.0)", True),
        ("glob('acct_1001', 'acct_*')", True),
        ("glob('a[b]', 'a[b]')", True),
        ("glob('abc', 'a?')", False),
        ("is_set(input.none)", False),
        ("is_set(1)", True),
        ("record(a=1).a", 1),
        ("words_.from + words_.class", 3),
        ("lower('x.from') == 'x.from'", True),
        ("glob('a+', '\\d+')", False),
        ("[x * 2 for x in items]", [6, 2, 4]),
        ("[x for x in items if x > 1 if x < 3]", [2]),
        ("any(x > 2 for x in items)", True),
        ("all(x > 2 for x in items)", False),
        ("all(x for x in [])", True),
        ("any([false, true])", True),
        ("count(x > 1 for x in items)", 2),
        ("sum(x * x for x in items)", 14),
        ("max(x for x in items if x < 3)", 2),
        ("sum(a * b for a, b in zip(items, items))", 14),
        ("[a for a in words for b in words if a != b]", ["x", "y"]),
        ("[k for k in table]", ["gold", "silver"]),
        ("[x for x in s]", [1]),
        ("[len([y for y in items if y < x]) for x in items]", [2, 0, 1]),
        (" \n 1 +\n 1 ", 2),
        ("'é' + 'x' == 'y' if false else 'naïve' == 'naïve'", True),
    ],
)
def test_an_expression_has_its_value(text: str, wanted: Any) -> None:
    assert value(text) == exact(wanted) if not isinstance(wanted, bool) else value(text) is wanted


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 == 'a'", "can't be compared"),
        ("1 < 'a'", "can't be compared"),
        ("[1] < [2]", "has no order"),
        ("null < null", "has no order"),
        ("true < false", "has no order"),
        ("1 in 'abc'", "needs a list"),
        ("1 + 'a'", "can't be added"),
        ("1 - 'a'", "can't be subtracted"),
        ("now - day", "can't be subtracted"),
        ("'a' * 2", "can't be multiplied"),
        ("true / 2", "can't be divided"),
        ("1 / 0", "division by zero"),
        ("1 % 0", "division by zero"),
        ("-'a'", "has no negative"),
        ("-true", "has no negative"),
        ("1 and true", "must be a boolean"),
        ("not 1", "must be a boolean"),
        ("1 if 1 else 2", "must be a boolean"),
        ("nothing", "has no value"),
        ("input.nothing", "there is no `nothing`"),
        ("input.name.x", "is read from text"),
        ("items[3]", "has no such item"),
        ("items[-4]", "has no such item"),
        ("items[0.5]", "can't be indexed"),
        ("items['a']", "can't be indexed"),
        ("table[1]", "can't be indexed"),
        ("table['bronze']", "there is no `bronze`"),
        ("sum(['a'])", "needs numbers"),
        ("any(1 for x in items)", "needs booleans"),
        ("any(1)", "needs a list"),
        ("[x for x in 5]", "a loop needs a list"),
        ("[a for a, b in items]", "needs pairs|need pairs"),
        ("[x for x in items if 1]", "must be a boolean"),
        ("min([])", "of nothing"),
        ("min([1, 'a'])", "of one kind"),
        ("max([hour, 1])", "of one kind"),
        ("max([true])", "of one kind"),
        ("len(1)", "has no length"),
        ("first([])", "empty list"),
        ("first('a')", "needs a list"),
        ("set([[1]])", "simple values"),
        ("values([1])", "needs a map"),
        ("zip([1], [1, 2])", "unequal length"),
        ("lower(1)", "needs text"),
        ("contains(1, 1)", "needs a list"),
        ("contains('a', 1)", "needs text"),
        ("datetime('soon')", "not a date and time"),
        ("datetime(1)", "a number is not a date and time"),
        ("date('2026-02-30')", "not a date"),
        ("date(1)", "not a date"),
        ("duration('soon')", "not a duration"),
        ("duration(1)", "not a duration"),
        ("day + duration('99999999d')", "out of range"),
        ("day + duration('36h')", "whole days"),
        ("day - duration('1h')", "whole days"),
        ("datetime('2026-W01-1')", "not a date and time"),
        ("datetime('20260101')", "not a date and time"),
        ("datetime('2026-13-01')", "not a date and time"),
        ("1" + "0" * 59 + " * 100", "out of range"),
    ],
)
def test_an_expression_without_a_value_says_why(text: str, says: str) -> None:
    with pytest.raises(EvaluationError, match=says):
        value(text)


def test_a_fact_that_could_not_be_read_is_an_error_wherever_it_is_used() -> None:
    with pytest.raises(EvaluationError, match="the line is down"):
        value("fact.verified", fact=UnreadableFact("the line is down"))


def test_an_absent_optional_field_reads_as_null() -> None:
    scope = {"input": types.Record({"note": types.Field(types.TEXT, optional=True)})}
    expression, problems = compile_expression("input.note == null", scope)
    assert not problems
    assert expression.value({"input": {}}) is True
    assert expression.value({"input": {"note": "x"}}) is False


def test_a_chain_is_seen_with_its_value_only_where_it_was_read() -> None:
    scope = {"input": types.UNKNOWN, "params": types.UNKNOWN}
    expression, _ = compile_expression("input.a > params.b or input.c", scope)
    seen: dict[str, Any] = {}
    assert expression.value({"input": {"a": 2}, "params": {"b": 1}}, seen) is True
    assert seen == {"input.a": 2, "params.b": 1}
    assert expression.reads == {"input", "params"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("a = 1", "compares nothing"),
        ("a := 1", "does not parse"),
        ("(a := 1)", "not part of the language"),
        ("(a", "never closed"),
        ("a b", "does not parse"),
        ("lambda: 1", "not part of the language"),
        ("a ** 2", "not part of the language"),
        ("a // 2", "not part of the language"),
        ("a & b", "not part of the language"),
        ("+a", "not part of the language"),
        ("~a", "not part of the language"),
        ("a is b", "not part of the language"),
        ("a[1:2]", "slice"),
        ("f'{a}'", "not part of the language"),
        ("{'a': 1}", "not part of the language"),
        ("{1, 2}", "not part of the language"),
        ("{x for x in a}", "not part of the language"),
        ("{x: 1 for x in a}", "not part of the language"),
        ("(x for x in a)", "a loop stands in"),
        ("[x for a.b in c]", "one variable"),
        ("[x for a, b, c in d]", "one variable"),
        ("sum((x for x in a), 1)", "only argument"),
        ("a.b()", "only a function"),
        ("f(*a)", "spread"),
        ("f(**a)", "spread"),
        ("len(x=a)", "no named arguments"),
        ("True", "not part of the language"),
        ("None", "not part of the language"),
        ("1_000", "not a number"),
        ("0x1F", "not a number"),
        ("1e5", "not a number"),
        ("1j", "not a number"),
        ("b'x'", "not a number"),
        ("...", "not a number"),
        ("(a,)", "at least two"),
        ("()", "at least two"),
        ("9" * 61, "digits"),
        ("a # b", "comments"),
        ("\x00", "does not parse"),
        ("'\ud800'", "does not parse"),
        ("await a", "not part of the language"),
        ("a; b", "does not parse"),
        ("a && b", "`&&` is not part"),
        ("a || b", "`||` is not part".replace("|", "[|]")),
        ("!a", "`!` is not part"),
        ("010", "does not begin with zeros"),
        ("'abc", "not closed"),
        ("100USD", "a name begins"),
        ("a if b", "does not parse"),
    ],
)
def test_what_is_not_the_language_is_refused(text: str, says: str) -> None:
    with pytest.raises(SyntaxProblem, match=says) as raised:
        parse(text)
    assert 0 <= raised.value.problem.start < raised.value.problem.end <= max(len(text), 1) + 1


def test_a_hash_inside_of_text_is_no_comment() -> None:
    assert value("'#1' == '#1'") is True


def test_a_loop_has_bounds() -> None:
    with pytest.raises(EvaluationError, match="more data than a condition may"):
        value("count(a + b + c + d > 0 for a in xs for b in xs for c in xs for d in xs)", xs=list(range(20)))


def test_a_loop_that_knows_stops() -> None:
    assert value("any(x > 1 for x in xs)", xs=[2, "text"]) is True
    assert value("all(x > 1 for x in xs)", xs=[0, "text"]) is False


def test_the_values_of_a_loop_are_not_shown_as_one() -> None:
    expression, _ = compile_expression("any(x.p > limit for x in xs)", dict.fromkeys(["xs", "limit"], types.UNKNOWN))
    seen: dict[str, Any] = {}
    assert expression.value({"xs": [{"p": 1}, {"p": 5}], "limit": 3}, seen) is True
    assert set(seen) == {"xs", "limit"}
    assert expression.reads == {"xs", "limit"}


def test_an_expression_has_bounds() -> None:
    with pytest.raises(SyntaxProblem, match="characters"):
        parse("a" * 2001)
    with pytest.raises(SyntaxProblem, match="nested"):
        parse("not " * 60 + "a")
    with pytest.raises(SyntaxProblem, match="parse"):
        parse("(" * 900 + "a" + ")" * 900)


def test_offsets_are_characters_of_the_text_as_written() -> None:
    _, problems = compile_expression("  'né' == wrong", {})
    assert ("  'né' == wrong")[problems[0].start : problems[0].end] == "wrong"


def test_kinds_have_names_for_people() -> None:
    values: list[Any] = [None, True, 1, "a", NOW, NOW.date(), timedelta(1), frozenset(), [], {}]
    assert [arithmetic.kind(value) for value in values] == [
        "null", "a boolean", "a number", "text", "a date and time", "a date", "a duration", "a set", "a list",
        "an object",
    ]  # fmt: skip


def test_unlike_maps_and_lists_are_different_and_no_error_inside() -> None:
    assert arithmetic.same({"a": 1}, {"a": Decimal(1)}) is True
    assert arithmetic.same({"a": 1}, {"b": 1}) is False
    assert arithmetic.same([1, 2], [1]) is False
