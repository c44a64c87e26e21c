"""What functions and operators go over is counted, and what hashing can answer is not walked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from engine.language import types, work
from engine.language.arithmetic import EvaluationError
from engine.language.expression import compile_expression
from engine.language.work import MAX_WORK, TURN
from engine.policy.gate import TOO_MUCH, judge, withheld
from engine.policy.rule import Effect
from engine.policy.verdict import Verdict
from tests.policy import test_gate as gate
from tests.policy.test_gate import rule

LONG = [f"y{n}" for n in range(1_200)]
SHORT = [f"x{n}" for n in range(1_200)]
NUMBERS, FALSE = list(range(1_200)), [False] * 1_200
MAP = {f"k{n}": n for n in range(1_200)}

# a loop of 1,200 whose body goes over 1,200: far beyond the bound
BODIES = [
    "contains(ys, x)", "x in ys", "x not in ys", "not contains(ys, x)", "ys == zs", "ys != zs", "m == k",
    "len(distinct(ys)) > 0", "len(zip(ys, zs)) > 0", "len(neighbours(ys)) > 0", "len(ys + zs) > 0",
    "len(values(m)) > 0", "x in set(ys)", "set(ys) == set(zs)", "sum(ns) > 0", "max(ns) > 0", "min(ns) > 0",
    "any(falses)", "all(falses) or true", "count(falses) > 0", "[ys] == [zs]", "record(a=ys) == record(a=zs)",
    "contains([ys], zs)", "ys in [zs]",
]  # fmt: skip


class Counted(str):
    """Text that counts how often it is compared."""

    asked = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.asked += 1
        return str.__eq__(self, other)


def names() -> dict[str, Any]:
    return {"xs": SHORT, "ys": LONG, "zs": list(LONG), "ns": NUMBERS, "falses": FALSE, "m": MAP, "k": dict(MAP)}


def value(text: str, **given: Any) -> Any:
    expression, _ = compile_expression(text, dict.fromkeys(given, types.UNKNOWN))
    return expression.value(given)


BUSY = "count(x == 'y' for x in input.xs) >= 0"
SCOPE: dict[str, types.Type] = {"input": types.UNKNOWN, "output": types.UNKNOWN}
# one of them takes some 60 % of its own bound
XS = ["x"] * (3 * MAX_WORK // 5 // (TURN + 1))


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("effect", ["allow", "deny", "require_approval"])
def test_what_all_conditions_of_a_call_go_over_together_is_bounded(effect: str, order: int) -> None:
    for number, told in ((16, None), (18, TOO_MUCH)):
        busy = [rule(f"r{n}", effect, BUSY) for n in range(number)]
        rules = [*busy, rule("open", "allow")][::order]
        found = judge(gate.guard(*rules), {"input": {"xs": XS}}, gate.never)
        assert isinstance(found, Verdict)
        assert {trace.error for trace in found.rules} == {told}
        if told is None:
            assert found.effect == effect
        else:
            # what would allow has no value either, whichever came first
            closed = {"allow": "no_rule_allows", "deny": "policy_error", "require_approval": "no_rule_allows"}
            assert (found.effect, found.reason) == (Effect.DENY, closed[effect])


def test_a_result_is_withheld_where_what_judges_it_goes_over_too_much() -> None:
    release = compile_expression("count(x == 'y' for x in output.xs) >= 0", SCOPE)[0]
    for number, told in ((16, None), (18, TOO_MUCH)):
        rules = [replace(rule(f"r{n}", "deny"), release=release) for n in range(number)]
        found = withheld(gate.guard(*rules), {"input": {}}, {"xs": XS}, gate.never)
        assert (found and found.error) == told


@pytest.mark.untraced
@pytest.mark.parametrize("body", BODIES)
def test_what_is_gone_over_inside_of_a_loop_is_counted(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # a tenth of what is allowed is found as what is allowed would be
    monkeypatch.setattr(work, "MAX_WORK", MAX_WORK // 10)
    expression, problems = compile_expression(f"count({body} for x in xs) >= 0", dict.fromkeys(names(), types.UNKNOWN))
    assert not problems
    with pytest.raises(EvaluationError, match="more data than"):
        expression.value(names())
    with pytest.raises(EvaluationError, match="more data than"):
        expression.reference(names())


@pytest.mark.parametrize("text", ["neighbours(a)", "zip(a, b)", "a + b", "a == b", "x in a", "contains(a, x)",
                                  "set(a) == set(b)", "sum(a)", "max(a)", "values(m)"])  # fmt: skip
def test_what_is_gone_over_without_a_loop_is_counted(text: str) -> None:
    many = list(range(600_000))
    with pytest.raises(EvaluationError, match="more data than"):
        value(text, a=many, b=list(many), x=-1, m={str(n): n for n in many})


@pytest.mark.parametrize("text", ["contains(s, p)", "starts_with(s, p)", "ends_with(s, p)", "glob(s, '*a*b*c*')",
                                  "lower(s) == p"])  # fmt: skip
def test_long_texts_are_counted_in_a_loop_as_lists_are(text: str) -> None:
    with pytest.raises(EvaluationError, match="more data than"):
        value(f"count({text} for x in xs) >= 0", xs=list(range(1_000)), s="ab" * 100_000, p="ab" * 99_999 + "c")


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"a": x}, lambda x: [{"a": [x]}]])
def test_distinct_compares_no_pair_of_unlike_items(wrap: Any) -> None:
    items = [wrap(Counted(f"i{n}")) for n in range(600)]
    Counted.asked = 0
    assert len(value("distinct(xs)", xs=[*items, items[0]])) == 600
    assert Counted.asked < 6_000


def test_distinct_of_thousands_is_within_the_bound() -> None:
    assert value("len(distinct(xs)) == len(xs)", xs=[f"i{n}" for n in range(6000)]) is True


@pytest.mark.parametrize("text", ["len(distinct(xs))", "count(x in [y] for x, y in zip(xs, xs))"])
def test_a_rule_that_spends_its_bound_counts_against_the_call(text: str) -> None:
    spent = rule("spent", "deny", f"count(contains(input.xs, x) for x in input.xs) < 0 and {text} < 0")
    found = judge(gate.guard(rule("open", "allow"), spent), {"input": {"xs": SHORT}}, gate.never)
    assert found.effect is Effect.DENY  # type: ignore[union-attr]


@pytest.mark.untraced
def test_a_chain_of_lets_that_share_their_parts_is_counted_as_what_it_spells_out() -> None:
    one: list[Any] = [1, 2]
    other: list[Any] = [1, 2]
    for _ in range(40):
        one, other = [one, one], [other, other]
    for text in ("a == b", "a in [b]", "contains([a], b)", "len(distinct([a, b]))"):
        with pytest.raises(EvaluationError, match="more data than"):
            value(text, a=one, b=other)


def test_hashing_keeps_what_is_the_same_and_what_is_not() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    items = [1, True, Decimal("1.0"), "1", [1, True], [Decimal("1.00"), True], [True, 1], {"a": 1},
             {"a": True}, {"a": Decimal(1)}, None, [None], moment, moment.date(), [], {}, (), "true", False, 0]  # fmt: skip
    assert value("distinct(xs)", xs=items) == [
        1, True, "1", [1, True], [True, 1], {"a": 1}, {"a": True}, None, [None], moment, moment.date(), [], {}, "true",
        False, 0,
    ]  # fmt: skip
    assert [type(x) for x in value("distinct(xs)", xs=items)][:2] == [int, bool]
    for item in items:
        assert value("x in xs and contains(xs, x)", xs=items, x=item) is True
    assert value("x in xs", xs=[1, [1]], x=True) is False
    assert value("x in xs", xs=[[True]], x=[1]) is False


@pytest.mark.parametrize("text", ["9" * 1_100_000 + "s", "9" * 200_000 + "d", "0." + "1" * 1_100_000 + "s"])
def test_a_duration_of_any_length_is_none_or_an_error_of_the_language(text: str) -> None:
    with pytest.raises(EvaluationError):
        value("duration(s)", s=text)


def test_a_glob_pattern_that_is_data_is_bounded() -> None:
    with pytest.raises(EvaluationError):
        value("glob(s, p)", s="a", p="?*a" * 100_000)


def test_a_tuple_is_gone_over_like_a_list() -> None:
    expression, _ = compile_expression("distinct(xs)", {"xs": types.UNKNOWN})
    assert expression is not None and expression.value({"xs": (1, 1, 2)}) == [1, 2]


def test_where_too_much_is_gone_over_nobody_is_named() -> None:
    compiled, _ = compile_expression("input.owner", SCOPE)
    asking = replace(rule("owned", "require_approval", BUSY), approvers=("owners",), names_of=(("owners", compiled),))
    for number, named in ((10, {"owners": ("bea",)}), (18, {"owners": ()})):
        rules = [asking, *(rule(f"r{n}", "require_approval", BUSY) for n in range(number))]
        found = judge(replace(gate.guard(*rules), needs_allow=False), {"input": {"xs": XS, "owner": "bea"}}, gate.never)
        assert isinstance(found, Verdict)
        assert {ask.rule: ask.names for ask in found.asks}["owned"] == named
