"""Retries: a failed attempt is an event with its delay, and the next begins when its time has come."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.pending import pending, wake_at
from engine.session.state.state import Phase, Status
from engine.session.trace import entry, headline
from engine.spec.bundle import Bundle
from engine.spec.retry import FailureKind, Retry
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.session.play import Play, call

RETRY = "retry: {attempts: 3, on: [retryable, timeout], delay: 1s, factor: 3, max_delay: 2s, jitter: 0.5}"
KEYED = "idempotency: {key: [input.n], honoured_by: tool}\n"


def made(budgets: str = "{}", retry: str = RETRY) -> Bundle:
    return bundle(
        agent("[look, write, keyed, other]", policies="[rules]", budgets=budgets),
        policy(ALLOW),
        tool("look", more=retry),
        tool("other", more="on_failure: cancel_siblings"),
        tool("write", "write", more=retry.replace("retryable, timeout", "retryable")),
        tool("keyed", "write", more=KEYED + retry),
    )


def failing(name: str = "look", budgets: str = "{}") -> Play:
    play = Play(made(budgets))
    play.plan(call("a", name, n=1))
    return play


def fail(play: Play, failure: str = "retryable", dice: str = "0", acted: bool = False) -> None:
    attempt = play.call("a").attempt
    play.say(inputs.ToolFailed("a", attempt, FailureKind(failure), "busy", "try again", acted, play.now, Decimal(dice)))


def test_a_failed_attempt_is_recorded_with_its_class_its_delay_and_its_chance() -> None:
    play = failing()
    fail(play, dice="0.5")
    event = play.log[-1]
    assert event.kind is EventKind.ATTEMPT_FAILED
    assert {k: event.payload[k] for k in ("attempt", "failure", "reason", "delay", "dice")} == {
        "attempt": 1, "failure": "retryable", "reason": "busy", "delay": Decimal("0.75"), "dice": Decimal("0.5"),
    }  # fmt: skip
    assert play.call("a").phase is Phase.RETRYING
    assert play.running == []
    assert wake_at(play.state) == play.now + timedelta(seconds=0.75)


def test_a_failed_attempt_is_one_line_for_people() -> None:
    play = failing()
    fail(play, dice="0.5")
    assert headline(entry(play.log[-1])) == "look: attempt 1 failed (retryable): try again; again in 0.75 s"


def test_the_next_attempt_begins_when_its_time_has_come_and_may_end_well() -> None:
    play = failing()
    fail(play)
    play.tick(0.9)
    assert play.running == []
    play.tick(0.2)
    assert play.running == ["a"]
    assert play.call("a").attempt == 2
    play.returns("a")
    assert play.result("a") == ("ok", "")
    assert play.state.used.retries == 1


def test_delays_grow_up_to_the_longest() -> None:
    retry = Retry(5, frozenset({FailureKind.ERROR}), timedelta(seconds=1), Decimal(3), timedelta(seconds=4), Decimal(1))
    nothing = Decimal(0)
    assert [retry.delay_after(n, nothing) for n in (1, 2, 3)] == [timedelta(seconds=s) for s in (1, 3, 4)]
    assert retry.delay_after(2, Decimal("0.25")) == timedelta(seconds=2.25)


def test_attempts_used_up_end_the_call_as_the_last_one_did() -> None:
    play = failing()
    for _ in range(2):
        fail(play)
        play.tick(3)
    fail(play, "timeout")
    assert play.result("a") == ("terminal_error", "busy")
    assert play.call("a").attempt == 3
    again = failing()
    for _ in range(2):
        fail(again)
        again.tick(3)
    fail(again)
    assert again.result("a") == ("retryable_error", "busy")


@pytest.mark.parametrize("failure", ["error", "lost"])
def test_a_failure_that_the_tool_does_not_name_is_not_tried_again(failure: str) -> None:
    play = failing()
    fail(play, failure)
    assert play.call("a").ended


@pytest.mark.parametrize("limit", ["retries_per_call", "retries_per_session"])
def test_the_agents_budget_is_the_ceiling(limit: str) -> None:
    play = failing(budgets=f"{{{limit}: 1}}")
    fail(play)
    play.tick(3)
    fail(play)
    assert play.call("a").ended
    crossed = next(e for e in play.log if e.kind is EventKind.LIMIT_CROSSED)
    assert (crossed.payload["limit"], crossed.payload["used"], crossed.payload["allowed"]) == (limit, 1, 1)


def test_a_write_is_tried_again_only_where_it_can_not_have_acted_or_its_key_is_honoured() -> None:
    play = failing("write")
    fail(play, "retryable", acted=False)
    assert play.call("a").phase is Phase.RETRYING
    acted = failing("write")
    fail(acted, "retryable", acted=True)
    assert acted.result("a") == ("retryable_error", "busy")
    keyed = failing("keyed")
    fail(keyed, "timeout", acted=True)
    keyed.tick(3)
    assert keyed.running == ["a"]
    assert [e.payload["idempotency_key"] for e in keyed.log if e.kind is EventKind.CALL_STARTED] == ["[1]", "[1]"]


def test_nothing_of_the_step_overtakes_a_write_that_is_tried_again() -> None:
    play = Play(made())
    play.plan(call("a", "write", n=1), call("b", "write", n=2))
    fail(play)
    assert play.started() == ["a"]
    play.tick(3)
    play.returns("a")
    assert play.started() == ["a", "a", "b"]


def test_a_cancelled_session_does_not_wait_for_an_attempt() -> None:
    play = failing()
    fail(play)
    play.say(inputs.CancelRequested("ada", play.now))
    play.tick()
    assert play.result("a") == ("terminal_error", "session_cancelled")
    assert play.state.status is Status.CANCELLED


def test_the_step_deadline_ends_a_call_that_waits_for_its_next_attempt() -> None:
    play = failing(budgets="{step_time: 2s}")
    fail(play)
    play.tick(1)
    fail(play)
    play.tick(1)
    assert play.result("a") == ("terminal_error", "step_deadline")


def test_a_failing_sibling_ends_a_call_that_waits_for_its_next_attempt() -> None:
    play = Play(made())
    play.plan(call("a", "look", n=1), call("o", "other", n=1))
    fail(play)
    play.fails("o")
    assert play.result("a") == ("terminal_error", "sibling_failed")


def test_the_next_driver_begins_the_attempt_and_one_that_lets_go_does_not() -> None:
    play = failing()
    fail(play)
    play.say(inputs.SessionReleased("me", play.now))
    play.tick(3)
    assert play.running == []
    play.claim()
    assert play.running == ["a"]
    assert pending(play.state, play.bundle)


def test_a_retrying_call_keeps_its_place() -> None:
    play = Play(made("{concurrency: 1}"))
    play.plan(call("a", "look", n=1), call("b", "look", n=2))
    fail(play)
    assert play.started() == ["a"]
    play.tick(3)
    play.returns("a")
    assert play.started() == ["a", "a", "b"]


def test_a_held_call_beside_a_retrying_one_does_not_put_the_session_to_sleep() -> None:
    rules = ALLOW + "\n  - {id: sure, tools: [write], effect: require_approval, approvers: [customer]}"
    play = Play(
        bundle(
            agent("[look, write]", policies="[rules]"), policy(rules), tool("look", more=RETRY), tool("write", "write")
        )
    )
    play.plan(call("a", "look", n=1), call("w", "write", n=1))
    fail(play)
    retrying = play.state
    assert retrying.status is Status.RUNNING
    play.tick(3)
    play.returns("a")
    assert play.state.status is Status.AWAITING_CONFIRMATION


@pytest.mark.parametrize(("wait", "delay"), [("0.2", Decimal(1)), ("1.5", Decimal("1.5")), ("3", None)])
def test_a_tool_that_asks_for_a_pause_gets_it_up_to_its_longest_delay(wait: str, delay: Decimal | None) -> None:
    play = failing()
    play.say(
        inputs.ToolFailed("a", 1, FailureKind.RETRYABLE, "busy", "later", False, play.now, Decimal(0), Decimal(wait))
    )
    if delay is None:
        assert play.result("a") == ("retryable_error", "busy")
    else:
        assert play.log[-1].payload["delay"] == delay
