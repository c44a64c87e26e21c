"""A write whose answer did not come may have acted, whoever honours its key, and whatever became of it afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.state import Phase, Status
from engine.spec.bundle import Bundle
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.session.play import Play, call
from tests.session.test_jobs import with_write

PAY = "{type: object, properties: {usd: {type: number}, n: {type: integer}}, required: [usd, n]}"
RETRY = "retry: {attempts: 3, on: [retryable, timeout, lost], delay: 1s, jitter: 0}\n"
PAID = "{type: object, properties: {paid: {type: boolean}}}"


def made(
    probe: str = "",
    retry: str = RETRY,
    budgets: str = "{meters: {usd: {sum: input.usd, over: [pay], limit: 100}}, step_time: 60s}",
) -> Bundle:
    return bundle(
        agent("[pay, look]", policies="[rules]", budgets=budgets),
        policy(ALLOW),
        tool("pay", "write", input=PAY, more="idempotency: {key: [input.n], honoured_by: tool}\n" + retry + probe),
        tool("look", output=PAID, more=RETRY),
    )


def paying(probe: str = "") -> Play:
    play = Play(made(probe))
    play.plan(call("p", "pay", usd=60, n=1))
    return play


def fail_each(play: Play, failure: str, *, acted: bool = True, id_: str = "p") -> None:
    """Fail every attempt that there is."""
    while play.call(id_).phase in (Phase.STARTED, Phase.RETRYING):
        if play.call(id_).phase is Phase.STARTED:
            play.fails(id_, failure, acted=acted)
        play.tick(1)


def requests(play: Play) -> list[str]:
    return [request.kind for request in play.state.requests.values() if request.open]


def spent(play: Play) -> Any:
    return play.state.used.meter("usd")


@pytest.mark.parametrize("failure", ["lost", "timeout"])
def test_a_write_whose_last_answer_did_not_come_is_unknown_and_stays_counted(failure: str) -> None:
    play = paying()
    fail_each(play, failure)
    assert play.result("p") == ("unknown", failure)
    assert (play.call("p").phase, requests(play), spent(play)) == (Phase.PARKED, ["settle"], 60)


@pytest.mark.parametrize("failure", ["lost", "timeout"])
def test_one_that_is_not_tried_again_is_unknown_whoever_honours_its_key(failure: str) -> None:
    play = Play(made(retry=""))
    play.plan(call("p", "pay", usd=60, n=1))
    play.fails("p", failure)
    assert play.result("p") == ("unknown", failure)
    assert (requests(play), spent(play)) == (["settle"], 60)


@pytest.mark.parametrize("failure", ["error", "retryable"])
@pytest.mark.parametrize("acted", [True, False])
def test_an_error_of_a_later_attempt_says_nothing_of_the_one_whose_answer_did_not_come(
    failure: str, acted: bool
) -> None:
    play = paying()
    play.fails("p", "lost")
    fail_each(play, failure, acted=acted)
    assert play.result("p") == ("unknown", failure)
    assert (requests(play), spent(play)) == (["settle"], 60)


def test_the_result_of_a_later_attempt_is_its_result() -> None:
    play = paying()
    play.fails("p", "lost")
    play.tick(1)
    play.returns("p")
    assert play.result("p") == ("ok", "")


def test_an_attempt_that_can_not_have_acted_leaves_no_doubt() -> None:
    play = paying()
    fail_each(play, "timeout", acted=False)
    assert play.result("p") == ("terminal_error", "timeout")
    assert (requests(play), spent(play)) == ([], 0)


def test_a_read_leaves_no_doubt() -> None:
    play = Play(made())
    play.plan(call("l", "look"))
    fail_each(play, "lost", id_="l")
    assert play.result("l") == ("terminal_error", "lost")
    assert requests(play) == []


def test_a_probe_finds_out_whether_it_happened() -> None:
    play = paying("probe: {tool: look, input: {}, happened: output.paid == true}\n")
    fail_each(play, "lost")
    play.read({"paid": False})
    assert play.result("p") == ("terminal_error", "did_not_happen")
    assert (requests(play), spent(play)) == ([], 0)


@pytest.mark.parametrize("end", ["cancel", "deadline"])
def test_one_that_waits_for_its_next_attempt_when_it_is_ended_is_unknown(end: str) -> None:
    play = paying()
    play.fails("p", "lost")
    assert play.call("p").phase is Phase.RETRYING
    if end == "cancel":
        play.say(inputs.CancelRequested("ops", play.now))
        play.tick()
    else:
        play.tick(60)
    assert play.result("p")[0] == "unknown"
    assert (requests(play), spent(play)) == (["settle"], 60)


def test_one_that_was_cut_off_and_fails_when_it_is_run_again_is_unknown() -> None:
    play = paying()
    play.claim()
    assert play.running == ["p"]
    play.fails("p", "error", acted=False)
    assert play.result("p") == ("unknown", "error")
    assert spent(play) == 60


def test_one_that_was_cut_off_by_the_end_of_its_session_is_unknown() -> None:
    play = paying()
    play.say(inputs.CancelRequested("ops", play.now))
    play.claim()
    assert play.result("p")[0] == "unknown"
    assert play.state.status is Status.CANCELLED
    assert requests(play) == ["settle"]


@pytest.mark.parametrize(("name", "end"), [("look", "terminal_error"), ("pay", "unknown")])
def test_a_call_that_stops_whoever_runs_it_is_given_up(name: str, end: str) -> None:
    play = Play(made())
    play.plan(call("p", name, usd=60, n=1) if name == "pay" else call("p", name))
    for _ in range(play.state.limits.retries_per_call or 0):
        play.claim()
        assert play.running == ["p"]
    play.claim()
    assert play.result("p") == (end, "cut_off")
    assert "the engine stopped each of 4 times" in play.call("p").result.message  # type: ignore[union-attr]
    assert play.kinds(EventKind.LIMIT_CROSSED) == ["limit_crossed"]


# -- jobs


def test_a_job_that_ran_under_a_worker_which_is_gone_is_unknown_if_it_is_denied_by_now() -> None:
    for release_lease in (False, True):
        play = with_write()
        play.lease("j")
        play.facts("j")
        assert play.call("j").phase is Phase.STARTED
        if release_lease:
            play.work("j", inputs.JobReleased("j", True, play.now))
        play.lease("j", epoch=2)
        play.facts("j", ok=False)
        assert play.result("j")[0] == "unknown"
        assert requests(play) == ["settle"]


def test_a_job_that_was_let_go_before_its_tool_ran_leaves_no_doubt() -> None:
    play = with_write()
    play.lease("j")
    play.facts("j")
    play.work("j", inputs.JobReleased("j", False, play.now))
    play.lease("j", epoch=2)
    play.facts("j", ok=False)
    assert play.result("j")[0] == "blocked"


def test_a_job_whose_worker_stops_each_time_that_it_runs_is_unknown() -> None:
    play = with_write(budgets="{retries_per_call: 1}")
    for epoch in (1, 2, 3):
        play.lease("j", epoch)
        play.facts("j")
    assert play.result("j") == ("unknown", "cut_off")
    assert play.kinds(EventKind.LIMIT_CROSSED) == ["limit_crossed"]


def test_a_job_in_doubt_that_is_given_up_is_asked_about() -> None:
    play = with_write()
    play.lease("j")
    play.facts("j")
    play.work("j", inputs.JobReleased("j", True, play.now))
    play.say(inputs.JobDiscardRequested("j", "ops", play.now))
    assert play.result("j") == ("unknown", "discarded")
    assert requests(play) == ["settle"]
