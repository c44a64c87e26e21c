"""A planner is told what is left when it has used four fifths of a limit."""

from __future__ import annotations

from engine.session.budget_notices import Notice
from engine.session.planner_view import planner_view
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.session.play import Play, call

PAY = "{type: object, properties: {usd: {type: number}}, required: [usd]}"
LIMITS = (
    "{steps: 10, calls: 5, calls_per_tool: {pay: 2}, wall_clock: 100s, repairs: unlimited, "
    "meters: {usd: {sum: input.usd, over: [pay], limit: 10}}}"
)


def play() -> Play:
    return Play(
        bundle(agent("[look, pay]", policies="[rules]", budgets=LIMITS), policy(ALLOW), tool("look"),
               tool("pay", "write", input=PAY))
    )  # fmt: skip


def test_at_the_start_there_is_nothing_to_say() -> None:
    one = play()
    assert planner_view(one.state, one.bundle).notices == ()


def test_what_is_nearly_used_up_is_told_with_what_is_left() -> None:
    one = play()
    one.plan(call("a", "pay", usd=8), *(call(f"l{n}", "look") for n in range(3)))
    for n in range(3):
        one.returns(f"l{n}")
    one.returns("a")
    assert planner_view(one.state, one.bundle).notices == (Notice("calls", 4, 5, 1), Notice("meters.usd", 8, 10, 2))


def test_time_is_told_in_seconds() -> None:
    one = play()
    one.plan(call("a", "look"))
    one.pass_time(59)
    one.returns("a")
    assert planner_view(one.state, one.bundle).notices == ()
    one.plan(call("b", "look"))
    one.pass_time(31)
    one.returns("b")
    assert planner_view(one.state, one.bundle).notices == (Notice("wall_clock", 90, 100, 10),)
