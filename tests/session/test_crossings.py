"""What crossing a limit does: stop, ask for more, finish; and what questions to a planner take."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from engine.session.planner_view import planner_view
from engine.session.state import inputs
from engine.session.state.effects import AskPlanner
from engine.session.state.event import EventKind
from engine.session.state.state import Status
from engine.spec.bundle import Bundle
from engine.spec.limits import Limits
from engine.spec.planner_spec import Usage
from engine.spec.worst_case import worst_case
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

REVIEW = "crossing: review, extend_by: 2, reviewers: leads"


def made(budgets: str, usage: Usage | None = None) -> Bundle:
    found = bundle(
        agent("[look, pay]", policies="[rules]", budgets=budgets),
        policy(ALLOW),
        tool("look"),
        tool("pay", "write"),
        reviewers("leads", "[ana, bo]"),
    )
    if usage is None:
        return found
    bot = found.agents["bot"]
    planners = {name: replace(spec, usage=usage) for name, spec in bot.planners.items()}
    return replace(found, agents={"bot": replace(bot, planners=planners)})


def looking(play: Play, number: int) -> None:
    play.plan(call(f"c{number}", "look", n=number))
    if play.running:
        play.returns(f"c{number}")


# -- review


@pytest.mark.parametrize("budgets", [f"{{steps: {{limit: 2, {REVIEW}}}}}", f"{{calls: {{limit: 2, {REVIEW}}}}}"])
def test_a_yes_to_more_grants_what_was_declared(budgets: str) -> None:
    play = Play(made(budgets))
    for number in range(1, 3 if "steps" in budgets else 4):
        looking(play, number)
    waiting = play.state
    assert waiting.status is Status.AWAITING_HUMAN_REVIEW
    request = waiting.open_requests()[0]
    assert (request.kind, request.groups) == ("budget", ("leads",))
    play.say(play.answer("approve", "ana"))
    play.claim()
    granted = play.state
    assert granted.status is Status.RUNNING
    limits = granted.limits
    assert 4 in (limits.steps, limits.calls)
    if "calls" in budgets:
        # the one that had waited for it
        play.returns("c3")
    looking(play, 8)
    assert play.result("c8") == ("ok", "")
    number = 9
    while play.state.status is Status.RUNNING and number < 12:
        looking(play, number)
        number += 1
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW, "a yes counts once"


@pytest.mark.parametrize("how", ["deny", "expire"])
def test_a_no_to_more_or_no_answer_ends_the_session_as_the_limit_would_have(how: str) -> None:
    play = Play(made(f"{{steps: {{limit: 1, {REVIEW}}}, expires: {{budget: 1h}}}}"))
    looking(play, 1)
    if how == "deny":
        play.say(play.answer("deny", "ana"))
    else:
        play.pass_time(3601)
    play.claim()
    assert play.state.status is Status.OUT_OF_BUDGET


def test_only_a_member_says_yes_to_more_and_nobody_edits_it() -> None:
    play = Play(made(f"{{steps: {{limit: 1, {REVIEW}}}}}"), started_by="bo")
    looking(play, 1)
    assert play.refused(play.answer("approve", "zoe")) == "not_a_member"
    assert play.refused(play.answer("approve", "bo")) == "own_request"
    assert play.refused(play.answer("approve", "ana", edit={"n": 1})) == "wrong_answer"
    assert play.refused(play.answer("answer", "ana", value=3)) == "wrong_answer"


def test_a_session_that_is_cancelled_while_it_asks_for_more_is_cancelled() -> None:
    play = Play(made(f"{{steps: {{limit: 1, {REVIEW}}}}}"))
    looking(play, 1)
    play.say(play.answer("deny", "ana"))
    play.say(inputs.CancelRequested("me", play.now))
    play.claim()
    assert play.state.final


def test_a_meter_may_ask_for_more_too() -> None:
    meters = f"{{meters: {{looks: {{sum: 1, over: [pay], limit: 1, {REVIEW}}}}}}}"
    play = Play(made(meters))
    play.plan(call("a", "pay", n=1), call("b", "pay", n=2))
    play.returns("a")
    assert play.result("b") == ("blocked", "meter_full")
    play.say(play.answer("approve", "ana"))
    play.claim()
    assert play.state.limits.meters == {"looks": 3}
    play.returns("b")
    play.plan(call("c", "pay", n=3))
    play.returns("c")
    assert play.result("c") == ("ok", "")


# -- finish


def test_the_last_step_is_kept_for_a_planner_that_is_to_finish() -> None:
    play = Play(made("{steps: {limit: 3, crossing: finish}}"))
    looking(play, 1)
    looking(play, 2)
    assert play.state.finishing
    assert planner_view(play.state, play.bundle).finishing
    play.plan(call("c3", "look"), message="one more")
    assert play.result("c3") == ("blocked", "finishing")
    assert play.state.status is Status.OUT_OF_BUDGET


def test_a_planner_that_finishes_in_its_last_turn_reaches_its_outcome() -> None:
    play = Play(made("{calls: {limit: 1, crossing: finish}}"))
    play.plan(call("a", "look"), call("b", "look"))
    play.returns("a")
    assert play.state.finishing
    play.plan(done=True, message="this is what I found")
    assert (play.state.status, play.state.outcome) == (Status.DONE, "answered")


def test_a_step_is_set_aside_for_finishing_from_the_start() -> None:
    play = Play(made("{steps: 2, calls: {limit: 9, crossing: finish}}"))
    looking(play, 1)
    assert play.state.finishing
    free = Play(made("{steps: unlimited, calls: {limit: 9, crossing: finish}}"))
    looking(free, 1)
    assert not free.state.finishing


# -- tokens and cost


def asked(play: Play) -> bool:
    return any(isinstance(effect, AskPlanner) for effect in play.effects)


def plan(play: Play, number: int, tokens: int, cost: str = "0") -> None:
    raw = {"message": "", "tool_calls": [call(f"c{number}", "look", n=number)], "done": False}
    play.say(inputs.PlannerAnswered(play.state.asks, raw, play.now, Usage(tokens, Decimal(cost))))
    play.returns(f"c{number}")


def test_a_question_reserves_what_it_may_take_and_settles_what_it_took() -> None:
    play = Play(made("{model_tokens: 250}", Usage(100, Decimal("0.5"))))
    assert asked(play)
    assert (play.state.used.model_tokens, play.state.used.model_cost_usd) == (100, Decimal("0.5"))
    plan(play, 1, 40, "0.1")
    assert (play.state.used.model_tokens, play.state.used.model_cost_usd) == (140, Decimal("0.6"))
    plan(play, 2, 100, "0.1")
    assert play.state.used.model_tokens == 240 - 100 + 0 or play.state.used.model_tokens == 240
    assert play.state.used.model_tokens <= 250


@pytest.mark.parametrize(
    ("budgets", "limit"), [("{model_tokens: 150}", "model_tokens"), ("{model_cost_usd: 0.6}", "model_cost_usd")]
)
def test_a_question_that_might_go_beyond_is_not_asked(budgets: str, limit: str) -> None:
    play = Play(made(budgets, Usage(100, Decimal("0.5"))))
    plan(play, 1, 100, "0.5")
    assert play.state.status is Status.OUT_OF_BUDGET
    crossed = next(e for e in play.log if e.kind is EventKind.LIMIT_CROSSED)
    assert crossed.payload["limit"] == limit
    assert play.state.used.steps == 2


def test_what_a_question_took_whose_asker_is_gone_counts_in_full() -> None:
    play = Play(made("{model_tokens: 1000}", Usage(100)))
    play.claim()
    assert play.state.used.model_tokens == 200
    assert asked(play)
    free = Play(made("{model_tokens: unlimited, model_cost_usd: unlimited}", Usage(100)))
    assert asked(free)


def test_broken_and_failed_answers_are_counted_too() -> None:
    play = Play(made("{}", Usage(100)))
    play.say(inputs.PlannerAnswered(play.state.asks, "nonsense", play.now, Usage(30)))
    play.say(inputs.PlannerFailed(play.state.asks, "down", play.now, Usage(20)))
    assert play.state.used.model_tokens == 30 + 20 + 100
    rejected = [e.payload["usage"]["tokens"] for e in play.log if "usage" in e.payload]
    assert rejected == [30, 20]


def test_tokens_may_ask_for_more_and_the_session_goes_on() -> None:
    budgets = "{model_tokens: {limit: 150, crossing: review, extend_by: 500, reviewers: leads}}"
    play = Play(made(budgets, Usage(100)))
    plan(play, 1, 100)
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW
    play.say(play.answer("approve", "ana"))
    play.claim()
    assert asked(play)


def test_the_worst_case_counts_what_a_model_may_take() -> None:
    found = made("{model_tokens: 1000}", Usage(100))
    case = worst_case(found, found.agents["bot"])
    assert (case.tokens, case.cost_usd) == (1000, 5)


# -- limits as the log keeps them


def test_limits_come_back_from_the_log_as_they_were() -> None:
    limits = made(f"{{steps: {{limit: 2, {REVIEW}}}}}").agents["bot"].limits
    assert Limits.from_payload(limits.payload()) == limits
    old = {name: value for name, value in limits.payload().items() if name not in ("model_tokens", "extensions")}
    old["crossing"] = {"calls": "stop"}
    assert Limits.from_payload(old).crossed_by("steps") == "stop"
    assert limits.expires["budget"] == timedelta(hours=24)
