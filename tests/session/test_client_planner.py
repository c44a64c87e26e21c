"""A client proposes: what the core makes of decisions that come from outside."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.events.table import EVENTS
from engine.session.state.state import Phase, Status
from engine.session.trace import entry
from engine.spec.bundle import Bundle
from engine.spec.planner_spec import Usage
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call
from tests.session.test_jobs import Jobs

ASK = "  - {id: ask, tools: [pay], effect: require_approval, approvers: [bosses], reason: large, message: m}"


def client(*, policies: str = ALLOW, budgets: str = "{}") -> Bundle:
    """An agent whose decisions come from outside, with a read, a write and a job."""
    path, text = agent("[look, pay, later]", policies="[rules]", budgets=budgets)
    script = "script: {kind: scripted, decisions: [{message: hi, done: true}]}"
    assert script in text
    job = "mode: job\nidempotency: none\n"
    return bundle(
        (path, text.replace(script, "script: {kind: client}")),
        policy(policies),
        reviewers("bosses", "[dana]"),
        tool("look"),
        tool("pay", "write"),
        tool("later", "write", more=job),
    )


def proposal(p: Play, *calls: Any, after: int | None = None, done: bool = False, raw: Any = None, **more: Any) -> Any:
    raw = {"message": "m", "tool_calls": list(calls), "done": done} if raw is None else raw
    return inputs.DecisionProposed(p.state.seq if after is None else after, raw, "me", p.now, **more)


def propose(p: Play, *calls: Any, **more: Any) -> None:
    """Propose, and let the driver take it in."""
    (event,) = p.say(proposal(p, *calls, **more))
    assert event.kind is EventKind.DECISION_PROPOSED
    p.tick()


def status(p: Play) -> Status:
    return p.state.status


def test_a_step_waits_for_its_client_and_asks_nobody() -> None:
    p = Play(client())
    assert status(p) is Status.AWAITING_PLANNER
    assert p.effects == ()
    (request,) = p.state.open_requests()
    assert (request.kind, request.groups, request.expires_at) == ("planner", (), p.now + timedelta(hours=24))


def test_what_it_proposes_goes_the_way_of_every_decision() -> None:
    p = Play(client())
    propose(p, call("a", "look"))
    assert p.running == ["a"]
    p.returns("a")
    assert status(p) is Status.AWAITING_PLANNER
    propose(p, done=True)
    assert (status(p), p.state.outcome) == (Status.DONE, "answered")
    assert (
        p.kinds(EventKind.DECISION_PROPOSED, EventKind.DECISION_RECORDED)
        == ["decision_proposed", "decision_recorded"] * 2
    )


def test_its_calls_are_gated_and_limited() -> None:
    p = Play(client(policies=f"{ALLOW}\n{ASK}", budgets="{calls_per_step: 1}"))
    propose(p, call("a", "pay"), call("b", "pay"), call("c", "nothing"))
    assert p.call("a").phase is Phase.HELD
    assert p.result("b") == ("blocked", "limit_of_calls")
    assert p.result("c") == ("blocked", "invalid_input")
    assert status(p) is Status.AWAITING_HUMAN_REVIEW
    p.say(p.answer("approve", "dana", request=2))
    p.tick()
    assert p.running == ["a"]


def test_what_a_question_took_counts_against_the_budget() -> None:
    p = Play(client(budgets="{model_tokens: 100}"))
    propose(p, call("a", "look"), usage=Usage(120, 0))
    assert p.state.used.model_tokens == 120
    p.returns("a")
    assert status(p) is Status.OUT_OF_BUDGET


def test_a_decision_names_what_was_read_and_is_stale_where_more_was_said() -> None:
    p = Play(client())
    before = p.state.seq
    p.say(inputs.MessageSent("and another thing", p.now))
    assert p.refused(proposal(p, done=True, after=before)) == "stale"
    assert p.refused(proposal(p, done=True, after=p.state.seq + 1)) == "stale"
    propose(p, done=True)
    assert status(p) is Status.DONE, "who has read it all is not asked once more"


def test_what_was_proposed_before_the_client_read_the_last_result_is_stale() -> None:
    p = Play(client())
    first = p.state.seq
    propose(p, call("a", "look"))
    p.returns("a")
    assert p.refused(proposal(p, done=True, after=first)) == "stale"


def test_only_one_proposal_answers_a_step() -> None:
    p = Play(client())
    first = proposal(p, call("a", "look"))
    p.say(first)
    assert p.refused(first) == "not_asked"
    p.tick()
    assert p.refused(proposal(p, done=True)) == "not_asked"


@pytest.mark.parametrize("raw", [7, {"mesage": "m"}, {"message": "m", "tool_calls": "x", "done": False}])
def test_what_is_no_decision_is_refused_and_the_client_is_waited_for_still(raw: Any) -> None:
    p = Play(client())
    before = list(p.log)
    assert p.refused(proposal(p, raw=raw)) == "invalid_decision"
    assert p.log == before
    propose(p, done=True)
    assert status(p) is Status.DONE


def test_an_id_that_was_used_before_is_no_decision() -> None:
    p = Play(client())
    propose(p, call("a", "look"))
    p.returns("a")
    assert p.refused(proposal(p, call("a", "look"))) == "invalid_decision"


def test_a_session_whose_client_stays_away_times_out() -> None:
    p = Play(client(budgets="{expires: {planner: 60s}}"))
    p.pass_time(60)
    assert p.refused(proposal(p, done=True)) == "expired"
    p.claim()
    assert (status(p), p.state.ending_reason) == (Status.TIMED_OUT, "planner_expired")
    assert p.refused(proposal(p, done=True)) == "session_over"


def test_waiting_for_a_client_takes_nothing_of_the_time() -> None:
    p = Play(client(budgets="{wall_clock: 60s, step_time: 30s}"))
    p.tick(3600)
    assert status(p) == Status.AWAITING_PLANNER
    propose(p, done=True)
    assert status(p) is Status.DONE


def test_a_session_that_is_cancelled_takes_nothing_more() -> None:
    p = Play(client())
    p.say(inputs.CancelRequested("ops", p.now))
    p.tick()
    assert status(p) is Status.CANCELLED
    assert p.refused(proposal(p, done=True)) == "session_over"


def test_what_was_proposed_just_before_a_cancel_is_not_taken_in() -> None:
    p = Play(client())
    p.say(proposal(p, call("a", "pay")))
    p.say(inputs.CancelRequested("ops", p.now))
    p.tick()
    assert status(p) is Status.CANCELLED
    assert p.kinds(EventKind.CALL_PROPOSED) == []


def test_another_planner_is_not_to_be_proposed_for() -> None:
    p = Play(bundle(agent("[look]"), tool("look")))
    assert p.refused(proposal(p, done=True)) == "not_a_client"


def test_nobody_answers_in_the_place_of_a_client() -> None:
    p = Play(client())
    assert p.refused(p.answer("answer", "dana", value={})) == "not_a_question"


def test_the_result_of_a_job_has_to_be_read() -> None:
    p = Jobs(client())
    before = p.state.seq
    propose(p, call("a", "later"))
    assert status(p) == Status.AWAITING_JOB
    p.lease("a")
    p.ends("a")
    p.claim()
    assert status(p) == Status.AWAITING_PLANNER
    assert p.refused(proposal(p, done=True, after=before)) == "stale"


def test_a_driver_that_lets_go_leaves_the_proposal_to_the_next() -> None:
    p = Play(client())
    p.say(proposal(p, call("a", "look")))
    p.say(inputs.SessionReleased("me", p.now))
    assert p.running == []
    p.claim()
    assert p.running == ["a"]


def test_a_client_has_no_stand_in() -> None:
    from engine.bundle.files import BundleFiles
    from engine.bundle.load import load

    path, text = agent("[]")
    script = "planner: script\nplanners:\n  script: {kind: scripted"
    assert script in text
    more = "planner: [outside, script]\nplanners:\n  outside: {kind: client}\n  script: {kind: scripted"
    (found,) = load(BundleFiles({path: text.replace(script, more).encode()})).diagnostics
    assert (found.code, "nothing can stand in for it" in found.message) == ("E206", True)


@pytest.mark.parametrize(
    ("tokens", "cost"),
    [(-1, 0), (1, -5), (1, float("nan")), ("x", 0), (True, 0), (1.5, 0), (10**400, 0), (0, 10**400)],
)
def test_what_a_question_took_is_refused_where_it_can_not_be_counted(tokens: Any, cost: Any) -> None:
    p = Play(client())
    assert p.refused(proposal(p, usage=Usage(tokens, cost))) == "invalid_usage"
    assert p.refused(proposal(p, usage={"tokens": 1})) == "invalid_usage"


def test_the_trace_says_that_its_client_is_waited_for() -> None:
    p = Play(client())
    (opened,) = [event for event in p.log if event.kind is EventKind.REQUEST_OPENED]
    assert EVENTS[EventKind.REQUEST_OPENED].line(entry(opened)) == "s1.1: its client is to propose"


@pytest.mark.parametrize("by", [None, 5, "x" * 2000])
def test_who_proposes_or_cancels_has_a_name(by: Any) -> None:
    p = Play(client())
    assert p.refused(inputs.DecisionProposed(p.state.seq, {}, by, p.now)) == "not_text"
    assert p.refused(inputs.CancelRequested(by, p.now)) == "not_text"


@pytest.mark.parametrize("after", ["6", None, True])
def test_what_was_read_is_a_number(after: Any) -> None:
    p = Play(client())
    assert (
        p.refused(inputs.DecisionProposed(after, {"message": "", "tool_calls": [], "done": True}, "me", p.now))
        == "stale"
    )
