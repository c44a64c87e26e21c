"""A state as text and back: the same state, with what it shares still shared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.speed.floor import appends
from engine.language.value import loads_of_small
from engine.session.state.evolve import fold
from engine.session.state.snapshot import restored, snapshot
from engine.session.state.state import FactReading, State

BEGUN = fold(event for append in appends(3) for event in append)

numbers = st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def with_reading(output: Any) -> State:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    return replace(
        BEGUN, readings={"key": FactReading(output, None, 1, 2, at), "later": FactReading(None, "p", 1, 2, at)}
    )


def exactly(state: State) -> dict[str, Any]:
    """What a state holds; maps and lists of its own kind by what is in them."""
    kept = {"calls", "requests"}
    return {name: (len(value.open), dict(value)) if name in kept else value for name, value in state.__dict__.items()}


@given(values)
def test_a_state_that_was_saved_is_the_same_state_again(output: Any) -> None:
    state = with_reading(output)
    again = restored(snapshot(state))
    assert exactly(again) == exactly(state)
    assert repr(again.readings["key"]) == repr(state.readings["key"]), "numbers of the same kind"
    assert snapshot(again) == snapshot(state)


@pytest.mark.parametrize(
    "output", [2**53, -(2**53), 2**80, Decimal("0.10"), Decimal(2**70), True, "\ud800", ["tuple", 1], {"is": "map"}]
)
def test_no_number_is_rounded_and_no_value_is_taken_for_a_mark_of_the_form(output: Any) -> None:
    again = restored(snapshot(with_reading(output))).readings["key"].output
    assert (type(again), again) == (type(output), output)


def test_what_stands_in_a_state_twice_is_written_once_and_is_one_thing_again() -> None:
    call = BEGUN.calls["c1-0"]
    assert BEGUN.seen["read_customer"].all()[0]["input"] is call.input
    text = snapshot(BEGUN)
    assert text.count('"customer_id"') < 4
    again = restored(text)
    assert again.seen["read_customer"].all()[0]["input"] is again.calls["c1-0"].input
    assert again.seen["read_customer"].all()[0] is again.succeeded["read_customer"].all()[0]


def test_half_of_a_character_is_read_as_it_was_written() -> None:
    assert loads_of_small('["\\ud800", 1]') == ["\ud800", 1]


def test_the_memory_of_a_long_session_is_a_few_kilobytes_a_step() -> None:
    """A session of a thousand steps stays within four megabytes, saved and loaded too: 120 steps in a ninth of that."""
    import gc
    import tracemalloc

    text = snapshot(fold(event for append in appends(120) for event in append))
    tracemalloc.start()
    try:
        state = restored(text)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert state.final
    assert held < 120 * 4000
