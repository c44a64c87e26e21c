"""The order of the moves has a meaning: what happens otherwise where two of them are swapped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.session.decide import transitions
from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.evolve import BrokenHistory
from engine.session.state.state import Phase, Status
from engine.spec.planner_spec import Usage
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call
from tests.session.test_client_planner import client, proposal

RETRY = (
    "retry: {attempts: 2, on: [retryable], delay: 5s, jitter: 0}\nidempotency: {key: [input.n], honoured_by: tool}\n"
)
ASK = "  - {id: ask, tools: [paid], effect: require_approval, approvers: [bosses], reason: large, message: m}"
HANDOFF = "adapter: {kind: handoff, reviewers: bosses, question: What now?}\n"


def made(budgets: str = "{}") -> Play:
    return Play(
        bundle(
            agent("[look, pay, paid, again, ask]", policies="[rules]", budgets=budgets),
            policy(f"{ALLOW}\n{ASK}"),
            reviewers("bosses", "[dana]"),
            tool("look"),
            tool("pay", "write"),
            tool("paid", "write"),
            tool("again", "write", more=RETRY),
            tool("ask", output="{type: object, properties: {text: {type: string}}}", more=HANDOFF),
        )
    )


def expired_while_waiting() -> list[str]:
    p = made("{expires: {approval: 60s}}")
    p.plan(call("a", "paid"))
    p.pass_time(60)
    return [event.kind.value for event in p.claim()[1:3]]


def broken_and_late() -> Status:
    p = made("{wall_clock: 10s, repairs: 0}")
    p.pass_time(11)
    p.plan_raw("no decision")
    return p.state.status


def cancelled_and_late() -> Status:
    p = made("{wall_clock: 10s}")
    p.say(inputs.CancelRequested("ops", p.now))
    p.tick(11)
    return p.state.status


def cancelled_while_it_was_planned() -> list[str]:
    p = made()
    p.say(inputs.CancelRequested("ops", p.now))
    p.plan(call("a", "pay"))
    return p.started()


def late_while_it_was_planned() -> list[str]:
    p = made("{wall_clock: 10s}")
    p.pass_time(11)
    p.plan(call("a", "pay"))
    return p.started()


def step_over_when_the_retry_is_due() -> int:
    p = made("{step_time: 5s}")
    p.plan(call("a", "again", n=1))
    p.fails("a", "retryable", acted=False)
    p.tick(5)
    return len(p.started())


def step_over_when_it_was_planned() -> list[str]:
    p = made("{step_time: 5s}")
    p.pass_time(6)
    p.plan(call("a", "pay"))
    return p.started()


def proposed_and_cancelled() -> list[str]:
    p = Play(client())
    p.say(proposal(p, call("a", "pay")))
    p.say(inputs.CancelRequested("ops", p.now))
    p.tick()
    return p.kinds(EventKind.CALL_PROPOSED)


def client_without_budget() -> list[str]:
    p = Play(client(budgets="{model_tokens: 100}"))
    p.say(proposal(p, call("a", "look"), usage=Usage(120, 0)))
    p.tick()
    p.returns("a")
    return [event.payload["request_kind"] for event in p.log if event.kind is EventKind.REQUEST_OPENED]


def answered_and_cancelled() -> tuple[str, str]:
    p = made()
    p.plan(call("a", "ask"))
    p.say(p.answer("answer", "dana", value={"text": "go on"}))
    p.say(inputs.CancelRequested("ops", p.now))
    p.claim()
    return p.result("a")


def cut_off_before_another_write() -> Phase:
    p = made()
    p.plan(call("a", "pay", n=1), call("b", "pay", n=2))
    assert p.running == ["a"]
    p.claim()
    return p.call("a").phase


# for each pair: what happens, and what would
PAIRS: tuple[tuple[str, str, Callable[[], object], object, object], ...] = (
    # what happens to a session that waits would be told of it while it waits
    (
        "wake",
        "expire",
        expired_while_waiting,
        ["state_transition", "request_closed"],
        ["request_closed", "tool_result"],
    ),
    # who is late and cancelled, or late and broken, would be told another end than that nobody chose
    ("cross_wall_clock", "cross_repairs", broken_and_late, Status.TIMED_OUT, Status.FAILED),
    ("cross_wall_clock", "apply_cancel", cancelled_and_late, Status.TIMED_OUT, Status.CANCELLED),
    # money would be paid by a session that was cancelled, or had no more time
    ("apply_cancel", "gate_calls", cancelled_while_it_was_planned, [], ["a"]),
    ("cross_wall_clock", "gate_calls", late_while_it_was_planned, [], ["a"]),
    ("cross_step_time", "gate_calls", step_over_when_it_was_planned, [], ["a"]),
    # an attempt would begin that is cut off at once, and nobody would know whether it acted
    ("cross_step_time", "begin_due_attempts", step_over_when_the_retry_is_due, 1, 2),
    # what a client proposed would be taken in by a session that somebody had cancelled
    ("apply_cancel", "take_proposal", proposed_and_cancelled, [], ["call_proposed"]),
    # a client would be asked what the budget does not pay for
    ("reserve_question", "ask_client", client_without_budget, ["planner"], ["planner", "planner"]),
    # what a person did would be told as if nobody had
    ("apply_answers", "finish_ending", answered_and_cancelled, ("ok", ""), ("terminal_error", "session_cancelled")),
)


def swapped(first: str, second: str) -> tuple[transitions.Move, ...]:
    """The table with two of its moves in each other's place."""
    moves = list(transitions.TRANSITIONS)
    names = [move.__name__ for move in moves]
    one, other = names.index(first), names.index(second)
    assert one < other
    moves[one], moves[other] = moves[other], moves[one]
    return tuple(moves)


@pytest.mark.parametrize(("first", "second", "play", "comes", "swapped_comes"), PAIRS, ids=lambda one: str(one)[:40])
def test_a_pair_that_is_swapped_comes_to_something_else(
    first: str,
    second: str,
    play: Callable[[], object],
    comes: object,
    swapped_comes: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert play() == comes
    table = swapped(first, second)
    monkeypatch.setattr(transitions, "TRANSITIONS", table)
    monkeypatch.setattr(transitions, "candidates", lambda state: table)
    assert play() == swapped_comes


def test_every_row_says_why_it_stands_there() -> None:
    whys = [row.why_here for row in transitions.TABLE]
    assert all(len(why.split()) > 5 for why in whys)
    assert len(set(whys)) == len(whys) == len(set(transitions.TRANSITIONS))


def test_a_cut_off_write_is_settled_before_the_next_has_its_turn() -> None:
    assert cut_off_before_another_write() is Phase.PARKED


def test_nothing_starts_on_another_input_than_the_one_that_was_judged() -> None:
    p = made()
    p.plan(call("a", "paid", n=1))
    held = p.call("a")
    p.state = replace(p.state, calls=p.state.calls.with_item("a", replace(held, input={"n": 2})))
    p.say(p.answer("approve", "dana"))
    with pytest.raises(BrokenHistory, match="another input than its digest"):
        p.claim()
