"""Every kind of event has its definition, and every field says what it may hold of what schemas mark."""

from __future__ import annotations

import ast
import types
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pytest

import engine.session as session
from engine.session.state.event import Event, EventKind
from engine.session.state.events.call_events import ENVELOPE, reserved_names
from engine.session.state.events.table import EVENTS
from engine.session.state.evolve import BrokenHistory, fold
from engine.session.state.holds import Holds
from engine.session.state.inputs import ModelCall, PlannerFellBack
from engine.session.trace import entry, headline
from tests.session.play import START
from tests.session.test_log import played

ROOM = Path(session.__file__).parent


def emitted() -> set[tuple[EventKind, str]]:
    """The fields that the core writes into events by name."""
    found = set()
    for path in sorted(ROOM.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "emit"):
                continue
            kinds = {
                one.attr
                for one in ast.walk(node.args[0])
                if isinstance(one, ast.Attribute) and one.attr in EventKind.__members__
            }
            names = {one.arg for one in node.keywords if one.arg not in (None, "step")}
            found |= {(EventKind[kind], name) for kind in kinds for name in names if name is not None}
    return found


def sample(type_: Any) -> Any:
    """The least value of a field's type."""
    if is_typeddict(type_):
        return {name: sample(of) for name, of in get_type_hints(type_).items()}
    options = get_args(type_) if get_origin(type_) is types.UnionType else ()
    if type_ is Any or type(None) in options:
        return None
    if get_origin(type_) is list:
        return [sample(of) for of in get_args(type_)]
    made: dict[Any, Any] = {str: "x", int: 1, bool: False, dict: {}}
    return made[get_origin(type_) or type_]


def least(kind: EventKind) -> dict[str, Any]:
    return {name: sample(field.type) for name, field in EVENTS[kind].fields.items() if field.required}


def test_every_kind_of_event_is_defined_once() -> None:
    assert list(EVENTS) == list(EventKind)
    assert [definition.kind for definition in EVENTS.values()] == list(EventKind)


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_of_event_says_what_happened_and_has_a_line_for_people(kind: EventKind) -> None:
    said = EVENTS[kind].payload.__doc__
    assert said and said.rstrip().endswith(".")
    line = headline(entry(Event("s", 1, 1, kind, least(kind), START)))
    assert line and "without what it should say" not in line


@pytest.mark.parametrize("kind", list(EventKind))
def test_what_people_and_workers_write_comes_from_outside(kind: EventKind) -> None:
    assert EVENTS[kind].from_outside or not EVENTS[kind].others


def test_every_field_that_the_core_writes_is_declared() -> None:
    written = emitted()
    assert len(written) > 120
    assert {(kind.value, name) for kind, name in written if name not in EVENTS[kind].fields} == set()


def test_every_event_of_a_session_that_was_played_is_as_it_is_declared() -> None:
    for event in played().log:
        fields_ = EVENTS[event.kind].fields
        assert set(event.payload) <= set(fields_)
        assert {name for name, field in fields_.items() if field.required} <= set(event.payload)


def test_every_field_of_a_question_to_a_model_is_declared() -> None:
    assert {one.name for one in fields(ModelCall)} == set(EVENTS[EventKind.MODEL_CALLED].fields)
    assert {one.name for one in fields(PlannerFellBack)} == set(EVENTS[EventKind.PLANNER_FELL_BACK].fields)


@pytest.mark.parametrize("kind", list(EventKind))
def test_a_field_that_nobody_declared_may_hold_anything(kind: EventKind) -> None:
    expected = Holds.SUMMARY if kind is EventKind.TOOL_RESULT else Holds.WHOLE
    assert EVENTS[kind].holds("added_later") is expected


def test_a_summary_has_no_field_of_an_entry_or_a_result() -> None:
    assert reserved_names() == ENVELOPE | EVENTS[EventKind.TOOL_RESULT].fields.keys()
    assert set(entry(played().log[0])) > ENVELOPE


def test_a_session_starts_once() -> None:
    play = played()
    again = replace(play.log[0], seq=play.state.seq + 1)
    with pytest.raises(BrokenHistory, match="a session starts once"):
        fold([again], play.state)


def test_the_ledger_is_told_whole() -> None:
    used = played().state.used
    told = used.payload()
    assert {*told, "active", "step_active"} == {one.name for one in fields(used)} | {"wall_clock"}
    assert told["wall_clock"] == used.active
    assert told["calls_per_tool"] == used.calls_per_tool
