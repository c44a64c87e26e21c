"""Every field of every event says what it may hold of what schemas mark, and what stands for it says nothing."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

import engine.session as session
from engine.session.event import RESERVED
from engine.session.event import EventKind as K
from engine.session.reply import FellBack, ModelCall
from engine.session.sensitive_fields import FIELDS, Holds, holds
from tests.session.test_log import played

ROOM = Path(session.__file__).parent


def emitted() -> set[tuple[K, str]]:
    """The fields that the core writes into events by name."""
    found = set()
    for path in sorted(ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "emit"):
                continue
            kinds = {
                one.attr
                for one in ast.walk(node.args[0])
                if isinstance(one, ast.Attribute) and one.attr in K.__members__
            }
            names = {one.arg for one in node.keywords if one.arg not in (None, "step")}
            found |= {(K[kind], name) for kind in kinds for name in names if name is not None}
    return found


def test_every_kind_of_event_is_declared() -> None:
    assert set(FIELDS) == set(K)


def test_every_field_that_the_core_writes_is_declared() -> None:
    written = emitted()
    assert len(written) > 120
    assert {(kind.value, name) for kind, name in written if name not in FIELDS[kind]} == set()


def test_every_field_of_a_session_that_was_played_is_declared() -> None:
    undeclared = {
        (event.kind, name) for event in played().log for name in event.payload if name not in FIELDS[event.kind]
    }
    assert undeclared == set()


def test_every_field_of_a_question_to_a_model_is_declared() -> None:
    assert {one.name for one in fields(ModelCall)} == set(FIELDS[K.MODEL_CALLED])
    assert {one.name for one in fields(FellBack)} == set(FIELDS[K.PLANNER_FELL_BACK])


@pytest.mark.parametrize("kind", list(K))
def test_a_field_that_nobody_declared_may_hold_anything(kind: K) -> None:
    expected = Holds.SUMMARY if kind is K.TOOL_RESULT else Holds.WHOLE
    assert holds(kind, "added_later") is expected


def test_the_fields_of_a_result_that_are_not_a_tools_own_are_declared() -> None:
    assert set(FIELDS[K.TOOL_RESULT]) >= RESERVED
