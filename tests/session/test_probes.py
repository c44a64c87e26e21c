"""A probe finds out whether a write happened that nobody can vouch for; where it can't tell, a person is asked."""

from __future__ import annotations

from typing import Any

import pytest

from engine.session.state import inputs
from engine.session.state.effects import ReadFact
from engine.session.state.event import EventKind
from engine.session.state.state import Status
from engine.spec.bundle import Bundle
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.session.play import Play, call

FOUND = "{type: object, properties: {found: {type: boolean}, id: {type: integer}}, required: [found]}"
PAID = "{type: object, properties: {id: {type: integer}}, required: [id], additionalProperties: false}"
INPUT = "{type: object, properties: {n: {type: integer}}, required: [n], additionalProperties: false}"
PROBE = "probe: {tool: find, input: {n: input.n}, happened: output.found, result: {id: output.id}}\n"


def made(probe: str = PROBE, budgets: str = "{}", found: str = FOUND) -> Bundle:
    return bundle(
        agent("[pay, find]", policies="[rules]", budgets=budgets),
        policy(ALLOW),
        tool("pay", "write", input=INPUT, output=PAID, more=probe),
        tool("find", input=INPUT, output=found),
    )


def unknown(**more: Any) -> Play:
    play = Play(made(**more))
    play.plan(call("w", "pay", n=7))
    play.fails("w", "timeout")
    return play


def probe_of(play: Play) -> ReadFact:
    return next(effect for effect in play.effects if isinstance(effect, ReadFact))


def shows(play: Play, output: Any) -> None:
    probe = probe_of(play)
    play.say(inputs.FactReturned(probe.fact_key, probe.gate, output, play.now, play.now))


def test_a_write_that_the_probe_finds_is_ok_with_what_it_gave() -> None:
    play = unknown()
    assert play.result("w") == ("unknown", "timeout")
    assert probe_of(play).input == {"n": 7}
    shows(play, {"found": True, "id": 3})
    result = play.call("w").result
    assert result is not None
    assert (result.status, result.output) == ("ok", {"id": 3})
    assert not play.state.open_requests()


def test_a_write_that_the_probe_does_not_find_did_not_happen() -> None:
    play = unknown()
    shows(play, {"found": False})
    assert play.result("w") == ("terminal_error", "did_not_happen")


@pytest.mark.parametrize("output", [{"found": True}, {"found": "?"}, None])
def test_a_probe_that_can_not_tell_leaves_it_to_a_person(output: Any) -> None:
    play = unknown()
    if output is None:
        probe = probe_of(play)
        play.say(inputs.FactFailed(probe.fact_key, probe.gate, "down", play.now, play.now))
    else:
        shows(play, output)
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW
    assert play.state.open_requests()[0].kind == "settle"


def test_the_reads_own_output_is_the_result_where_none_is_declared() -> None:
    probe = "probe: {tool: find, input: {n: input.n}, happened: output.found}\n"
    play = unknown(probe=probe)
    shows(play, {"found": True, "id": 3})
    assert play.state.open_requests()[0].kind == "settle", "it does not fit the write's output"


def test_a_result_that_has_no_value_leaves_it_to_a_person() -> None:
    probe = "probe: {tool: find, input: {n: input.n}, happened: output.found, result: {id: 1 / (output.n - 7)}}\n"
    play = unknown(
        probe=probe,
        found="{type: object, properties: {found: {type: boolean}, n: {type: integer}}, required: [found, n]}",
    )
    shows(play, {"found": True, "n": 7})
    assert play.state.open_requests()[0].kind == "settle"


def test_a_probe_takes_a_fact_read_and_without_one_a_person_is_asked() -> None:
    play = unknown(budgets="{fact_reads: 0}")
    assert play.state.open_requests()[0].kind == "settle"
    assert unknown().state.used.fact_reads == 1


def test_a_probe_whose_input_has_no_value_is_not_made() -> None:
    probe = "probe: {tool: find, input: {n: 1 / (input.n - 7)}, happened: output.found}\n"
    assert unknown(probe=probe).state.open_requests()[0].kind == "settle"


def test_a_probe_that_was_asked_for_is_asked_again_by_the_next_driver_and_only_its_own_answer_counts() -> None:
    play = unknown()
    before = probe_of(play)
    play.claim()
    assert probe_of(play) == before
    play.say(inputs.FactReturned(before.fact_key, before.gate + 1, {"found": False}, play.now, play.now))
    play.say(inputs.FactReturned("probe:x", before.gate, {"found": False}, play.now, play.now))
    play.say(inputs.FactFailed("probe:x", before.gate, "down", play.now, play.now))
    assert play.result("w") == ("unknown", "timeout")
    shows(play, {"found": False})
    assert play.result("w")[0] == "terminal_error"


def test_a_session_that_ends_leaves_what_the_probe_would_have_found_to_a_person() -> None:
    play = unknown()
    play.say(inputs.CancelRequested("me", play.now))
    play.claim()
    assert play.state.status is Status.CANCELLED
    assert [e.kind for e in play.log if e.kind in (EventKind.PROBE_READ, EventKind.REQUEST_OPENED)] == [
        EventKind.PROBE_READ,
        EventKind.REQUEST_OPENED,
    ]
    assert not play.effects


def test_a_session_that_ended_with_the_write_asks_a_person_at_once() -> None:
    play = Play(made())
    play.plan(call("w", "pay", n=7))
    play.say(inputs.CancelRequested("me", play.now))
    play.tick(3)
    play.fails("w", "cancelled")
    assert play.state.status is Status.CANCELLED
    assert play.state.open_requests()[0].kind == "settle"
