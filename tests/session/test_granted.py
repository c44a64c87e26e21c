"""A call that a limit keeps from starting waits for more of it, and is judged again when there is."""

from __future__ import annotations

from typing import Any

import pytest

from engine.session.state import inputs as r
from engine.session.state.effects import RunTool
from engine.session.state.event import EventKind
from engine.session.state.state import Status
from engine.spec.bundle import Bundle
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

INPUT = "{type: object, properties: {to: {type: string}, n: {type: integer}}, required: [to]}"


def made(budgets: str, rules: str = ALLOW) -> Bundle:
    return bundle(
        agent("[pay]", policies="[rules]", budgets=budgets), policy(rules), reviewers("leads", "[ana, bo]"),
        tool("pay", "write", input=INPUT, more="idempotency: none"),
    )  # fmt: skip


MORE = "crossing: review, extend_by: 1, reviewers: leads"
METER = f"{{meters: {{pays: {{sum: 1, over: [pay], limit: 1, {MORE}}}}}}}"
CALLS = f"{{calls: {{limit: 1, {MORE}}}}}"


def blocked(budgets: str, rules: str = ALLOW) -> Play:
    play = Play(made(budgets, rules))
    play.plan(call("a", "pay", to="ada"), call("b", "pay", to="bo"))
    play.returns("a")
    if play.state.status is Status.RUNNING:
        play.plan(call("c", "pay", to="cy"))
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW
    assert [request.kind for request in play.state.open_requests()] == ["budget"]
    return play


def inputs(play: Play) -> list[Any]:
    return [effect.input["to"] for effect in play.effects if isinstance(effect, RunTool)]


@pytest.mark.parametrize("budgets", [METER, CALLS], ids=["meter", "calls"])
def test_a_yes_to_more_brings_back_the_call_that_was_blocked_for_want_of_it(budgets: str) -> None:
    play = blocked(budgets)
    play.say(play.answer("approve", "ana"))
    play.claim()
    assert inputs(play) == ["bo"], "nobody has to propose it again"


def test_what_comes_back_is_judged_again() -> None:
    rules = ALLOW + "\n  - {id: late, tools: [pay], effect: deny, when: now >= datetime('2026-01-01T09:30:00Z')}"
    play = blocked(METER, rules)
    play.pass_time(3000)
    play.say(play.answer("approve", "ana"))
    play.claim()
    assert inputs(play) == []
    assert [e.payload["rule"] for e in play.log if e.kind is EventKind.VERDICT][-1] == "late"


def test_what_comes_back_runs_once_and_the_next_is_beyond_the_limit_again() -> None:
    play = blocked(METER)
    play.say(play.answer("approve", "ana"))
    play.claim()
    assert inputs(play) == ["bo"]
    (running,) = play.running
    play.returns(running)
    assert play.state.used.meter("pays") == 2
    play.plan(call("d", "pay", to="dora"))
    assert play.result("d") == ("blocked", "meter_full")


def test_a_no_to_more_brings_nothing_back() -> None:
    play = blocked(METER)
    play.say(play.answer("deny", "ana"))
    play.claim()
    assert play.state.status is Status.OUT_OF_BUDGET
    assert play.result("b") == ("blocked", "meter_full")
    assert play.started() == ["a"]


def test_of_several_calls_as_many_come_back_as_were_granted_and_the_rest_is_asked_for_again() -> None:
    play = Play(made(CALLS))
    play.plan(call("a", "pay", to="ada"), call("b", "pay", to="bo"), call("c", "pay", to="cy"))
    play.returns("a")
    for number, name, granted in ((1, "bo", "b"), (2, "cy", "c")):
        play.say(play.answer("approve", "ana", number))
        play.claim()
        assert inputs(play) == [name]
        play.returns(granted)
    assert play.state.used.calls == 3
    assert play.started() == ["a", "b", "c"]


def test_what_nobody_grants_in_time_is_over_and_its_calls_never_start() -> None:
    play = blocked(METER)
    play.pass_time(25 * 3600)
    play.claim()
    assert play.state.status is Status.OUT_OF_BUDGET
    assert play.result("b") == ("blocked", "meter_full")


def test_a_cancel_ends_what_waits_for_more() -> None:
    play = blocked(CALLS)
    play.say(r.CancelRequested("mika", play.now))
    play.claim()
    assert play.state.status is Status.CANCELLED
    assert play.result("b") == ("blocked", "limit_of_calls")


def made_with(rules: str) -> Bundle:
    ok = "{type: object, properties: {ok: {type: boolean}}, required: [ok]}"
    return bundle(
        agent("[pay, look]", policies="[rules]", budgets=CALLS), reviewers("leads", "[ana, bo]"),
        policy(ALLOW + rules, facts="{account: {tool: look, input: {n: 1}}}"), tool("look", output=ok),
        tool("pay", "write", input=INPUT, more="idempotency: none"),
    )  # fmt: skip


def test_what_comes_back_reads_its_facts_anew() -> None:
    play = Play(made_with("\n  - {id: shut, tools: [pay], effect: deny, when: not account.ok}"))
    play.plan(call("a", "pay", to="ada"), call("b", "pay", to="bo"))
    play.read({"ok": True})
    play.returns("a")
    play.say(play.answer("approve", "ana"))
    play.claim()
    assert play.reading == ["look"]
    play.read({"ok": True})
    assert play.started() == ["a", "b"]
    assert play.kinds(EventKind.LIMIT_CROSSED) == ["limit_crossed"]


def test_what_comes_back_may_have_to_be_approved_as_well() -> None:
    play = Play(
        made_with(
            "\n  - {id: sure, tools: [pay], effect: require_approval, approvers: [leads], when: input.to == 'bo'}"
        )
    )
    play.plan(call("a", "pay", to="ada"), call("b", "pay", to="bo"))
    play.returns("a")
    play.say(play.answer("approve", "ana"))
    play.claim()
    assert [request.kind for request in play.state.open_requests()] == ["approval"]
    play.say(play.answer("approve", "bo", 2))
    play.claim()
    assert play.started() == ["a", "b"]
