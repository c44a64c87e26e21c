"""A log through the core again: the same events follow, or the first that does not is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.bundle.load import load_directory
from engine.fixtures.scenario import run_fixture
from engine.replay.continue_from import Overrides, redrive
from engine.replay.replay import replay
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import fold
from tests.replay.test_whatif import ALLOW, ASK, approved, held, made
from tests.session.play import Play, call

ROOT = Path(__file__).resolve().parent.parent.parent
LOADED = load_directory(ROOT)
FIXTURES = sorted(LOADED.documents.of("Fixture"))


@pytest.mark.parametrize("name", FIXTURES)
def test_every_pathway_of_the_support_bundle_follows_again(name: str) -> None:
    assert LOADED.bundle is not None
    fixture = LOADED.documents.of("Fixture")[name].plain
    for log in run_fixture(LOADED.bundle, fixture).logs:
        found = replay(log, LOADED.bundle)
        assert (found.difference, found.events, found.as_recorded) == (None, len(log), 0)


def changed(log: list[Event], kind: EventKind, **more: object) -> list[Event]:
    return [replace(e, payload={**e.payload, **more}) if e.kind is kind else e for e in log]


def test_an_event_that_does_not_follow_is_told_with_its_place_and_what_would_be_otherwise() -> None:
    own = made(ALLOW + ASK % "leads", most=10)
    found = replay(changed(approved(own).log, EventKind.CALL_STARTED, attempt=7), own).difference
    assert found is not None
    assert (found.kind, found.why) == ("call_started", "attempt would be otherwise")
    assert found.seq == next(e.seq for e in approved(own).log if e.kind is EventKind.CALL_STARTED)


def test_another_bundle_shows_where_it_would_have_gone_another_way() -> None:
    log = held(made(ALLOW + ASK % "leads", most=10)).log
    found = replay(log, made(ALLOW + ASK % "leads", most=60)).difference
    assert found is not None
    assert found.kind == "verdict"


def test_a_log_that_ends_too_early_is_told() -> None:
    own = made()
    log = held(own).log
    found = replay(log[:-1], own).difference
    assert found is not None
    assert found.why == "the log ends before it"


def test_what_was_rejected_or_withheld_is_taken_as_it_stands() -> None:
    keeps = made(ALLOW + "  - {id: keeps, tools: [look], effect: deny, release_unless: output.n < 5}\n")
    play = Play(keeps)
    play.plan_raw({"nonsense": "x" * 5000})
    play.plan(call("l", "look", n=1))
    play.returns("l", {"n": 9})
    found = replay(play.log, keeps)
    assert (found.difference, found.events) == (None, len(play.log))
    assert found.as_recorded >= 1


def test_what_a_person_edited_and_what_failed_follows_again() -> None:
    own = made(ALLOW + ASK % "leads", most=10)
    play = held(own)
    play.say(play.answer("approve", "dana", edit={"n": 20}))
    play.claim()
    play.fails("c", "lost")
    assert replay(play.log, own).difference is None


def test_one_step_goes_again_with_stubs_and_another_decision() -> None:
    own = made()
    play = held(own)
    play.returns("c", {"was": True})
    began = next(n for n, e in enumerate(play.log) if e.kind is EventKind.STEP_STARTED)
    state = fold(play.log[:began])
    otherwise = Overrides(
        {"message": "", "tool_calls": [call("x", "other", n=1)], "done": False}, {"other": {"now": 1}}, 1
    )
    way = redrive(state, play.log, own, play.now, otherwise)
    results = [event.payload for event in way.events if event.kind is EventKind.TOOL_RESULT]
    assert [(p["tool"], p["output"]) for p in results] == [("other", {"now": 1})]
    assert way.unknown == ""
    recorded = redrive(state, play.log, own, play.now, Overrides(until=1))
    assert [e.payload["output"] for e in recorded.events if e.kind is EventKind.TOOL_RESULT] == [{"was": True}]
