"""One step: reads together, writes in order, `done` at its edges, what the planner may not do."""

from __future__ import annotations

from typing import Any

import pytest

from engine.session.decide.decide import begin
from engine.session.planner_view import planner_view
from engine.session.state import inputs
from engine.session.state.effects import AskPlanner
from engine.session.state.event import EventKind
from engine.session.state.state import Status
from engine.spec.bundle import Bundle
from engine.spec.retry import FailureKind
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.session.play import START, Play, call


@pytest.fixture(scope="module")
def plain() -> Bundle:
    return bundle(
        agent("[look, peek, write, keyed]", policies="[rules]"),
        policy(ALLOW),
        tool("look", output="{type: object, properties: {found: {type: boolean}}}", more="summary: [found]"),
        tool("peek"),
        tool("write", "write"),
        tool("keyed", "write", more="idempotency: {key: [input.n, input.to], honoured_by: tool}"),
    )


def test_a_session_begins_with_its_limits_and_its_bundle_and_asks_the_planner(plain: Bundle) -> None:
    play = Play(plain)
    first = play.log[0]
    assert first.payload["bundle"] == plain.digest
    assert first.payload["limits"]["steps"] == 12
    assert play.effects == (AskPlanner(1),)


def test_attributes_that_do_not_fit_start_nothing(plain: Bundle) -> None:
    refused = begin(inputs.SessionRequested("s", "bot", "script", {}, "hi", None, "/r", START), plain)
    assert isinstance(refused, inputs.InputRefused)
    assert refused.reason == "invalid_attributes"


def test_reads_run_together_and_writes_after_them_in_the_planners_order(plain: Bundle) -> None:
    play = Play(plain)
    play.plan(call("w1", "write"), call("a", "look"), call("w2", "write", n=2), call("b", "peek"))
    assert play.running == ["a", "b"]
    play.returns("a", {"found": True})
    assert play.running == ["b"]
    play.returns("b")
    assert play.running == ["w1"]
    play.returns("w1")
    assert play.running == ["w2"]
    play.returns("w2")
    assert play.effects == (AskPlanner(2),)
    shown = next(e for e in play.log if e.kind is EventKind.TOOL_RESULT and e.payload["call_id"] == "a")
    assert shown.payload["found"] is True


@pytest.mark.parametrize("how", ["fails", "unknown"])
def test_a_write_behind_one_that_did_not_happen_is_blocked(plain: Bundle, how: str) -> None:
    play = Play(plain)
    play.plan(call("w1", "write"), call("w2", "write", n=2))
    if how == "fails":
        play.fails("w1", acted=False)
    else:
        play.fails("w1", "timeout")
        assert play.result("w1") == ("unknown", "timeout")
    assert play.result("w2") == ("blocked", "earlier_write_not_done")
    assert play.started() == ["w1"]


def test_done_without_calls_ends_the_session_with_the_declared_outcome(plain: Bundle) -> None:
    play = Play(plain)
    play.plan(message="Bye", done=True)
    assert (play.state.status, play.state.outcome, play.state.told) == (Status.DONE, "answered", "Bye")
    assert play.effects == ()
    assert play.tick(5) == []


def test_a_reply_without_calls_waits_for_the_user_and_goes_on_with_the_next_message(plain: Bundle) -> None:
    play = Play(plain)
    play.plan(message="Which account?")
    assert play.state.status is Status.AWAITING_MESSAGE
    assert play.state.told == "Which account?"
    play.say(inputs.MessageSent("mine", play.now))
    assert not play.effects
    play.claim()
    claimed = play.state
    assert claimed.status is Status.RUNNING
    assert play.effects == (AskPlanner(2),)
    assert claimed.messages == ("hello", "mine")


def test_a_message_while_the_session_runs_is_kept_for_the_next_step(plain: Bundle) -> None:
    play = Play(plain)
    play.plan(call("a", "look"))
    play.say(inputs.MessageSent("one more thing", play.now))
    play.returns("a")
    play.plan(message="done, I think", done=True)
    assert play.state.final
    other = Play(plain)
    other.say(inputs.MessageSent("wait", other.now))
    other.plan(message="done", done=True)
    assert not other.state.final, "the planner has not seen the second message"
    assert other.effects == (AskPlanner(2),)


def test_a_reply_while_a_message_waits_goes_on_at_once(plain: Bundle) -> None:
    play = Play(plain)
    play.say(inputs.MessageSent("again", play.now))
    play.plan(message="Which?")
    assert play.effects == (AskPlanner(2),)


def test_an_empty_message_is_refused(plain: Bundle) -> None:
    assert Play(plain).refused(inputs.MessageSent("  ", START)) == "empty_message"


def test_what_comes_to_a_final_session_is_refused_or_ignored(plain: Bundle) -> None:
    play = Play(plain)
    play.plan(message="Bye", done=True)
    assert play.refused(inputs.MessageSent("hello?", play.now)) == "session_over"
    assert play.refused(inputs.CancelRequested("me", play.now)) == "session_over"
    assert play.say(inputs.SessionClaimed("other", 2, play.now)) == []


@pytest.mark.parametrize(
    "raw",
    [
        "text", 5, None, {}, {"message": 1}, {"message": "x", "tool_calls": 3}, {"message": "x", "extra": 1},
        {"message": "x", "done": True, "tool_calls": [call("a", "look")]},
        {"message": " ", "tool_calls": [], "done": False},
        {"message": "", "tool_calls": [call("a", "look"), call("a", "look")]},
        {"message": "", "tool_calls": [{"id": "", "name": "look", "input": {}}]},
        {"message": "", "tool_calls": [{"id": "a", "name": "look", "input": []}]},
        {"message": "", "tool_calls": [call("a", "look", n=float("nan"))]},
        {"message": "x" * 300_000, "done": True},
        {"message": object(), "done": True},
    ],
)  # fmt: skip
def test_a_decision_outside_of_the_contract_is_an_event_and_the_planner_may_try_again(
    plain: Bundle, raw: object
) -> None:
    play = Play(plain)
    play.plan_raw(raw)
    assert play.log[-1].kind is EventKind.DECISION_REJECTED
    assert play.state.problems
    assert play.effects == (AskPlanner(2),)
    play.plan(message="sorry", done=True)
    assert play.state.final


def test_a_decision_that_is_nested_too_deep_is_rejected(plain: Bundle) -> None:
    deep: dict[str, object] = {}
    for _ in range(5000):
        deep = {"x": deep}
    play = Play(plain)
    play.plan_raw({"message": "x", "tool_calls": [{"id": "a", "name": "look", "input": deep}]})
    assert play.log[-1].kind is EventKind.DECISION_REJECTED


def test_a_planner_that_fails_may_try_again_within_the_bound_and_then_the_session_fails(plain: Bundle) -> None:
    play = Play(plain)
    for _ in range(3):
        play.say(inputs.PlannerFailed(play.state.asks, "no answer", play.now))
        assert not play.state.final
    play.say(inputs.PlannerFailed(play.state.asks, "no answer", play.now))
    assert play.state.status is Status.FAILED


def test_an_answer_to_an_older_question_is_ignored(plain: Bundle) -> None:
    play = Play(plain)
    assert play.say(inputs.PlannerAnswered(7, {"message": "x", "done": True}, play.now)) == []
    assert play.say(inputs.PlannerFailed(7, "late", play.now)) == []


def test_a_call_id_can_not_be_used_again(plain: Bundle) -> None:
    play = Play(plain)
    play.plan(call("a", "look"))
    play.returns("a")
    play.plan(call("a", "look"))
    assert play.log[-1].kind is EventKind.DECISION_REJECTED
    assert "used before" in play.state.problems[0]


@pytest.mark.parametrize(
    ("proposed", "says"),
    [
        (call("a", "nothing"), "not among this agent's tools"),
        (call("a", "look", n="five"), "n"),
        (call("a", "look", extra=1), "a field that the schema does not name"),
    ],
)
def test_a_call_that_can_not_be_is_blocked_and_shown(plain: Bundle, proposed: dict[str, object], says: str) -> None:
    play = Play(plain)
    play.plan(proposed, call("b", "look"))
    assert play.result("a") == ("blocked", "invalid_input")
    result = play.call("a").result
    assert result is not None
    assert says in result.message
    assert play.running == ["b"]
    assert play.state.used.repairs == 1
    assert play.state.used.calls == 1


def test_an_agent_without_tools_says_so() -> None:
    play = Play(bundle(agent("[]"), tool("look")))
    play.plan(call("a", "look"))
    result = play.call("a").result
    assert result is not None
    assert "it has none" in result.message


def test_several_broken_calls_of_one_decision_are_one_repair(plain: Bundle) -> None:
    play = Play(plain)
    play.plan(call("a", "nothing"), call("b", "nothing"))
    assert play.state.used.repairs == 1


def test_an_idempotency_key_without_a_value_blocks_the_call() -> None:
    play = Play(
        bundle(
            agent("[w]", policies="[rules]"),
            policy(ALLOW),
            tool(
                "w",
                "write",
                input="{type: object, properties: {n: {}}}",
                more="idempotency: {key: [input.n + 1], honoured_by: tool}",
            ),
        )
    )
    play.plan(call("a", "w", n="text"))
    assert play.result("a") == ("blocked", "invalid_input")


@pytest.mark.parametrize("output", [float("nan"), object(), "x" * 1_100_000, {"found": "yes"}])
def test_an_output_that_does_not_fit_is_a_failure_of_a_read(plain: Bundle, output: object) -> None:
    play = Play(plain)
    play.plan(call("a", "look"))
    play.returns("a", output)
    assert play.result("a") == ("terminal_error", "invalid_output")


def test_an_output_that_does_not_fit_leaves_a_write_unknown_and_asks_somebody(plain: Bundle) -> None:
    play = Play(plain)
    play.plan(call("a", "write"))
    play.returns("a", "text")
    assert play.result("a") == ("unknown", "invalid_output")
    assert [request.kind for request in play.state.open_requests()] == ["settle"]
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW


def test_a_late_result_of_another_attempt_or_call_is_ignored(plain: Bundle) -> None:
    play = Play(plain)
    play.plan(call("a", "look"))
    assert play.say(inputs.ToolReturned("a", 7, {}, play.now)) == []
    assert play.say(inputs.ToolReturned("nobody", 1, {}, play.now)) == []
    assert play.say(inputs.ToolFailed("nobody", 1, FailureKind.ERROR, "x", "x", True, play.now)) == []


def test_a_retryable_failure_is_told_apart(plain: Bundle) -> None:
    play = Play(plain)
    play.plan(call("a", "look"))
    play.fails("a", "retryable")
    assert play.result("a") == ("retryable_error", "retryable")


def test_a_write_whose_key_is_held_by_a_result_gives_that_result_and_does_not_run(plain: Bundle) -> None:
    play = Play(plain)
    play.plan(call("a", "keyed", n=1))
    key = play.call("a").claim
    assert key == '["acme","keyed","python:"]:[1,null]'
    fresh = Play(plain)
    fresh.say(inputs.KeyTaken(key, "ok", {"done": "before"}, "other", fresh.now))
    fresh.plan(call("a", "keyed", n=1))
    assert fresh.result("a") == ("ok", "")
    assert fresh.started() == []
    held = Play(plain)
    held.say(inputs.KeyTaken(key, "in_flight", None, "other", held.now))
    held.plan(call("a", "keyed", n=1))
    assert held.result("a") == ("blocked", "idempotency_in_flight")


def comparing() -> Bundle:
    key = "idempotency: {key: [input.n], honoured_by: tool, compare: [to], window: 1h}\n"
    return bundle(agent("[keyed]", policies="[rules]"), policy(ALLOW), tool("keyed", "write", more=key))


@pytest.mark.parametrize(
    ("before", "result"),
    [
        ({"to": "ada"}, ("ok", "")),
        ({"to": "bela"}, ("blocked", "idempotency_conflict")),
        ({"to": None}, ("blocked", "idempotency_conflict")),
        ({"other": 1}, ("ok", "")),
        (None, ("ok", "")),
    ],
)
def test_a_key_that_was_used_for_something_else_is_a_conflict(before: Any, result: tuple[str, str]) -> None:
    play = Play(comparing())
    play.say(inputs.KeyTaken('["acme","keyed","python:"]:[1]', "ok", {}, "other", play.now, before))
    play.plan(call("a", "keyed", n=1, to="ada"))
    assert play.result("a") == result
    assert play.started() == []


def test_a_started_call_says_what_its_key_is_for_and_how_long_its_result_counts() -> None:
    play = Play(comparing())
    play.plan(call("a", "keyed", n=1))
    started = next(e for e in play.log if e.kind == "call_started")
    assert started.payload["compared"] == {"to": None}
    assert started.payload["key_until"] == "2026-01-01T10:00:00.000000Z"


def test_stop_rules_are_tried_in_order_after_a_step_or_when_done() -> None:
    stops = (
        "stop:\n"
        "  - {outcome: broken, when: 'calls.look[7].at > now', message: never}\n"
        "  - {outcome: early, when: len(calls.look) > 1, on: step, message: 'seen {{ len(calls.look) }}'}\n"
        "  - {outcome: once, when: len(calls.look) > 0, message: 'x {{ calls.look[5].at }}'}\n"
        "  - {outcome: answered, message: bye}\n"
    )
    made = bundle(agent("[look]", more=stops), tool("look"))
    play = Play(made)
    play.plan(call("a", "look"), call("b", "look"))
    play.returns("a")
    play.returns("b")
    assert (play.state.outcome, play.state.told) == ("early", "seen 2")
    other = Play(made)
    other.plan(call("a", "look"))
    other.returns("a")
    other.plan(message="ok", done=True)
    assert other.state.outcome == "once"
    assert other.state.told == "This conversation has ended."
    assert "has no value" in other.log[-1].payload["problem"]


def test_the_turns_results_are_of_calls_that_have_ended() -> None:
    play = Play(bundle(agent("[look]"), tool("look")))
    play.plan(call("a", "look", n=1), call("b", "look", n=2))
    play.returns("a")
    assert [entry["id"] for entry in planner_view(play.state, play.bundle).names["results"]["look"]] == ["a"]
    play.returns("b")
    assert [entry["id"] for entry in planner_view(play.state, play.bundle).names["results"]["look"]] == ["a", "b"]
