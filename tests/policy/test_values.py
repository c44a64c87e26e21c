"""JSON values: numbers exact, text canonical, nothing that JSON can't hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language import value as v

scalars = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=20)
decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=4)
jsons = st.recursive(
    scalars | decimals,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(jsons)
def test_canonical_text_reads_back_as_the_same_value(value: object) -> None:
    assert v.loads(v.canonical(v.exact(value))) == v.exact(value)


@given(jsons)
def test_text_for_people_reads_back_as_the_same_value(value: object) -> None:
    exact = v.exact(value)
    assert v.loads(v.pretty(exact)) == exact
    assert v.loads(v.one_line(exact)) == exact
    assert "\n" not in v.one_line(exact)
    assert v.loads(v.compact(exact)) == exact


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("250.00", "250"), ("250", "250"), ("-0.0", "0"), ("1e2", "100"), ("0.10", "0.1"), ("12.340", "12.34")],
)
def test_equal_numbers_print_equally(text: str, canonical: str) -> None:
    assert v.canonical(v.number(text)) == canonical


def test_the_order_of_keys_does_not_change_a_digest() -> None:
    assert v.digest({"a": 1, "b": [2]}) == v.digest({"b": [2], "a": Decimal("1.0")})
    assert v.digest({"a": 1}) != v.digest({"a": 2})


def test_a_float_is_the_decimal_of_its_shortest_form() -> None:
    assert v.exact(0.1) == Decimal("0.1")
    assert v.exact(120.0) == 120
    assert isinstance(v.exact(120.0), int)


@pytest.mark.parametrize("text", ["x", "1_0", "0x1", "", "--1", "1e99999", "nan"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(v.NotJson):
        v.number(text)


@pytest.mark.parametrize("number", ["1e61", "1" * 61, "1e-61"])
def test_a_number_beyond_its_bounds_is_refused(number: str) -> None:
    with pytest.raises(v.NotJson):
        v.number(number)


@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), Decimal("Infinity"), {1: 2}, object(), 10**70, {"a": b"x"}]
)
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(v.NotJson):
        v.exact(value)


def test_excess_depth_is_refused() -> None:
    deep: object = 1
    for _ in range(v.MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(v.NotJson, match="nested deeper"):
        v.exact(deep)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "NaN", "[1", "[" * 200_000, "1e61"])
def test_bad_json_is_refused(text: str) -> None:
    with pytest.raises(v.NotJson):
        v.loads(text)


@pytest.mark.parametrize(
    ("text", "span"),
    [("90s", timedelta(seconds=90)), ("24h", timedelta(hours=24)), ("1.5m", timedelta(seconds=90)),
     ("200ms", timedelta(milliseconds=200)), ("7d", timedelta(days=7))],
)  # fmt: skip
def test_a_duration_reads_and_prints(text: str, span: timedelta) -> None:
    assert v.duration(text) == span
    assert v.span(v.duration_text(span)) == span


@pytest.mark.parametrize("text", ["1 minute", "s", "", "5", "9" * 40 + "d", "9" * 15 + "d"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert v.duration(text) is None
    with pytest.raises(ValueError, match="no duration"):
        v.span(text)


def test_a_whole_decimal_prints_without_a_point() -> None:
    assert v.number_text(Decimal(250)) == "250"


def test_odd_durations_print_in_milliseconds() -> None:
    assert v.duration_text(timedelta(microseconds=1500)) == "1.5ms"
    assert v.duration_text(timedelta(0)) == "0s"


def test_moments_days_spans_and_sets_become_json() -> None:
    assert v.jsonable(datetime(2026, 1, 2, 3, tzinfo=UTC)) == "2026-01-02T03:00:00.000000Z"
    assert v.jsonable(date(2026, 1, 2)) == "2026-01-02"
    assert v.jsonable({"a": (timedelta(hours=1), frozenset({"y", "x"}))}) == {"a": ["1h", ["x", "y"]]}
    assert v.jsonable(MappingProxyType({"a": date(2026, 1, 2)})) == {"a": "2026-01-02"}


def test_a_lone_surrogate_survives_printing() -> None:
    assert v.loads(v.pretty({"a": "\ud800"})) == {"a": "\ud800"}


def test_canonical_refuses_what_is_not_plain() -> None:
    with pytest.raises((v.NotJson, TypeError)):
        v.canonical(object())


@given(jsons)
def test_the_fast_canonical_text_is_the_same_text(value: object) -> None:
    exact = v.exact(value)
    assert v.canonical_of_exact(exact) == v.canonical(exact)
    assert v.loads_own(v.canonical(exact)) == exact


@pytest.mark.parametrize(
    "value",
    [10**40, "\x7f", {"\x7f": None}, "\x7f\x00\u2028", "\ud800", {"é": [Decimal("1.50")]}, MappingProxyType({"a": 1})],
)
def test_what_the_fast_encoder_does_not_know_goes_the_other_way(value: object) -> None:
    assert v.canonical_of_exact(value) == v.canonical(value)


@pytest.mark.parametrize("value", [datetime(2026, 1, 1, tzinfo=UTC), {"a": object()}, {1: 2}])
def test_the_fast_canonical_text_refuses_what_is_not_plain(value: object) -> None:
    with pytest.raises((v.NotJson, TypeError)):
        v.canonical_of_exact(value)


class Word(str):
    pass


def test_a_subclass_of_text_is_text() -> None:
    assert v.exact(Word("a")) == "a"
    assert v.jsonable(Word("a")) == "a"


def test_depth_is_bounded_before_anything_recurses_and_breadth_is_not() -> None:
    wide = "[" + ",".join(['[{"a": "[[[["}]'] * 100) + "]"
    assert len(v.loads(wide)) == 100
    for deep in ("[" * 100_000, '{"a":' * 500, "[" * 65 + "]" * 65):
        with pytest.raises(v.NotJson, match="nested deeper"):
            v.loads(deep)
    assert v.loads("[" * 64 + "]" * 64)
    # a text that never ends is gone through once: from each of its quotes on it would be hours
    for open_ in ('\\"' * 400_000, '"' * 400_000, "\\"):
        with pytest.raises(v.NotJson, match="not valid JSON"):
            v.loads("[" + "[]," * 65 + '"' + open_)


def test_compact_json_has_numbers_that_no_machine_word_holds() -> None:
    assert v.compact({"n": [2**80, "ü"]}) == '{"n":[1208925819614629174706176,"ü"]}'
    assert v.compact([2**80, Decimal("0.1")]) == "[1208925819614629174706176,0.1]"


def test_compact_json_escapes_what_can_not_be_seen_and_has_no_spaces() -> None:
    hidden = "a\u202eb\x7f"
    assert v.compact({"b": [1, Decimal("1.50")], "a": "x"}) == '{"b":[1,1.5],"a":"x"}'
    for text in (hidden, "ü", "\u2066"):
        made = v.compact({"k": [text, {"n": None}]})
        assert made.startswith('{"k":["')
        assert made.endswith('",{"n":null}]}')
        assert not {"\u202e", "\u2066", "\x7f"} & set(made)
        assert v.loads(made) == {"k": [text, {"n": None}]}
