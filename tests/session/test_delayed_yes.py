"""A yes that counts after a while: it is in the log at once, can be taken back until then, and starts nothing before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.policy.overlay import stricter
from engine.policy.rule import Effect
from engine.policy.verdict import Ask, Verdict
from engine.proof.bundle_diff import changed_asking
from engine.replay.continue_from import redrive
from engine.replay.replay import replay
from engine.session.decide.decide import decide
from engine.session.state.event import EventKind
from engine.session.state.evolve import fold
from engine.session.state.inputs import CancelRequested, InputRefused, SessionClaimed, YesTakenBack
from engine.session.state.pending import wake_at
from engine.session.state.snapshot import restored, snapshot
from engine.session.state.state import Status
from engine.spec.bundle import Bundle
from engine.whatif.session import whatif
from tests.bundle_texts import CODE, agent, bundle, policy, reviewers, tool
from tests.session.play import START, Play, call

RULES = """
  - {id: open, tools: [write, look], effect: allow}
  - {id: large, tools: [write], effect: require_approval, approvers: [leads], settle_delay: 10s%s}
"""
RISK = "\n  - {id: risk, tools: [write], effect: require_approval, approvers: [risk], settle_delay: 30s%s}\n"
NUMBER = "{type: object, properties: {n: {type: integer}}}"


DOCUMENTS = (
    agent("[write, look]", policies="[rules]"),
    tool("write", "write", input=NUMBER),
    tool("look", input=NUMBER),
    reviewers("leads", "[ana, bo]"),
    reviewers("risk", "[ana, cy]"),
)
ASKING = "effect: require_approval, approvers: ["


def made(more: str = "", rules: str = "", budgets: str = "{}") -> Bundle:
    return bundle(
        agent("[write, look]", policies="[rules]", budgets=budgets),
        policy(RULES % more + rules),
        tool("write", "write", input=NUMBER),
        tool("look", input=NUMBER),
        reviewers("leads", "[ana, bo]"),
        reviewers("risk", "[ana, cy]"),
    )


def held(more: str = "", rules: str = "", budgets: str = "{}") -> Play:
    play = Play(made(more, rules, budgets))
    play.plan(call("w", "write", n=1))
    return play


def back(play: Play, by: str = "ana", request: int = 1) -> YesTakenBack:
    return YesTakenBack(f"s1.{request}", by, play.now)


def same_after_replay(play: Play) -> bool:
    return replay(play.log, play.bundle).difference is None and restored(snapshot(play.state)) == play.state


def test_a_yes_is_in_the_log_at_once_and_starts_the_call_once_it_counts() -> None:
    play = held()
    assert play.log[-2].payload["settle_delay"] == "10s"
    (said,) = play.say(play.answer("approve", "ana", note="it was theirs"))
    assert said.kind is EventKind.YES_DELAYED
    play.pass_time(9.9)
    play.claim()
    assert (play.started(), play.state.status) == ([], Status.AWAITING_HUMAN_REVIEW)
    play.pass_time(0.1)
    play.claim()
    answered = next(event for event in play.log if event.kind is EventKind.REQUEST_ANSWERED)
    assert (answered.payload["by"], answered.payload["note"]) == ("ana", "it was theirs")
    assert answered.payload["said_at"] == "2026-01-01T09:00:00.000000Z"
    assert play.started() == ["w"]
    assert same_after_replay(play)


def test_a_yes_that_was_taken_back_never_counts_and_the_question_is_open_again() -> None:
    play = held()
    play.say(play.answer("approve", "ana"))
    play.pass_time(5)
    assert play.refused(back(play, "bo")) == "not_yours"
    play.say(back(play))
    play.pass_time(60)
    play.claim()
    assert (play.started(), play.state.requests["s1.1"].open) == ([], True)
    assert play.refused(back(play)) == "nothing_to_take_back"
    play.say(play.answer("approve", "bo"))
    play.pass_time(10)
    play.claim()
    assert play.started() == ["w"]
    assert play.refused(back(play, "bo")) == "nothing_to_take_back"
    assert play.refused(back(play, "bo", 7)) == "no_such_request"
    assert same_after_replay(play)


def test_it_can_be_taken_back_as_long_as_nobody_has_gone_on_by_it() -> None:
    play = held()
    play.say(play.answer("approve", "ana"))
    play.pass_time(3600)
    play.say(back(play))
    play.claim()
    assert play.started() == []


def test_while_a_yes_waits_another_is_refused_and_a_no_counts_at_once() -> None:
    play = held()
    play.say(play.answer("approve", "ana"))
    assert play.refused(play.answer("approve", "bo")) == "already_answered"
    play.say(play.answer("deny", "bo"))
    play.claim()
    assert play.result("w") == ("blocked", "denied_by_reviewer")
    play.pass_time(60)
    play.claim()
    assert play.started() == []
    assert same_after_replay(play)


def test_who_took_the_yes_of_one_request_back_is_one_person_for_the_others_meanwhile() -> None:
    play = held(rules=RISK % ", distinct: true")
    play.say(play.answer("approve", "ana", 1))
    assert play.refused(play.answer("approve", "ana", 2)) == "another_person"
    play.say(play.answer("approve", "cy", 2))
    play.pass_time(10)
    play.claim()
    assert (play.started(), play.state.status) == ([], Status.AWAITING_HUMAN_REVIEW)
    play.pass_time(20)
    play.claim()
    assert play.started() == ["w"]
    assert same_after_replay(play)


def test_a_yes_that_leaves_nobody_for_what_else_is_asked_is_refused_while_others_wait_too() -> None:
    rules = "\n  - {id: risk, tools: [write], effect: require_approval, approvers: [one], settle_delay: 30s, distinct: true}\n"
    play = Play(
        bundle(
            agent("[write, look]", policies="[rules]"), policy(RULES % "" + rules), tool("write", "write"), tool("look"),
            reviewers("leads", "[ana, bo]"), reviewers("one", "[ana]"),
        )
    )  # fmt: skip
    play.plan(call("w", "write"))
    asked = {request.groups: int(request.id[-1]) for request in play.state.open_requests()}
    assert play.refused(play.answer("approve", "ana", asked[("leads",)])) == "needed_elsewhere"
    play.say(play.answer("approve", "bo", asked[("leads",)]))
    play.say(play.answer("approve", "ana", asked[("one",)]))
    play.pass_time(30)
    play.claim()
    assert play.started() == ["w"]


def test_an_edit_is_of_the_call_once_the_yes_counts_and_of_nothing_once_it_was_taken_back() -> None:
    play = held()
    play.say(play.answer("approve", "ana", edit={"n": 2}))
    assert play.call("w").input == {"n": 1}
    play.say(back(play))
    play.say(play.answer("approve", "ana", edit={"n": 3}))
    play.pass_time(10)
    play.claim()
    assert (play.call("w").input, play.started()) == ({"n": 3}, ["w"])
    edited = next(event for event in play.log if event.kind is EventKind.CALL_EDITED)
    assert (edited.payload["by"], edited.payload["input"]) == ("ana", {"n": 3})
    assert same_after_replay(play)


def test_a_yes_to_a_call_that_another_edit_has_changed_since_is_asked_anew() -> None:
    play = held(rules=RISK % "")
    play.say(play.answer("approve", "bo", 1, edit={"n": 2}))
    play.say(play.answer("approve", "cy", 2))
    play.pass_time(60)
    play.claim()
    assert play.started() == []
    assert [(one.id, one.groups) for one in play.state.open_requests()] == [("s1.3", ("risk",))]
    play.say(play.answer("approve", "cy", 3))
    play.pass_time(60)
    play.claim()
    assert play.started() == ["w"]
    assert same_after_replay(play)


def test_the_same_edit_of_two_people_counts_for_both() -> None:
    play = held(rules=RISK % "")
    play.say(play.answer("approve", "bo", 1, edit={"n": 2}))
    play.say(play.answer("approve", "cy", 2, edit={"n": 2}))
    play.pass_time(60)
    play.claim()
    assert (play.started(), play.call("w").input) == (["w"], {"n": 2})
    assert same_after_replay(play)


def test_the_same_edit_counts_for_both_whenever_somebody_looks() -> None:
    play = held(rules=RISK % "")
    play.say(play.answer("approve", "bo", 1, edit={"n": 2}))
    play.say(play.answer("approve", "cy", 2, edit={"n": 2}))
    for _ in range(3):
        play.pass_time(10)
        play.claim()
    assert (play.started(), len(play.state.requests)) == (["w"], 2)
    assert same_after_replay(play)


def test_of_two_edits_the_one_counts_that_was_said_first_whenever_somebody_looks() -> None:
    for looks in ((10, 1, 10), (21,)):
        play = held(rules=RISK.replace("30s", "10s") % "")
        play.say(play.answer("approve", "cy", 2, edit={"n": 3}))
        play.pass_time(1)
        play.say(play.answer("approve", "bo", 1, edit={"n": 2}))
        play.now = START
        for seconds in looks:
            play.pass_time(seconds)
            play.claim()
        assert play.call("w").input == {"n": 3}, looks


def test_nothing_counts_once_the_call_was_denied_or_the_session_is_to_end() -> None:
    for cancels in (False, True):
        play = held(rules=RISK % "")
        play.say(play.answer("approve", "bo", 1, edit={"n": 2}))
        play.pass_time(11)
        play.say(CancelRequested("ops", play.now) if cancels else play.answer("deny", "cy", 2))
        play.claim()
        assert (play.call("w").input, play.started()) == ({"n": 1}, [])
        answers = [event.payload["action"] for event in play.log if event.kind is EventKind.REQUEST_ANSWERED]
        assert answers == ([] if cancels else ["deny"])
        assert same_after_replay(play)


def test_a_yes_does_not_count_of_whom_an_urgent_bundle_asks_no_more() -> None:
    play = held()
    play.say(play.answer("approve", "ana"))
    play.pass_time(10)
    others = [one for one in DOCUMENTS if "reviewers/leads" not in one[0]]
    urgent = bundle(*others, policy(RULES % ""), reviewers("leads", "[bo]"))
    events = decide(play.state, SessionClaimed("me", play.state.epoch + 1, play.now), play.bundle, (urgent,))
    assert not isinstance(events, InputRefused)
    state = fold(events, play.state)
    (back,) = [event for event in events if event.kind is EventKind.YES_TAKEN_BACK]
    assert (back.payload["by"], back.payload["why"]) == ("ana", "not_a_member")
    assert (state.requests["s1.1"].open, state.requests["s1.1"].delayed) == (True, None)
    assert not [event for event in events if event.kind is EventKind.CALL_STARTED]


def test_what_would_have_happened_is_found_from_within_a_delay() -> None:
    rules = RISK % "" + "\n  - {id: small, tools: [look], effect: require_approval, approvers: [leads]}\n"
    play = Play(made(rules=rules))
    play.plan(call("a", "look", n=1), call("b", "write", n=1))
    play.say(play.answer("approve", "ana", 1))
    play.claim()
    play.returns("a")
    play.say(play.answer("approve", "bo", 2))
    play.say(play.answer("approve", "cy", 3))
    cut = play.log[-1].seq
    play.pass_time(30)
    play.claim()
    play.returns("b")
    play.plan(done=True)
    assert play.state.final
    before = fold(play.log[:cut])
    found = redrive(before, play.log, play.bundle, before.now)
    assert (found.unknown, found.state.status) == ("", play.state.status)


def test_what_was_said_in_time_counts_though_the_question_expires_before() -> None:
    play = held(budgets="{expires: {approval: 5s}}")
    play.pass_time(4)
    play.say(play.answer("approve", "ana"))
    play.pass_time(6)
    play.claim()
    assert play.state.requests["s1.1"].open
    play.pass_time(4)
    play.claim()
    assert play.started() == ["w"]


def test_what_is_taken_back_after_the_question_has_expired_is_over() -> None:
    play = held(budgets="{expires: {approval: 5s}}")
    play.say(play.answer("approve", "ana"))
    play.pass_time(6)
    play.say(back(play))
    play.claim()
    assert play.result("w") == ("blocked", "approval_expired")


def test_a_session_that_was_cancelled_meanwhile_starts_nothing() -> None:
    play = held()
    play.say(play.answer("approve", "ana"))
    play.say(CancelRequested("ops", play.now))
    play.pass_time(60)
    play.claim()
    assert (play.started(), play.state.status) == ([], Status.CANCELLED)
    assert play.refused(back(play)) == "nothing_to_take_back"


def test_a_session_that_runs_is_woken_when_the_yes_counts() -> None:
    first = "\n  - {id: one, tools: [look], when: input.n == 1, effect: require_approval, approvers: [risk], settle_delay: 5s}\n"
    play = Play(made(rules=first))
    play.plan(call("held", "look", n=1), call("runs", "look", n=2))
    assert (play.running, wake_at(play.state)) == (["runs"], START + timedelta(seconds=60))
    play.say(play.answer("approve", "cy"))
    assert wake_at(play.state) == START + timedelta(seconds=5)
    play.tick(4)
    assert play.running == ["runs"]
    play.tick(1)
    assert sorted(play.running) == ["held", "runs"]
    assert same_after_replay(play)


def test_a_yes_that_counted_at_once_is_none_where_an_urgent_bundle_delays_it() -> None:
    play = Play(plain := bundle(*DOCUMENTS, policy((RULES % "").replace(", settle_delay: 10s", ""))))
    play.plan(call("w", "write", n=1))
    play.say(play.answer("approve", "ana"))
    claim = SessionClaimed("me", play.state.epoch + 1, play.now)
    events = decide(play.state, claim, plain, (made(),))
    assert not isinstance(events, InputRefused)
    state = fold(events, play.state)
    assert [one.settle_delay for one in state.open_requests()] == [timedelta(seconds=10)]


def test_of_two_bundles_the_longer_delay_holds() -> None:
    def asked(seconds: int) -> Verdict:
        ask = Ask("large", ("leads",), "", "", {}, settle_delay=timedelta(seconds=seconds))
        return Verdict(Effect.REQUIRE_APPROVAL, "", "", "large", (ask,), (), False)

    for own, urgent in ((5, 10), (10, 5)):
        (ask,) = stricter(asked(own), asked(urgent)).asks
        assert ask.settle_delay == timedelta(seconds=10)
    assert asked(10).asks[0].demand.within(asked(5).asks[0].demand)
    assert not asked(5).asks[0].demand.within(asked(10).asks[0].demand)


def test_a_rule_whose_yes_counts_sooner_is_told_in_a_diff_and_loosens_what_was_judged() -> None:
    old, new = made(), bundle(*DOCUMENTS, policy((RULES % "").replace("10s", "2s")))
    assert [one.text for one in changed_asking(old, new)] == ["rule large: a yes counts after 2s instead of 10s"]
    play = held()
    assert [flip.loosens for flip in whatif(play.log, new).flips] == [True]
    assert whatif(play.log, old).flips == ()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("effect: allow, settle_delay: 10s", "only a rule with `effect: require_approval` has `settle_delay`"),
        (ASKING + "customer], settle_delay: 10s", "a customer's yes counts at once"),
        (ASKING + "leads], settle_delay: 0s", "must be more than 0"),
    ],
)
def test_a_delay_stands_only_where_people_are_asked_and_is_some_time(more: str, told: str) -> None:
    rules = policy("\n  - {id: one, tools: [write], " + more + "}\n")
    files = {path: text.encode() for path, text in (*DOCUMENTS, rules)} | {"specs/tools/code.py": CODE.encode()}
    found = load(BundleFiles(files)).diagnostics
    assert any(one.severity == "error" and told in one.message for one in found), found
