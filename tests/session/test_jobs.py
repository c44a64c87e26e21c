"""Jobs on the pure core: handed over in their step, judged again when a worker has them, told of in a new step."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.session.decide.decide import decide, decide_job_draft
from engine.session.expression_names import planner_names
from engine.session.state import inputs
from engine.session.state.effects import ReadFact
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import fold
from engine.session.state.pending import pending_job
from engine.session.state.state import Phase, Status
from engine.spec.bundle import Bundle
from engine.spec.retry import FailureKind
from tests.bundle_texts import agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

STATE = "{type: object, properties: {ok: {type: boolean}, ask: {type: boolean}}, required: [ok, ask]}"
RETRY = "retry: {attempts: 2, on: [retryable], delay: 5s, jitter: 0}\n"
KEY = "idempotency: {key: [input.n], honoured_by: tool}\n"


def made(budgets: str = "{}") -> Bundle:
    return bundle(
        agent("[look, write, report, paid, plain]", policies="[rules]", budgets=budgets),
        policy(
            "  - {id: open, tools: writes, effect: allow, when: fact.ok}\n"
            "  - {id: ask, tools: [paid], effect: require_approval, when: fact.ask, approvers: [leads]}",
            facts="{fact: {tool: state, input: {n: 1}}}",
        ),
        tool("look"),
        tool("state", output=STATE),
        tool("write", "write"),
        tool("report", more="mode: job\n" + RETRY),
        tool("paid", "write", more="mode: job\ndelay: 5s\n" + KEY + RETRY),
        tool("plain", "write", more="mode: job\n"),
        reviewers("leads", "[ana]"),
    )


class Jobs(Play):
    """A session, and a worker beside it."""

    def work(self, call_id: str, reply: Any) -> list[Event]:
        draft = decide_job_draft(self.state, call_id, reply, self.bundle)
        self.log += draft.events
        if draft.events:
            self.state = draft.state
        assert fold(self.log) == self.state
        return list(draft.events)

    def lease(self, call_id: str, epoch: int = 1) -> None:
        self.work(call_id, inputs.JobLeased(call_id, "w", epoch, self.now))

    def facts(self, call_id: str, ok: bool = True, ask: bool = False) -> None:
        for effect in pending_job(self.state, self.bundle, call_id):
            if isinstance(effect, ReadFact):
                output = {"ok": ok, "ask": ask}
                self.work(call_id, inputs.FactReturned(effect.fact_key, effect.gate, output, self.now, self.now))

    def ends(self, call_id: str, output: Any = None) -> None:
        self.work(call_id, inputs.ToolReturned(call_id, self.call(call_id).attempt, output or {}, self.now))

    def fails(self, call_id: str, how: str = "retryable", acted: bool = False) -> None:  # type: ignore[override]
        attempt = self.call(call_id).attempt
        self.work(
            call_id, inputs.ToolFailed(call_id, attempt, FailureKind(how), "busy", "busy", acted, self.now, Decimal(0))
        )


def with_report(**more: Any) -> Jobs:
    play = Jobs(made(**more))
    play.plan(call("j", "report", n=1))
    return play


def with_write(name: str = "paid", ask: bool = False, **more: Any) -> Jobs:
    play = Jobs(made(**more))
    play.plan(call("j", name, n=1))
    answer_facts(play, ask=ask)
    return play


def answer_facts(play: Jobs, ask: bool = False) -> None:
    play.read({"ok": True, "ask": ask})


def result(play: Play, call_id: str = "j") -> tuple[str, str]:
    found = play.call(call_id).result
    assert found is not None
    return found.status, found.reason


# -- handing over


def test_the_step_ends_at_the_hand_off_and_the_session_parks() -> None:
    play = with_report()
    assert [e.kind for e in play.log[-3:]] == [EventKind.JOB_ENQUEUED, EventKind.STEP_ENDED, EventKind.STATE_TRANSITION]
    assert play.state.status is Status.AWAITING_JOB
    assert play.state.waiting_for == ("job:j",)
    assert not play.effects
    assert play.call("j").phase is Phase.ENQUEUED


def test_a_job_takes_its_key_and_its_time_when_it_is_handed_over() -> None:
    play = with_write()
    enqueued = next(e for e in play.log if e.kind is EventKind.JOB_ENQUEUED)
    assert enqueued.payload["idempotency_key"] == "[1]"
    assert enqueued.payload["run_at"] == "2026-01-01T09:00:05.000000Z"


def test_what_comes_behind_a_job_in_the_same_step_would_overtake_it() -> None:
    play = Jobs(made())
    play.plan(call("j", "plain", n=1), call("w", "write", n=1), call("l", "look", n=1))
    play.returns("l")
    answer_facts(play)
    assert result(play, "w") == ("blocked", "earlier_write_not_done")
    assert play.state.status is Status.AWAITING_JOB


def test_a_write_of_the_step_may_follow_a_read_that_was_handed_over() -> None:
    play = Jobs(made())
    play.plan(call("j", "report", n=1), call("w", "write", n=1))
    answer_facts(play)
    play.returns("w")
    assert result(play, "w") == ("ok", "")
    assert play.state.status is Status.AWAITING_JOB


# -- working


def test_a_job_is_judged_again_and_its_result_opens_a_new_step() -> None:
    play = with_write()
    play.lease("j")
    play.facts("j")
    assert play.call("j").phase is Phase.STARTED
    assert [e.key for e in pending_job(play.state, play.bundle, "j")] == ["call:j:1"]
    assert not play.effects, "a worker's run is none of the driver's"
    play.ends("j")
    ended = play.log[-1]
    assert ended.kind is EventKind.STATE_TRANSITION
    assert play.state.status is Status.RUNNING
    play.claim()
    assert play.log[-1].kind is EventKind.STEP_STARTED
    assert not pending_job(play.state, play.bundle, "j")


def test_a_job_that_is_not_allowed_any_more_never_runs() -> None:
    play = with_write()
    play.lease("j")
    play.facts("j", ok=False)
    assert result(play) == ("blocked", "no_rule_allows")
    assert not [e for e in play.log if e.kind is EventKind.CALL_STARTED]


def test_a_job_that_has_to_be_asked_about_goes_back_and_is_handed_over_again_behind_the_yes() -> None:
    play = with_write()
    play.lease("j")
    play.facts("j", ask=True)
    assert play.call("j").phase is Phase.HELD
    play.claim()
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW
    play.say(inputs.RequestAnswered("s1.1", "approve", "ana", "", None, None, play.now))
    play.claim()
    assert play.call("j").phase is Phase.ENQUEUED
    play.lease("j", 2)
    play.facts("j", ask=True)
    assert play.call("j").phase is Phase.STARTED


def test_a_job_that_is_denied_when_it_is_asked_about_ends_and_the_planner_is_told() -> None:
    play = with_write()
    play.lease("j")
    play.facts("j", ask=True)
    play.claim()
    play.say(inputs.RequestAnswered("s1.1", "deny", "ana", "no", None, None, play.now))
    play.claim()
    assert result(play) == ("blocked", "denied_by_reviewer")
    assert play.log[-1].kind is EventKind.STEP_STARTED


def test_a_failed_attempt_goes_back_to_the_queue_with_its_time() -> None:
    play = with_report()
    play.lease("j")
    play.fails("j")
    assert play.call("j").phase is Phase.RETRYING
    assert play.state.status is Status.AWAITING_JOB
    assert not play.state.retrying_calls(), "its driver does not wait for it"
    play.now += timedelta(seconds=5)
    play.lease("j", 2)
    assert play.call("j").attempt == 2
    play.fails("j")
    assert result(play) == ("retryable_error", "busy")


@pytest.mark.parametrize(
    ("name", "how"), [("report", ("again", "")), ("paid", ("again", "")), ("plain", ("unknown", "cut_off"))]
)
def test_a_job_whose_worker_died_goes_on_only_where_that_is_safe(name: str, how: tuple[str, str]) -> None:
    play = with_report() if name == "report" else with_write(name)
    play.lease("j")
    play.facts("j")
    assert play.call("j").phase is Phase.STARTED
    play.lease("j", 2)
    play.facts("j")
    if how[0] == "again":
        assert play.call("j").attempt == 2
    else:
        assert result(play) == how
        assert play.state.open_requests()[0].kind == "settle"


def test_a_job_that_kills_every_worker_is_given_up_by_the_ledger() -> None:
    play = with_report(budgets="{retries_per_call: 2}")
    for epoch in range(1, 5):
        play.lease("j", epoch)
    assert result(play) == ("terminal_error", "cut_off")
    assert play.call("j").attempt == 3


@pytest.mark.parametrize(
    ("name", "acted", "comes"),
    [("report", True, Phase.ENQUEUED), ("paid", True, Phase.ENQUEUED), ("plain", False, Phase.ENQUEUED),
     ("plain", True, Phase.PARKED)],
)  # fmt: skip
def test_a_worker_that_lets_go_gives_the_job_back_unless_it_may_have_acted(
    name: str, acted: bool, comes: Phase
) -> None:
    play = with_report() if name == "report" else with_write(name)
    play.lease("j")
    play.facts("j")
    play.work("j", inputs.JobReleased("j", acted, play.now))
    assert play.call("j").phase is comes
    assert not play.work("j", inputs.JobReleased("j", acted, play.now))


# -- a session that is over, or has news


def test_a_waiting_job_of_a_cancelled_session_never_runs() -> None:
    play = with_report()
    play.say(inputs.CancelRequested("me", play.now))
    play.claim()
    assert play.state.status is Status.CANCELLED
    assert result(play) == ("blocked", "session_cancelled")
    assert not play.work("j", inputs.JobLeased("j", "w", 1, play.now))


@pytest.mark.parametrize("how", ["lease", "release"])
def test_a_running_job_of_a_cancelled_session_is_cut_off_by_its_worker(how: str) -> None:
    play = with_report()
    play.lease("j")
    play.say(inputs.CancelRequested("me", play.now))
    play.claim()
    assert play.state.status is Status.CANCELLED
    assert play.call("j").cancelled == "session_cancelled"
    assert not pending_job(play.state, play.bundle, "j")
    if how == "lease":
        play.lease("j", 2)
    else:
        play.work("j", inputs.JobReleased("j", True, play.now))
    assert result(play) == ("terminal_error", "session_cancelled")


def test_a_job_that_is_being_judged_when_its_session_ends_does_not_start() -> None:
    play = with_write()
    play.lease("j")
    play.say(inputs.CancelRequested("me", play.now))
    play.claim()
    play.facts("j")
    assert result(play) == ("blocked", "session_ended")


def test_a_job_of_a_session_that_is_done_is_recorded_and_nothing_is_planned() -> None:
    play = with_write()
    play.say(inputs.MessageSent("enough", play.now))
    play.lease("j")
    play.facts("j")
    play.claim()
    play.plan(done=True, message="bye")
    play.ends("j")
    assert play.state.status is Status.RUNNING or play.state.final


def over(ask: bool = False) -> Jobs:
    play = Jobs(made())
    play.plan(call("j", "paid", n=1))
    answer_facts(play)
    play.lease("j")
    play.facts("j")
    play.fails("j", "error")
    play.claim()
    play.plan(done=True, message="bye")
    assert play.state.status is Status.DONE
    return play


def test_a_dead_job_may_be_tried_again_after_its_session_and_only_its_result_is_recorded() -> None:
    play = over()
    assert result(play) == ("terminal_error", "busy")
    play.say(inputs.JobRetryRequested("j", "ana", play.now))
    assert play.call("j~1").phase is Phase.ENQUEUED
    assert play.refused(inputs.JobRetryRequested("j", "ana", play.now)) == "already_retried"
    play.lease("j~1")
    play.facts("j~1")
    play.ends("j~1")
    assert result(play, "j~1") == ("ok", "")
    assert play.log[-1].kind is EventKind.TOOL_RESULT


def test_a_job_that_was_done_when_it_was_tried_again_is_not_tried_once_more() -> None:
    play = over()
    play.say(inputs.JobRetryRequested("j", "ana", play.now))
    play.lease("j~1")
    play.facts("j~1")
    play.ends("j~1")
    assert play.refused(inputs.JobRetryRequested("j", "bob", play.now)) == "already_done"


def test_a_job_of_which_nobody_knows_is_not_tried_again_before_somebody_says_so() -> None:
    play = unknown_job()
    assert play.refused(inputs.JobRetryRequested("j", "ana", play.now)) == "not_dead"
    play.pass_time(25 * 3600)
    play.claim()
    assert result(play) == ("unknown", "never_settled")
    assert play.refused(inputs.JobRetryRequested("j", "ana", play.now)) == "unknown"
    (request,) = play.state.requests.values()
    play.say(inputs.RequestAnswered(request.id, "answer", "ana", "", "did_not_happen", None, play.now))
    play.say(inputs.JobRetryRequested("j", "ana", play.now))
    assert play.call("j~1").phase is Phase.ENQUEUED


def unknown_job() -> Jobs:
    """A job whose worker is gone, and a write of it may have happened."""
    play = with_write("plain")
    play.lease("j")
    play.facts("j")
    play.lease("j", 2)
    return play


def test_a_planner_is_not_asked_while_nobody_knows_what_became_of_a_job() -> None:
    play = unknown_job()
    steps = play.state.step
    play.claim()
    assert (play.state.status, play.state.step) == (Status.AWAITING_HUMAN_REVIEW, steps)
    # if the customer says something, the planner sees what the job has come to so far
    play.say(inputs.MessageSent("and?", play.now))
    play.claim()
    results = planner_names(play.state, play.bundle, None)["results"]["plain"]
    assert [one["status"] for one in results] == ["unknown"]
    play.say(play.answer("answer", "ana", value="did_not_happen"))
    play.claim()
    assert play.state.step == steps + 1
    assert play.log[-1].kind is EventKind.STEP_STARTED


def test_nobody_is_asked_about_a_job_of_a_session_that_is_over() -> None:
    play = over()
    play.say(inputs.JobRetryRequested("j", "ana", play.now))
    play.lease("j~1")
    play.facts("j~1", ask=True)
    assert result(play, "j~1") == ("blocked", "asked_after_end")
    assert not play.state.open_requests()


def test_what_is_no_dead_job_is_not_tried_again() -> None:
    play = with_report()
    assert play.refused(inputs.JobRetryRequested("x", "ana", play.now)) == "no_such_job"
    assert play.refused(inputs.JobRetryRequested("j", "ana", play.now)) == "not_dead"


def test_a_job_is_given_up_while_it_waits_or_when_it_is_dead() -> None:
    play = with_report()
    assert play.refused(inputs.JobDiscardRequested("x", "ana", play.now)) == "no_such_job"
    play.say(inputs.JobDiscardRequested("j", "ana", play.now))
    assert result(play) == ("terminal_error", "discarded")
    assert play.state.status is Status.RUNNING
    dead = over()
    dead.say(inputs.JobDiscardRequested("j", "ana", dead.now))
    assert dead.log[-1].kind is EventKind.JOB_DISCARDED
    retried = over()
    retried.say(inputs.JobRetryRequested("j", "ana", retried.now))
    retried.say(inputs.JobDiscardRequested("j~1", "ana", retried.now))
    assert result(retried, "j~1") == ("terminal_error", "discarded")


def test_a_job_that_runs_or_is_done_is_not_given_up() -> None:
    play = with_report()
    play.lease("j")
    assert play.refused(inputs.JobDiscardRequested("j", "ana", play.now)) == "running"
    play.ends("j")
    assert play.refused(inputs.JobDiscardRequested("j", "ana", play.now)) == "done"


def test_a_full_meter_refuses_to_try_a_job_again() -> None:
    meters = "{meters: {paid: {sum: 1, over: [paid], limit: 1}}}"
    play = Jobs(made(budgets=meters))
    play.plan(call("j", "paid", n=1))
    answer_facts(play)
    play.lease("j")
    play.facts("j")
    play.fails("j", "error")
    play.claim()
    play.plan(call("k", "paid", n=1))
    answer_facts(play)
    play.lease("k")
    play.facts("k")
    play.ends("k")
    assert play.refused(inputs.JobRetryRequested("j", "ana", play.now)) == "meter_full"


def test_a_message_while_a_job_runs_opens_a_step_after_the_job_only() -> None:
    play = with_report()
    play.say(inputs.MessageSent("and?", play.now))
    play.claim()
    assert play.state.status is Status.AWAITING_JOB
    play.lease("j")
    play.ends("j")
    play.claim()
    assert play.log[-1].kind is EventKind.STEP_STARTED


def test_a_reply_beside_a_job_waits_for_both() -> None:
    play = with_report()
    play.lease("j")
    play.ends("j")
    play.claim()
    play.plan(call("k", "report", n=2))
    play.lease("k")
    play.say(inputs.MessageSent("hello?", play.now))
    play.ends("k")
    play.claim()
    play.plan(message="still there?")
    assert play.state.status is Status.AWAITING_MESSAGE


def test_a_result_that_comes_while_a_step_runs_opens_another_before_the_stop_rules() -> None:
    play = Jobs(made())
    play.plan(call("j", "report", n=1), call("l", "look", n=1))
    play.lease("j")
    play.ends("j")
    assert play.state.news
    play.returns("l")
    assert play.state.step == 2
    assert isinstance(decide(play.state, inputs.TimePassed(play.now), play.bundle), tuple)
