"""What holds for all tests of the core.

Every event that they fold changes phases and statuses as the tables say, and a move that was left out of those tried
had nothing to do.
"""

from __future__ import annotations

from typing import Any

import pytest

from engine.session.decide import decide, transitions
from engine.session.decide.draft import Draft
from engine.session.state import evolve
from engine.session.state.event import Event, EventKind
from engine.session.state.phase_changes import PHASE_CHANGES, STATUS_CHANGES
from engine.session.state.state import State

CALLS = {(change.kind, before, change.after) for change in PHASE_CHANGES for before in change.before or (None,)}
SESSIONS = {(change.before, change.after) for change in STATUS_CHANGES}


def check_changes(before: State, after: State, kind: EventKind) -> None:
    """That no call and no session went a way that the tables do not have."""
    for id_ in {*before.calls.open, *after.calls.open}:
        was = before.calls[id_].phase if id_ in before.calls else None
        now = after.calls[id_].phase
        assert was is now or (kind, was, now) in CALLS, f"{kind} took a call from {was} to {now}"
    if after.status is not before.status:
        assert (before.status, after.status) in SESSIONS, f"{before.status} became {after.status}"


@pytest.fixture(autouse=True)
def _changes_as_the_tables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, fold in evolve._FOLDS.items():

        def checked(s: State, p: Any, event: Event, fold: Any = fold, kind: EventKind = kind) -> State:
            after: State = fold(s, p, event)
            if after is not s:
                check_changes(s, after, kind)
            return after

        monkeypatch.setitem(evolve._FOLDS, kind, checked)


def check_left_out(d: Draft) -> None:
    """That the moves that are not tried in a state would neither write anything nor say that they did."""
    tried = transitions.candidates(d.state)
    assert list(tried) == [move for move in transitions.TRANSITIONS if move in tried], "the table's order holds"
    for move in transitions.TRANSITIONS:
        if move not in tried:
            other = Draft(d.state, d.bundle, d.at, d.overlays)
            assert not move(other), f"{move.__name__} was left out"
            assert other.events == [], f"{move.__name__} was left out"


@pytest.fixture(autouse=True)
def _what_is_left_out_has_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def checked(d: Draft) -> None:
        while not d.state.final:
            check_left_out(d)
            for move in transitions.candidates(d.state):
                if move(d):
                    break
            else:
                return

    monkeypatch.setattr(decide, "advance", checked)
