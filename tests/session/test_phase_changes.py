"""The tables of the ways of calls and sessions are whole, and a way that they do not have is noticed."""

from __future__ import annotations

import pytest

from engine.session.state.event import EventKind
from engine.session.state.persistent import copy_with
from engine.session.state.phase_changes import PHASE_CHANGES, STATUS_CHANGES
from engine.session.state.state import FINAL, Phase, Status
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.session.conftest import check_changes
from tests.session.play import Play


def test_every_phase_is_come_to_and_left_but_for_the_last() -> None:
    assert {change.after for change in PHASE_CHANGES} == set(Phase)
    assert {before for change in PHASE_CHANGES for before in change.before} == set(Phase) - {Phase.ENDED}


def test_every_status_but_the_first_is_come_to_and_all_but_the_last_are_left() -> None:
    assert {change.after for change in STATUS_CHANGES} == set(Status)
    assert {change.before for change in STATUS_CHANGES} == set(Status) - FINAL


def test_a_status_that_a_table_does_not_lead_to_is_noticed() -> None:
    play = Play(bundle(tool("act", "write"), policy(ALLOW), agent("[act]", policies="[rules]")))
    with pytest.raises(AssertionError, match="awaiting_job became done"):
        check_changes(
            copy_with(play.state, status=Status.AWAITING_JOB),
            copy_with(play.state, status=Status.DONE),
            EventKind.VERDICT,
        )
