"""What is said to an author of an expression that is refused: the word of the language, where it has one."""

from __future__ import annotations

import pytest

from engine.language import types
from engine.language.durations import span_text
from engine.language.expression import compile_expression
from engine.language.syntax import Problem, SyntaxProblem, parse
from engine.language.type_context import TypeContext

SCOPE: dict[str, types.Type] = {
    "input": types.record(
        "field", "", amount=types.NUMBER, level=types.Number(None, frozenset({1, 2, 3})), at=types.TEXT, tags=types.ListOf(types.TEXT),
        urgent=types.BOOLEAN, name=types.TEXT, state=types.Text(frozenset({"open", "closed"})),
    ),
    "params": types.Record({"limit": types.Field(types.of_value("1,000 USD")), "wait": types.Field(types.of_value("24h"))}, "param"),
    "now": types.DATETIME,
    "session": types.record("field", "", tenant=types.TEXT),
}  # fmt: skip


def problem(text: str, around: TypeContext | None = None) -> Problem:
    """The one thing that is wrong with an expression."""
    try:
        _, found = compile_expression(text, SCOPE, *([around] if around else []))
    except SyntaxProblem as error:
        return error.problem
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(("text", "help_"), [
    ("input.amount > 2 weeks", "write `duration('14d')`"), ("input.amount > 1 month", "count in days: `duration('30d')`"),
    ("input.amount > 90 secs", "write `duration('90s')`"), ("input.amount > 2 years", "count in days: `duration('365d')`"),
    ("input.name not like 'a%b_'", "write `not glob(input.name, 'a*b?')`"),
    ("input.name like pattern", "write `glob(input.name, pattern)`"),
    ("a ? b : c", "write `b if a else c`"), ("(a) ? b : c", "write `b if a else c`"), ("a ? b", "write `b if a else c`"),
    ("if a then b else c", "write `b if a else c`"), ("input.amount > $1,500.50", "write `1500.50`: its unit stands in the schema, as `x-unit`"),
    ("input.amount in [100,200] && input.urgent", "write `and`"), ("record(a=1) == 1 && a", "write `and`"),
    ("record(a=1, b=2) = 1", "write `==`"), ("record(a=1, b=2", ""), ("a.f(x)(y)", ""),
    ("input.then b", ""), ("input.amount 5 and", ""), ("input.amount > 5 or", ""),
    ("input.tags.get('x')", "write `input.tags.x`"), ("input.tags.get(0)", "write `input.tags[0]`"), ("input.tags.frob()", "functions are written `len(input.tags)`"),
    ("input.tags.exists(t, t == 'x')", "write `any(t == 'x' for t in input.tags)`"),
    ("input.tags.every(t => t == 'x')", "write `all(t == 'x' for t in input.tags)`"),
    ("any(t => t == 'x')", "write a loop: `any(x > 1 for x in list)`"),
    ("input.tags.starts_width('a')", "write `starts_with(input.tags, 'a')`"), ("input.tags.lenn()", "write `len(input.tags)`"),
    ("input.tags.sum()", "write `sum(input.tags)`"), ("input.tags.filter(keep)", "write `[x for x in input.tags if keep]`"),
    ("input.tags.any()", "write `any(... for x in input.tags)`"),
    ("input.name == .5 or input.amount == .5", "write `0.5`"), ("input.amount == 0x1F", "write `31`"),
    ("input.amount > 0250", "write it without them, or in quotes if it is text"),
    ("input.amount > 25O", "write its digits alone, with an operator before a name"),
    ("input.amount == 1e400", ""), ("input.amount == 2j", ""),
])  # fmt: skip
def test_what_does_not_parse_is_answered_with_what_to_write(text: str, help_: str) -> None:
    with pytest.raises(SyntaxProblem) as raised:
        parse(text)
    assert raised.value.problem.help == help_


@pytest.mark.parametrize(("text", "help_"), [
    ("amount > 5", "did you mean `input.amount`?"), ("amout > 5", "did you mean `input.amount`?"),
    ("inptu.amount > 5", "did you mean `input`?"), ("args.amount > 5", "write `input`"), ("result.x == 1", "defined here: `input`, `now`, `params`, `session`, `spent`"),
    ("spend > 5", "did you mean `spent`?"), ("NULL == input.name", "write `null`"),
    ("input.tenant == 'a'", "did you mean `session.tenant`?"), ("session.amount > 5", "did you mean `input.amount`?"),
    ("input.amuont > 5", "did you mean `amount`?"), ("frob(1) == 1", "defined here: `all`, `any`, `contains`, `count`, `date`, `datetime`, `distinct`, `duration`, `ends_with`, `first`, `glob`, `is_date`, ..."),
    ("size(input.tags) > 1", "use `len`"), ("today() > now", "write `date(now)`"),
    ("input.tags.length > 1", "write `len(input.tags)`"), ("input.tags.includes == 'a'", ""),
    ("input.tags.foo == 'a'", ""), ("input.level == 4", "it is one of `1`, `2`, `3`"),
    ("input.level in [1, 9]", "it is one of `1`, `2`, `3`"), ("input.state == 'opne'", "did you mean `open`?"),
    ("input.amount == '5'", "write `5`"), ("input.amount == 'five'", ""), ("input.name == 5", "write `'5'`"),
    ("input.urgent == 'False'", "write `false`"), ("input.at < now", "write `datetime(input.at)`"),
    ("now - datetime(input.at) > '24h'", "write `duration('24h')`"), ("now - datetime(input.at) > 24", "a span of time has a unit, such as `duration('24h')`"),
    ("now - datetime(input.at) > 1.5", "a span of time has a unit, such as `duration('24h')`"),
    ("now - datetime(input.at) > input.amount", ""), ("date(input.at) > now", "write `date(now)`"),
    ("now - input.at > duration('1d')", "write `datetime(input.at)`"), ("now - 24 > now", "a span of time has a unit, such as `duration('24h')`"),
    ("now + '24h' > now", "write `duration('24h')`"), ("now - '24h' > now", "write `duration('24h')`"),
    ("input.name + 'x' == 'yx'", "the language builds no text"), ("input.urgent + 1 == 1", ""),
    ("input.amount > params.limit", "write the param as a number, without quotes: `1000`"),
    ("now - datetime(input.at) > params.wait", "write the param without quotes: `24h`"), ("input.urgent == params.wait", ""),
    ("input.state in ('open')", "write `['open']`"), ("count(input.tags) > 1", "how many there are tells `len`"),
    ("null > input.amount", ""), ("input.tags > 3", "how many there are tells `len(input.tags)`"),
])  # fmt: skip
def test_what_does_not_fit_is_answered_with_what_to_write(text: str, help_: str) -> None:
    assert problem(text, TypeContext(others={"spent": ""})).help == help_


def test_numbers_that_are_put_in_order_need_not_be_of_the_enum() -> None:
    for text in ("input.level > 0", "input.level <= 4", "0 < input.level"):
        assert compile_expression(text, SCOPE)[1] == ()


def test_a_name_that_has_no_value_here_says_why() -> None:
    assert problem("fee > 1", TypeContext(others={"fee": "let `fee` has nothing for `ship`"})).message == (
        "let `fee` has nothing for `ship`"
    )


def test_names_that_a_condition_rules_out_are_not_live() -> None:
    scope: dict[str, types.Type] = {
        "call": types.record("field", "", name=types.Text(frozenset({"a", "b"}))),
        "x": types.BOOLEAN,
        "y": types.BOOLEAN,
    }
    around = TypeContext(refinements={"call.name": types.Text(frozenset({"b"}))})
    expression, problems = compile_expression("call.name == 'a' and x or y", scope, around)
    assert problems == ()
    assert (expression.reads, expression.live) == (frozenset({"call", "x", "y"}), frozenset({"call", "y"}))


def test_pairs_that_may_be_missing_are_told_when_a_bundle_enters() -> None:
    pairs = types.ListOf(types.union((types.ListOf(types.NUMBER), types.TEXT)))
    _, found = compile_expression("any(a == b for a, b in pairs)", {"pairs": pairs})
    assert [(one.message, one.on_entry) for one in found][:1] == [
        ("two variables need pairs, and these may be a list or text", True)
    ]


def test_a_list_of_lists_that_no_text_is_in_is_told_when_a_bundle_enters() -> None:
    scope = {
        **SCOPE,
        "mixed": types.ListOf(types.union((types.TEXT, types.ListOf(types.TEXT)))),
        "lists": types.ListOf(types.ListOf(types.TEXT)),
    }
    _, (found,) = compile_expression("input.name in mixed", scope)
    assert (found.message, found.help, found.on_entry) == (
        "text never equals a list that stands in this list",
        "",
        True,
    )
    assert compile_expression("input.tags in mixed", scope)[1] == ()
    assert compile_expression("input.tags in lists", scope)[1] == ()


@pytest.mark.parametrize(("word", "help_"), [
    ("1.5", "write the param as a number, without quotes: `1.5`"), ("1.000", "write the param as a number, without quotes and separators: a point stands before its decimals"),
    ("1.000 EUR", "write the param as a number, without quotes and separators: a point stands before its decimals"), ("1,5,5", "write the param as a number, without quotes and separators: a point stands before its decimals"),
    ("1.250,50", "write the param as a number, without quotes: `1250.50`"), ("12 %", "write the param as a number, without quotes: `12`, or `0.12` for the share"), ("twelve", ""),
])  # fmt: skip
def test_a_number_that_is_text_is_never_answered_with_another(word: str, help_: str) -> None:
    scope = {**SCOPE, "params": types.Record({"limit": types.Field(types.of_value(word))}, "param")}
    _, (found,) = compile_expression("input.amount > params.limit", scope)
    assert found.help == help_


@pytest.mark.parametrize(("written", "span"), [
    ("48 hours", "2d"), ("2w", "14d"), ("2 days", "2d"), ("48H", "2d"), ("P2D", "2d"), ("PT1H30M", "90m"), ("p1w", "7d"), ("1h30m", "90m"),
    ("200 ms", "200ms"), ("5M", ""), ("2 months", ""), ("P", ""), ("PT", ""), ("18:00", ""), ("0 hours", ""), ("1h or so", ""),
])  # fmt: skip
def test_a_span_of_time_that_is_written_otherwise_is_read(written: str, span: str) -> None:
    assert span_text(written) == span


def test_a_param_that_is_a_span_of_another_writing_is_answered_with_ours() -> None:
    for word, help_ in (("2 weeks", "write the param as `14d`"), ("a while", "")):
        scope = {**SCOPE, "params": types.Record({"wait": types.Field(types.of_value(word))}, "param")}
        _, (found,) = compile_expression("now - datetime(input.at) > params.wait", scope)
        assert found.help == help_
