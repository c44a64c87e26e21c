"""The drawings of the documents hold all that the engine's tables have, and fall behind nothing."""

from __future__ import annotations

from typing import get_args
from xml.etree import ElementTree

import pytest
from drawings import ANSWERS, NotDrawn, claim_and_lease, drawings, life_of_a_call, states_of_a_session

from engine.ports.records import AppendResult
from engine.session.state.phase_changes import PHASE_CHANGES, STATUS_CHANGES
from engine.session.state.state import Phase, Status


def words(drawing: str) -> str:
    return " ".join("".join(ElementTree.fromstring(drawing).itertext()).split())


def test_a_phase_of_a_call_that_no_row_leads_to_is_not_drawn_silently() -> None:
    with pytest.raises(NotDrawn, match="The life of a call: no row leads to or from paused"):
        life_of_a_call([*Phase, "paused"])


def test_a_status_of_a_session_that_no_row_leads_to_is_not_drawn_silently() -> None:
    with pytest.raises(NotDrawn, match="The states of a session: no row leads to or from awaiting_rain"):
        states_of_a_session([*Status, "awaiting_rain"])


def test_an_answer_of_a_store_that_has_no_row_is_not_drawn_silently() -> None:
    class Postponed:
        pass

    with pytest.raises(NotDrawn, match=r"docs/drawings\.py says nothing of what a store may answer: Postponed"):
        claim_and_lease([*get_args(AppendResult), Postponed])


def test_every_change_and_every_answer_stands_in_its_drawing() -> None:
    call, session, lease = map(words, drawings().values())
    for change in PHASE_CHANGES:
        assert f"{change.kind.value} {change.why}" in call
    for status in STATUS_CHANGES:
        assert f"{status.after.value} {status.why}" in session
    for answer, way in ANSWERS.items():
        assert f"{answer.__name__} {way.why}" in lease
