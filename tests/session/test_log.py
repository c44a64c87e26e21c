"""The log: what it says to people and programs, and that a broken one is noticed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.session import exit_code as code
from engine.session.expression_names import Names, gate_names
from engine.session.state import inputs
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import BrokenHistory, fold
from engine.session.state.state import State, Status
from engine.session.trace import entries, entry, headline
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.session.play import START, Play, call


def played() -> Play:
    made = bundle(agent("[look, w]", policies="[rules]"), policy(ALLOW), tool("look"), tool("w", "write"))
    play = Play(made)
    play.plan(call("a", "look", n=1), call("b", "look", n=2), call("w", "w"))
    play.returns("b", {"x": "y" * 100})
    play.pass_time(1)
    play.returns("a")
    play.returns("w")
    play.plan(message="Bye", done=True)
    return play


def test_refolding_the_log_gives_the_same_state() -> None:
    play = played()
    assert fold(play.log) == play.state


def test_a_gap_a_missing_beginning_or_an_empty_log_is_a_broken_history() -> None:
    log = played().log
    for broken in ([], log[1:], [log[0], log[2]], [replace(log[0], kind=EventKind.VERDICT)]):
        with pytest.raises(BrokenHistory):
            fold(broken)


def test_an_event_without_what_its_kind_says_is_told_and_can_not_be_followed() -> None:
    log = played().log
    at = next(n for n, event in enumerate(log) if event.kind is EventKind.VERDICT)
    erased = replace(log[at], payload={})
    assert headline(entry(erased)).startswith("(verdict without what it should say) {")
    with pytest.raises(BrokenHistory, match=rf"event {erased.seq} of s1, verdict, says nothing that can be followed"):
        fold([*log[:at], erased])


def test_results_stand_in_the_order_of_the_decision_and_keep_their_numbers() -> None:
    found = [e for e in entries(played().log) if e["kind"] == "tool_result"]
    assert [e["call_id"] for e in found] == ["a", "b", "w"]
    assert found[0]["seq"] > found[1]["seq"]
    assert entries(played().log)[-1]["kind"] == "state_transition"


def test_an_entry_has_a_line_for_people() -> None:
    for one in entries(played().log):
        assert headline(one)
    held = {"tool": "t", "status": "blocked", "reason": "held", "message": "m", "final": False, "call_id": "c"}
    closed = {"request_id": "s.1", "how": "expired"}
    payloads: dict[EventKind, dict[str, Any]] = {
        EventKind.SESSION_WOKEN: {},
        EventKind.TOOL_RESULT: held,
        EventKind.REQUEST_CLOSED: closed,
    }
    lines = [headline(entries([Event("s", 1, 1, kind, payload, START)])[0]) for kind, payload in payloads.items()]
    assert lines == ["its time has come", "t: blocked held (held): m", "s.1: expired"]


def test_every_state_has_an_exit_code() -> None:
    assert {status: code.exit_code(status) for status in Status}[Status.TIMED_OUT] == 4
    assert code.exit_code(Status.AWAITING_CONFIRMATION) == 3


def test_names_are_made_when_they_are_asked_for() -> None:
    made: list[str] = []

    def maker(state: State) -> int:
        made.append("x")
        return 1

    names = Names(played().state, {"x": maker}, {"y": 2})
    assert len(names) == 2
    assert list(names) == ["x", "y"]
    assert not made
    assert names["x"] + names["x"] == 2
    assert made == ["x"]


def test_history_budget_and_step_have_their_values() -> None:
    play = played()
    names = gate_names(play.state, play.call("w"), play.bundle)
    assert [entry["input"]["n"] for entry in names["calls"]["look"]] == [2, 1]
    assert names["calls"]["nothing"] == []
    assert names["budget"]["steps"]["left"] == 10
    assert names["call"]["name"] == "w"
    assert [entry["status"] for entry in names["step"]["calls"]] == []


def test_requests_to_models_are_one_line_for_people() -> None:
    play = Play(bundle(agent("[]")))
    half, later = Decimal("0.5"), Decimal(2)
    note = inputs.ModelCall("gpt", "m-1", "rate_limited", 1, "d", None, 10, 0, None, half, None, "slow down", later)
    good = inputs.ModelCall("gpt", "m-1", "ok", 2, "d", "req", 10, 3, Decimal("0.01"), Decimal("0.5"), "stop")
    back = inputs.PlannerFellBack("gpt", "table", "it is down")
    play.say(
        inputs.PlannerAnswered(play.state.asks, {"message": "bye", "done": True}, play.now, notes=(note, good, back))
    )
    lines = [
        headline(entry(event))
        for event in play.log
        if event.kind in (EventKind.MODEL_CALLED, EventKind.PLANNER_FELL_BACK)
    ]
    assert lines == [
        "m-1 rate_limited (10 + 0 tokens, 0.5 s): slow down; again in 2 s",
        "m-1 ok (10 + 3 tokens, 0.01 USD, 0.5 s)",
        "planner gpt has no answer (it is down): table is asked",
    ]


def test_a_planner_that_can_not_be_had_ends_the_session() -> None:
    play = Play(bundle(agent("[]")))
    play.say(inputs.PlannerFailed(play.state.asks, "it is down", play.now, final=True))
    assert play.state.status.value == "failed"
    ending = next(event.payload for event in play.log if event.kind is EventKind.SESSION_ENDING)
    assert ending["reason"] == "planner_unavailable"
