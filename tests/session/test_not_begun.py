"""A call that was started where its tool can't run: nothing has happened, and another driver judges it again."""

from __future__ import annotations

import pytest

from engine.replay.replay import replay
from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.state import Phase, Status
from engine.session.trace import entry, headline
from engine.spec.bundle import Bundle
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

KEYED = "idempotency: {key: [input.n], honoured_by: tool}"


def made(rules: str = ALLOW, facts: str = "{}", budgets: str = "{}") -> Bundle:
    return bundle(
        agent("[look, write, keyed, ask]", policies="[rules]", budgets=budgets), policy(rules, facts=facts),
        tool("look"), tool("write", "write"), tool("keyed", "write", more=KEYED), reviewers("leads", "[ana]"),
        tool("ask", "read", more="adapter: {kind: handoff, reviewers: leads, question: 'and?'}"),
        tool("state", output="{type: object, properties: {ok: {type: boolean}}, required: [ok]}"),
    )  # fmt: skip


def not_begun(play: Play, call_id: str = "a", attempt: int | None = None) -> None:
    """The driver lets go, for the call's tool lacks something here."""
    if not play.state.releasing:
        play.say(inputs.SessionReleased("me", play.now))
    tried = play.call(call_id).attempt if attempt is None else attempt
    play.say(inputs.ToolNotBegun(call_id, tried, "the secret KEY is not there", play.now))


def begun(name: str, own: Bundle | None = None) -> Play:
    play = Play(own or made())
    play.plan(call("a", name, n=1))
    return play


@pytest.mark.parametrize("name", ["look", "write", "keyed"])
def test_it_is_judged_and_started_again_and_was_no_attempt(name: str) -> None:
    play = begun(name)
    not_begun(play)
    assert play.call("a").phase is Phase.PROPOSED
    assert play.effects == ()
    assert play.state.status is Status.RUNNING
    play.claim()
    assert play.running == ["a"]
    assert play.call("a").attempt == 1
    assert play.kinds(EventKind.VERDICT, EventKind.CALL_STARTED, EventKind.CALL_NOT_BEGUN) == [
        "verdict", "call_started", "call_not_begun", "verdict", "call_started",
    ]  # fmt: skip
    play.returns("a")
    assert play.call("a").ok
    assert (play.state.used.calls, play.state.used.retries) == (1, 0)
    assert play.state.open_requests() == []


def test_it_is_judged_on_fresh_facts() -> None:
    rules = "  - {id: open, tools: [write], effect: allow, when: fact.ok}"
    play = begun("write", made(rules, facts="{fact: {tool: state, input: {n: input.n}}}"))
    play.read({"ok": True})
    not_begun(play)
    play.claim()
    assert play.reading == ["state"]
    play.read({"ok": False})
    assert play.result("a")[0] == "blocked"


def test_what_it_reserves_counts_once() -> None:
    meters = "{meters: {n: {sum: 'input.n if input.n != null else 0', over: [write], limit: 1}}}"
    play = begun("write", made(budgets=meters))
    not_begun(play)
    play.claim()
    play.returns("a")
    assert play.call("a").ok
    assert play.state.used.meter("n") == 1
    play.plan(call("b", "write", n=1))
    assert play.result("b") == ("blocked", "meter_full")


def test_a_yes_to_it_holds() -> None:
    ask = f"{ALLOW}\n  - {{id: sure, tools: [write], effect: require_approval, approvers: [leads]}}"
    play = begun("write", made(ask))
    play.say(play.answer("approve", "ana"))
    play.claim()
    not_begun(play)
    play.claim()
    assert play.running == ["a"]
    assert len(play.kinds(EventKind.REQUEST_OPENED)) == 1


def test_a_session_that_ends_meanwhile_ends_it() -> None:
    play = begun("write", made(budgets="{grace: 5s}"))
    play.say(inputs.CancelRequested("mika", play.now))
    play.tick()
    assert play.call("a").cancelled is None, "it is in its grace"
    play.say(inputs.ToolNotBegun("a", 1, "gone", play.now))
    assert play.result("a") == ("terminal_error", "session_cancelled")
    assert play.state.status is Status.CANCELLED


def test_one_that_was_cancelled_ends_so() -> None:
    play = begun("write", made(budgets="{grace: 0s, step_time: 1s}"))
    play.tick(2)
    assert play.call("a").cancelled == "step_deadline"
    play.say(inputs.ToolNotBegun("a", 1, "gone", play.now))
    assert play.result("a") == ("terminal_error", "step_deadline")


def test_what_comes_too_late_changes_nothing() -> None:
    play = begun("write")
    not_begun(play, attempt=2)
    assert play.call("a").phase is Phase.STARTED
    play.claim()
    assert play.state.open_requests(), "the first driver never said that it had not begun"


def test_who_lets_go_leaves_the_waiting_to_the_next_driver() -> None:
    play = Play(made())
    play.plan(call("q", "ask", n=1), call("a", "look", n=1))
    not_begun(play)
    released = play.state
    assert released.status is Status.RUNNING, "there is a call to judge yet"
    play.claim()
    assert play.running == ["a"]
    play.returns("a")
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW


def test_its_log_follows_again_and_is_told() -> None:
    own = made()
    play = begun("write", own)
    not_begun(play)
    play.claim()
    play.returns("a")
    found = replay(play.log, own)
    assert (found.difference, found.as_recorded) == (None, 0)
    event = next(event for event in play.log if event.kind is EventKind.CALL_NOT_BEGUN)
    assert headline(entry(event)) == "write: it never began: the secret KEY is not there"
