"""What stands for a sensitive value says nothing, and counts only where it may."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.session.decide.decide import begin
from engine.session.handles import Handles, handles_of, inert, place_of_handle, texts
from engine.session.sensitivity import HIDDEN
from engine.session.state import inputs
from tests.session.play import START, Play, call
from tests.session.test_origins import hiding

KEY = "5" * 32
SCHEMA = {
    "properties": {
        "user": {"x-sensitive": True},
        "pin": {"x-sensitive": True},
        "who": {"x-sensitive": True},
        "note": {},
    },
}


@given(st.one_of(st.text(), st.integers(), st.booleans(), st.lists(st.text(), max_size=3)))
def test_a_value_goes_out_as_its_handle_and_comes_back_as_it_was(value: object) -> None:
    handles = Handles(KEY, [value])
    shown = handles.hidden({"user": value}, SCHEMA)
    if not (isinstance(value, str) and place_of_handle(value)):
        assert handles.resolved(shown, SCHEMA) == ({"user": value}, "")


def test_equal_values_of_one_session_have_one_handle_and_those_of_another_session_have_others() -> None:
    assert Handles(KEY).of("ada") == Handles(KEY).of("ada") != Handles("6" * 32).of("ada")


def test_texts_that_hold_a_value_are_told_with_its_handle() -> None:
    handles = Handles(KEY, ["ada-4411", 471100, {"name": "Ada Lovelace"}])
    told = handles.within(["I am ada-4411, my pin is 471100", {"Ada Lovelace": "x"}])
    assert handles.resolved({"user": handles.of("ada-4411")}, SCHEMA) == ({"user": "ada-4411"}, "")
    assert told == [
        f"I am {handles.of('ada-4411')}, my pin is {handles.of(471100)}",
        {handles.of("Ada Lovelace"): "x"},
    ]
    assert handles.resolved({"who": handles.of("Ada Lovelace")}, SCHEMA) == ({"who": "Ada Lovelace"}, "")


def test_a_handle_in_a_text_stays_whatever_its_digits_are() -> None:
    first = Handles(KEY, ["ada-4411"])
    digits = first.of("ada-4411")[-9:-1]
    assert Handles(KEY, ["ada-4411", digits]).within(f"{first.of('ada-4411')}!") == f"{first.of('ada-4411')}!"


def test_without_a_key_there_is_only_what_people_read_and_it_stands_for_nothing() -> None:
    handles = Handles("", ["ada-4411", "bela-4412"])
    assert handles.within("ada-4411 and bela-4412") == f"{HIDDEN} and {HIDDEN}"
    assert handles.hidden({"user": "ada-4411"}, SCHEMA) == {"user": HIDDEN}
    assert handles.resolved({"user": HIDDEN}, SCHEMA)[1].startswith("`user`: a handle counts only")


@pytest.mark.parametrize(
    ("given_", "place"),
    [
        ({"user": HIDDEN}, "user"),
        ({"note": HIDDEN}, "note"),
        ({"note": {"a": [1, f"x{HIDDEN}"]}}, "note.a[1]"),
        ({HIDDEN: 1}, "a key"),
        ({"note": {HIDDEN: 1}}, "note"),
        ({"user": f"[sensitive:{'0' * 32}]"}, "user"),
    ],
)
def test_a_handle_out_of_its_place_is_told_with_its_place(given_: dict[str, object], place: str) -> None:
    told, problem = Handles(KEY, ["ada-4411"]).resolved(given_, SCHEMA)
    assert told == given_
    assert problem.startswith(f"`{place}`: ")


def test_a_handle_is_never_a_value_that_is_known() -> None:
    handles = Handles(KEY, [HIDDEN, f"see {HIDDEN}", None])
    assert handles.resolved({"user": handles.of(f"see {HIDDEN}")}, SCHEMA)[1]
    assert handles.of(HIDDEN) == HIDDEN


def test_in_a_text_for_people_a_handle_is_what_it_says() -> None:
    assert inert(f"You are {Handles(KEY).of('ada')}.") == f"You are {HIDDEN}."


def test_a_value_is_looked_for_by_its_texts_of_four_characters_and_more() -> None:
    assert list(texts({"a": ["abcd", "abc", 12345, 12, True, None]})) == ["abcd", "12345"]


def test_a_session_is_not_begun_with_what_stands_for_a_value() -> None:
    refused = begin(
        inputs.SessionRequested("s", "bot", "script", {"tenant": "acme", "pin": HIDDEN}, "hi", None, "/r", START),
        hiding(),
    )
    assert isinstance(refused, inputs.InputRefused)
    assert refused.message == "`pin`: a handle is no value"


def test_of_a_tool_that_another_bundle_does_not_have_nothing_is_known() -> None:
    play = Play(hiding(), tenant="acme", pin="1234")
    play.plan(call("a", "look", to="x@y"))
    play.returns("a", {"iban": "DE1-4411", "n": 5})
    own, other = handles_of(play.state, play.bundle), replace(play.bundle, tools={"gone": play.bundle.tools["gone"]})
    assert own is not None
    assert own.within("DE1-4411") != "DE1-4411"
    without = handles_of(play.state, other)
    assert without is not None
    assert without.within("DE1-4411") == "DE1-4411"


# -- what a planner wrote itself


def test_a_planner_is_not_told_which_of_its_guesses_is_right() -> None:
    handles = Handles(KEY, ["1987-03-14", 4242])
    assert handles.own("it is 1987-03-13, 1987-03-14 or 1987-03-15") == HIDDEN
    assert handles.own("it is 1987-03-13") == "it is 1987-03-13"
    # a handle that it passes on tells it nothing
    passed = f"for {handles.of(4242)}"
    assert handles.own(passed) == passed


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"note": ["4241", "4242"]}, {"note": HIDDEN}),
        ({"note": {"a": {"4242": 1}}, "order": "o-1"}, {"note": HIDDEN, "order": "o-1"}),
        # of fields that it makes up it may write as many as it likes
        ({"order": "o-1", "x1": "4241", "x2": "4242"}, {"order": "o-1", HIDDEN: HIDDEN}),
        ({"order": "o-1", "4242": "x", "y": 1}, {"order": "o-1", HIDDEN: HIDDEN}),
        ({"order": "o-1", "y": 1}, {"order": "o-1", "y": 1}),
        ({"several": ["4241", "4242"]}, {"several": HIDDEN}),
    ],
)
def test_of_a_call_it_is_told_field_by_field_what_it_wrote_or_that_it_holds_something(
    given: dict[str, object], shown: dict[str, object]
) -> None:
    properties = {**SCHEMA["properties"], "order": {}, "several": {"items": {"x-sensitive": True}}}
    assert Handles(KEY, [4242]).own_input(given, {"properties": properties}) == shown


def test_a_marked_field_of_its_own_is_told_as_its_handle() -> None:
    handles = Handles(KEY, [4242])
    assert handles.own_input({"pin": 4242, "note": "x"}, SCHEMA) == {"pin": handles.of(4242), "note": "x"}


# -- while a model still speaks


def test_of_what_a_model_has_said_so_far_people_see_neither_values_nor_handles() -> None:
    handles = Handles(KEY, ["ada-4411", 471100, "ada-4411-again"])
    whole = f"You are ada-4411, {handles.of('ada-4411')}, not ada-44 nor [sensitive, your pin is 471100!"
    shown = ""
    for end in range(len(whole) + 1):
        told = handles.so_far(whole[:end])
        # what was shown once is never taken back
        assert told.startswith(shown)
        shown = told
    assert shown == f"You are {HIDDEN}, {HIDDEN}, not ada-44 nor [sensitive, your pin is {HIDDEN}!"


def test_what_may_become_a_value_or_a_handle_is_held_back() -> None:
    handles = Handles(KEY, ["ada-4411", "4411-bo", "ada-4411-again"])
    for begun in (
        "ada-44",
        "ada-4411",
        "ada-4411-",
        "ada-4411-b",
        "[",
        "[sensi",
        "[sensitive:0a",
        handles.of("x")[:-1],
    ):
        assert handles.so_far(f"I am {begun}") == "I am ", begun
    assert handles.so_far("I am ada-4411 ") == f"I am {HIDDEN} "
    assert handles.so_far("I am 4411-bob") == f"I am {HIDDEN}b"
    assert Handles("").so_far("I am here") == "I am here"
