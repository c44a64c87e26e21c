"""Limits: what is beyond one never starts, and each crossing does what it declares."""

from __future__ import annotations

import pytest

from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.pending import wake_at
from engine.session.state.state import Phase, Status
from engine.spec.bundle import Bundle
from engine.spec.limits import Limits
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call


def made(budgets: str, *, facts: bool = False) -> Bundle:
    rules = ALLOW
    more = {}
    if facts:
        rules = "  - {id: open, tools: writes, effect: allow, when: seen_.ok == true and (now > now or true)}"
        more = {"facts": "{seen_: {tool: look, input: {n: input.n}}}"}
    return bundle(
        agent("[look, peek, write, honoured]", policies="[rules]", budgets=budgets),
        policy(rules, **more),
        tool("look", output="{type: object, properties: {ok: {type: boolean}}}", more="on_failure: cancel_siblings"),
        tool("peek"),
        tool("write", "write", more="on_failure: cancel_siblings"),
        tool("honoured", "write", more="idempotency: {key: [input.n], honoured_by: tool}"),
    )


def test_limits_come_back_from_the_log_as_they_were() -> None:
    limits = (
        made("{steps: unlimited, wall_clock: unlimited, calls_per_tool: {write: 1, other: 3}}").agents["bot"].limits
    )
    assert Limits.from_payload(limits.payload()) == limits
    assert limits.per_tool("write") == 1
    assert limits.per_tool("look") == 3
    assert limits.steps is None


def test_calls_beyond_the_limit_of_one_decision_never_start() -> None:
    play = Play(made("{calls_per_step: 2}"))
    play.plan(*(call(f"c{n}", "look", n=n) for n in range(4)))
    assert play.running == ["c0", "c1"]
    assert play.result("c3") == ("blocked", "limit_of_calls")
    assert play.state.used.calls == 2


def test_a_limit_per_tool_lets_the_first_run_and_blocks_the_second() -> None:
    play = Play(made("{calls_per_tool: {write: 1}}"))
    play.plan(call("a", "write", n=1), call("b", "write", n=2))
    assert play.running == ["a"]
    assert play.result("b") == ("blocked", "limit_of_calls")
    play.returns("a")
    assert not play.state.final


@pytest.mark.parametrize(
    "budgets", ["{calls: 2}", "{calls_per_step: {limit: 2, crossing: stop}}", "{calls: {limit: 2, crossing: stop}}"]
)
def test_a_limit_that_stops_ends_the_session_when_the_step_is_over(budgets: str) -> None:
    play = Play(made(budgets))
    play.plan(*(call(f"c{n}", "look", n=n) for n in range(3)))
    assert not play.state.final
    play.returns("c0")
    play.returns("c1")
    assert play.state.status is Status.OUT_OF_BUDGET


def test_a_limit_in_all_that_only_blocks_lets_the_session_go_on() -> None:
    play = Play(made("{calls: {limit: 1, crossing: block}}"))
    play.plan(call("a", "look"), call("b", "look"))
    play.returns("a")
    assert not play.state.final
    assert play.result("b") == ("blocked", "limit_of_calls")


def test_a_call_that_never_started_gives_back_what_it_reserved() -> None:
    play = Play(made("{}"))
    play.plan(call("w", "write"), call("x", "write", n=2))
    play.fails("w", acted=False)
    assert play.state.used.calls == 1
    assert play.state.used.calls_per_tool == {"write": 1}


def test_steps_used_up_end_the_session() -> None:
    play = Play(made("{steps: 2}"))
    for n in range(2):
        play.plan(call(f"c{n}", "look"))
        play.returns(f"c{n}")
    assert play.state.status is Status.OUT_OF_BUDGET
    assert play.state.used.steps == 2


def test_the_wall_clock_counts_only_while_the_session_runs() -> None:
    play = Play(made("{wall_clock: 10s}"))
    play.plan(message="Which?")
    play.pass_time(1000)
    play.say(inputs.MessageSent("this", play.now))
    play.claim()
    assert not play.state.final
    play.plan(call("a", "look"))
    play.tick(9)
    assert not play.state.final
    assert wake_at(play.state) is not None
    play.tick(1)
    assert play.call("a").cancelled == "session_ended"
    assert play.effects == ()
    play.fails("a", "cancelled")
    assert play.state.status is Status.TIMED_OUT


def test_a_tick_before_its_time_says_nothing() -> None:
    play = Play(made("{wall_clock: 10s}"))
    assert play.tick(1) == []


def test_without_a_driver_or_limits_nothing_is_to_be_woken() -> None:
    play = Play(made("{wall_clock: unlimited, step_time: unlimited}"))
    assert wake_at(play.state) is None
    play.plan(message="Which?")
    assert wake_at(play.state) is None


def test_the_step_deadline_cancels_what_runs_and_the_planner_goes_on() -> None:
    play = Play(made("{step_time: 5s, concurrency: 1}"))
    play.plan(call("first", "look"), call("a", "look"), call("b", "look"), call("w", "write"))
    play.returns("first")
    play.tick(5)
    assert play.call("a").cancelled == "step_deadline"
    assert play.result("b") == ("blocked", "step_deadline")
    assert play.result("w") == ("blocked", "step_deadline")
    play.fails("a", "cancelled")
    assert play.result("a") == ("terminal_error", "step_deadline")
    assert play.state.step == 2
    assert not play.state.final


def test_the_step_deadline_also_ends_a_planner_that_does_not_answer() -> None:
    play = Play(made("{step_time: 5s, steps: 2}"))
    play.tick(5)
    assert play.state.step == 2
    assert play.state.asks == 2
    play.tick(5)
    assert play.state.status is Status.OUT_OF_BUDGET


def test_a_write_cut_off_by_the_step_deadline_is_unknown_whoever_honours_its_key() -> None:
    play = Play(made("{step_time: 5s}"))
    play.plan(call("w", "write"))
    play.tick(5)
    play.fails("w", "cancelled")
    assert play.result("w") == ("unknown", "step_deadline")
    other = Play(made("{step_time: 5s}"))
    other.plan(call("h", "honoured", n=1))
    other.tick(5)
    other.fails("h", "cancelled")
    assert other.result("h") == ("unknown", "step_deadline")


def test_a_result_that_comes_although_its_call_was_cancelled_is_kept() -> None:
    play = Play(made("{step_time: 5s}"))
    play.plan(call("w", "write"))
    play.tick(5)
    play.returns("w")
    assert play.result("w") == ("ok", "")


def test_concurrency_queues_and_never_crosses() -> None:
    play = Play(made("{concurrency: 2}"))
    play.plan(*(call(f"c{n}", "look", n=n) for n in range(4)))
    assert play.running == ["c0", "c1"]
    play.returns("c0")
    assert play.running == ["c1", "c2"]
    assert EventKind.LIMIT_CROSSED not in [e.kind for e in play.log]
    behind = [e.payload["behind"] for e in play.log if e.kind is EventKind.GATE_PENDING]
    assert behind == ["concurrency", "concurrency"]


def test_fact_reads_beyond_the_limit_are_unreadable_and_fail_closed() -> None:
    play = Play(made("{fact_reads: 1}", facts=True))
    play.plan(call("a", "write", n=1))
    play.read({"ok": True})
    play.returns("a")
    play.plan(call("b", "write", n=2))
    assert play.reading == []
    assert play.result("b")[0] == "blocked"
    assert "fact_reads" in play.state.crossed


def test_fact_reads_beyond_a_limit_that_stops_end_the_session() -> None:
    play = Play(made("{fact_reads: {limit: 0, crossing: stop}}", facts=True))
    play.plan(call("a", "write", n=1))
    assert play.state.status is Status.OUT_OF_BUDGET
    assert play.started() == []


def test_repairs_used_up_fail_the_session_and_what_was_proposed_beside_never_starts() -> None:
    play = Play(made("{repairs: 0}"))
    play.plan(call("a", "nothing"), call("b", "look"))
    assert play.state.status is Status.FAILED
    assert play.started() == []
    assert play.result("b") == ("blocked", "session_ended")


def test_a_failing_call_cancels_the_reads_beside_it_and_finished_ones_keep_their_results() -> None:
    play = Play(made("{concurrency: 3}"))
    play.plan(call("a", "look"), call("b", "peek"), call("c", "peek"), call("d", "peek"), call("w", "write"))
    play.returns("b")
    play.fails("a")
    assert play.result("b") == ("ok", "")
    assert play.call("c").cancelled == "sibling_failed"
    assert play.call("d").cancelled == "sibling_failed" or play.result("d") == ("blocked", "sibling_failed")
    assert play.running == []
    play.fails("c", "cancelled")
    assert play.result("c") == ("terminal_error", "sibling_failed")


def test_a_read_that_was_not_started_yet_is_blocked_with_its_failed_sibling() -> None:
    play = Play(made("{concurrency: 1}"))
    play.plan(call("a", "look"), call("b", "peek"))
    play.returns("a", "not an object")
    assert play.result("b") == ("blocked", "sibling_failed")


def test_a_write_that_fails_leaves_finished_reads_alone() -> None:
    play = Play(made("{}"))
    play.plan(call("b", "peek"), call("w", "write"))
    play.returns("b")
    play.fails("w", "timeout")
    assert play.result("b") == ("ok", "")


def test_cancelling_gives_running_calls_their_grace() -> None:
    play = Play(made("{grace: 2s}"))
    play.plan(call("a", "peek"), call("w", "write"))
    play.say(inputs.CancelRequested("me", play.now))
    play.tick()
    assert play.result("w") == ("blocked", "session_cancelled")
    assert play.running == ["a"]
    play.tick(1)
    assert play.call("a").cancelled is None
    play.tick(1)
    assert play.call("a").cancelled == "session_cancelled"
    play.fails("a", "cancelled")
    assert play.state.status is Status.CANCELLED


def test_a_call_that_ends_within_the_grace_keeps_its_result() -> None:
    play = Play(made("{grace: 2s}"))
    play.plan(call("a", "peek"))
    play.say(inputs.CancelRequested("me", play.now))
    play.tick()
    play.returns("a")
    assert play.result("a") == ("ok", "")
    assert play.state.status is Status.CANCELLED


@pytest.mark.parametrize(("name", "status"), [("peek", None), ("honoured", None), ("write", ("unknown", "cut_off"))])
def test_a_call_that_was_cut_off_runs_again_only_where_that_is_safe(name: str, status: tuple[str, str] | None) -> None:
    play = Play(made("{}"))
    play.plan(call("a", name, n=1))
    play.claim()
    if status is None:
        assert play.running == ["a"]
        assert play.call("a").attempt == 2
        assert play.started() == ["a", "a"]
    else:
        assert play.result("a") == status
        assert play.started() == ["a"]


def test_a_call_cut_off_while_its_session_is_cancelled_is_not_run_again() -> None:
    play = Play(made("{}"))
    play.plan(call("a", "peek"), call("b", "peek"))
    play.say(inputs.CancelRequested("me", play.now))
    play.tick()
    play.claim()
    assert play.result("a") == ("terminal_error", "session_cancelled")
    assert play.state.status is Status.CANCELLED


def test_a_call_cut_off_after_it_was_cancelled_ends_as_cancelled() -> None:
    play = Play(made("{step_time: 5s}"))
    play.plan(call("a", "peek"))
    play.tick(5)
    play.claim()
    assert play.result("a") == ("terminal_error", "step_deadline")


def test_letting_go_ends_nothing() -> None:
    play = Play(made("{}"))
    play.plan(call("a", "peek"))
    play.say(inputs.SessionReleased("me", play.now))
    assert play.state.owner is None
    assert play.state.status is Status.RUNNING
    play.claim()
    assert play.running == ["a"]


def test_facts_of_several_calls_that_are_equal_are_read_once() -> None:
    rules = "  - {id: sober, tools: [look, peek], effect: deny, when: about.ok}"
    play = Play(
        bundle(
            agent("[look, peek]", policies="[rules]"),
            policy(rules, facts="{about: {tool: state, input: {n: 1}}}"),
            tool("look"),
            tool("peek"),
            tool("state", output="{type: object, properties: {ok: {type: boolean}}, required: [ok]}"),
        )
    )
    play.plan(call("a", "look"), call("b", "peek"))
    assert play.reading == ["state"]
    assert play.call("b").phase is Phase.GATING
    first = play.effects[0]
    play.say(inputs.FactReturned("other", 99, {"ok": False}, play.now, play.now))
    play.say(inputs.FactFailed("other", 99, "late", play.now, play.now))
    assert play.effects[0] == first
    play.read({"ok": False})
    assert play.running == ["a", "b"]
    assert play.state.used.fact_reads == 1


def test_a_fact_within_its_age_is_used_again_and_an_older_one_is_read_anew() -> None:
    rules = "  - {id: sober, tools: [look], effect: deny, when: about.ok}"
    play = Play(
        bundle(
            agent("[look]", policies="[rules]", budgets="{step_time: unlimited}"),
            policy(rules, facts="{about: {tool: state, input: {n: 1}, max_age: 60s}}"),
            tool("look"),
            tool("state", output="{type: object, properties: {ok: {type: boolean}}, required: [ok]}"),
        )
    )
    play.plan(call("a", "look"))
    play.read({"ok": False})
    play.returns("a")
    play.plan(call("b", "look"))
    assert play.running == ["b"]
    play.returns("b")
    play.pass_time(61)
    play.plan(call("c", "look"))
    assert play.reading == ["state"]
    play.read(problem="the line is down")
    assert play.result("c") == ("blocked", "policy_error")


def test_a_fact_whose_output_does_not_fit_is_unreadable() -> None:
    rules = "  - {id: sober, tools: [look], effect: deny, when: about.ok, message: 'x'}"
    play = Play(
        bundle(
            agent("[look]", policies="[rules]"),
            policy(rules, facts="{about: {tool: state, input: {n: 1}}}"),
            tool("look"),
            tool("state", output="{type: object, properties: {ok: {type: boolean}}, required: [ok]}"),
        )
    )
    play.plan(call("a", "look"))
    play.read({"ok": "maybe"})
    assert play.result("a") == ("blocked", "policy_error")


OK_FACT = "{type: object, properties: {ok: {type: boolean}}, required: [ok]}"


def with_facts(count: int, budgets: str = "{}") -> Bundle:
    facts = ", ".join(f"f{n}: {{tool: state, input: {{n: {n}}}, max_age: 60s}}" for n in range(count))
    condition = " and ".join(f"f{n}.ok" for n in range(count))
    return bundle(
        agent("[look, write]", policies="[rules]", budgets=budgets),
        policy(f"  - {{id: open, tools: writes, effect: allow, when: {condition}}}", facts=f"{{{facts}}}"),
        tool("look"),
        tool("write", "write"),
        tool("state", output=OK_FACT),
    )


def test_facts_that_an_earlier_driver_read_long_ago_are_read_anew() -> None:
    play = Play(with_facts(2, "{wall_clock: unlimited, step_time: unlimited}"))
    play.plan(call("w", "write"))
    assert len(play.reading) == 2
    first = play.effects[0]
    play.say(inputs.FactReturned(first.fact_key, first.gate, {"ok": True}, play.now, play.now))  # type: ignore[union-attr]
    play.pass_time(3 * 24 * 3600)
    play.claim()
    assert len(play.reading) == 2
    play.read({"ok": True})
    assert play.running == ["w"]


def test_a_call_whose_facts_are_read_keeps_its_place_and_starts_on_them() -> None:
    rules = "  - {id: sober, tools: [look, peek], effect: deny, when: not about.ok}"
    play = Play(
        bundle(
            agent("[look, peek]", policies="[rules]", budgets="{concurrency: 1}"),
            policy(rules, facts="{about: {tool: state, input: {n: input.n}}}"),
            tool("look"),
            tool("peek"),
            tool("state", output=OK_FACT),
        )
    )
    play.plan(call("a", "look", n=1), call("b", "peek", n=2))
    assert len(play.reading) == 1
    play.read({"ok": True}, until=1)
    assert play.running == ["a"]
    assert play.reading == [], "the second waits for its place before it reads"
    play.returns("a")
    play.read({"ok": True})
    assert play.running == ["b"]


def test_a_limit_of_facts_that_stops_lets_running_calls_end_first() -> None:
    play = Play(made("{fact_reads: {limit: 0, crossing: stop}}", facts=True))
    play.plan(call("a", "look"), call("w", "write", n=1))
    assert play.running == ["a"]
    play.returns("a")
    assert play.state.status is Status.OUT_OF_BUDGET
    assert play.started() == ["a"]


def test_each_limit_of_calls_that_stops_does_so_whatever_the_others_do() -> None:
    play = Play(made("{calls: {limit: 9, crossing: block}, calls_per_step: {limit: 1, crossing: stop}}"))
    play.plan(call("a", "peek"), call("b", "peek"))
    play.returns("a")
    assert play.state.status is Status.OUT_OF_BUDGET


def test_a_key_that_was_taken_is_asked_of_the_store_again_by_the_next_driver() -> None:
    play = Play(made("{}"))
    play.say(inputs.KeyTaken('["acme","honoured","python:"]:[1]', "in_flight", None, "other", play.now))
    play.claim()
    play.plan(call("h", "honoured", n=1))
    assert play.running == ["h"]


def test_a_message_that_came_meanwhile_keeps_an_outcome_of_the_step_from_ending_the_session() -> None:
    stops = (
        "stop:\n  - {outcome: early, when: len(calls.look) > 0, on: step, message: bye}\n"
        "  - {outcome: answered, message: bye}\n"
    )
    play = Play(bundle(agent("[look]", more=stops), tool("look")))
    play.plan(call("a", "look"))
    play.say(inputs.MessageSent("one more", play.now))
    play.returns("a")
    assert not play.state.final
    play.plan(call("b", "look"))
    play.returns("b")
    assert play.state.outcome == "early"


def test_the_time_of_a_step_begins_anew_after_people_were_waited_for() -> None:
    made_ = bundle(
        agent("[peek, write]", policies="[rules]", budgets="{step_time: 10s}"),
        policy(
            "  - {id: open, tools: writes, effect: allow}\n"
            "  - {id: ask, tools: writes, effect: require_approval, approvers: [leads]}"
        ),
        tool("peek"),
        tool("write", "write"),
        reviewers("leads", "[ana]"),
    )
    play = Play(made_)
    play.plan(call("a", "peek"), call("w", "write"))
    play.tick(9)
    play.returns("a")
    play.say(play.answer("approve", "ana"))
    play.claim()
    assert play.running == ["w"]
    play.tick(9)
    assert play.call("w").cancelled is None
    play.tick(1)
    assert play.call("w").cancelled == "step_deadline"


def test_a_cancelled_write_that_never_acted_is_no_unknown() -> None:
    play = Play(made("{step_time: 5s}"))
    play.plan(call("w", "write"))
    play.tick(5)
    play.fails("w", "cancelled", acted=False)
    assert play.result("w") == ("terminal_error", "step_deadline")


def test_an_answer_that_was_lost_leaves_a_write_unknown() -> None:
    play = Play(made("{}"))
    play.plan(call("w", "write"))
    play.fails("w", "lost")
    assert play.result("w") == ("unknown", "lost")


def test_a_key_that_nobody_could_settle_blocks_and_says_so() -> None:
    play = Play(made("{}"))
    play.say(inputs.KeyTaken('["acme","honoured","python:"]:[1]', "unknown", None, "other", play.now))
    play.plan(call("h", "honoured", n=1))
    assert play.result("h") == ("blocked", "idempotency_unknown")
