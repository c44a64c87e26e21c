"""Held calls: who may say yes, what a yes is worth, and what happens when the world has changed meanwhile."""

from __future__ import annotations

import pytest

from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.state import Phase, Status
from engine.spec.bundle import Bundle
from tests.bundle_texts import agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

RULES = """
  - {id: open, tools: [write, other], effect: allow, when: account.verified or not account.verified}
  - {id: banned, tools: [write], effect: deny, when: account.banned}
  - id: large
    tools: [write]
    effect: require_approval
    when: input.n != null and input.n > params.most
    reason: too_large
    approvers: [leads]
    message: "above {{ params.most }}"
  - id: huge
    tools: [write]
    effect: require_approval
    when: input.n != null and input.n > 500
    reason: huge
    approvers: [bosses]
  - {id: unsure, tools: [write], effect: require_approval, when: not account.verified, approvers: [leads]}
"""
ACCOUNT = (
    "{type: object, properties: {verified: {type: boolean}, banned: {type: boolean}}, required: [verified, banned]}"
)
GOOD = {"verified": True, "banned": False}


@pytest.fixture(scope="module")
def held() -> Bundle:
    return made("{account: {tool: look, input: {n: input.n}}}")


def made(facts: str) -> Bundle:
    return bundle(
        agent("[write, other, look, ask, ask_choice]", policies="[rules, talk]", budgets="{repairs: 1}"),
        policy(RULES, facts=facts, params="{most: 100}"),
        policy("  - {id: talk, tools: [ask, ask_choice], effect: allow}", name="talk"),
        tool("write", "write", more="idempotency: {key: [input.n], honoured_by: engine}"),
        tool("other", "write"),
        tool("look", output=ACCOUNT),
        tool(
            "ask",
            "write",
            output="{type: object, properties: {text: {type: string}}, required: [text]}",
            more="adapter: {kind: handoff, reviewers: leads, question: 'what of {{ input.to }}?'}",
        ),
        tool(
            "ask_choice",
            "write",
            input="{type: object, properties: {to: {}}}",
            output="{type: object, properties: {pick: {enum: [a, b]}}, required: [pick]}",
            more="adapter: {kind: handoff, asks: choice, reviewers: leads, question: 'which? {{ input.to + 1 }}'}",
        ),
        reviewers("leads", "[ana, bo]"),
        reviewers("bosses", "[cy]"),
    )


def hold(under: Bundle, n: int = 480, **more: object) -> Play:
    play = Play(under, **more)  # type: ignore[arg-type]
    play.plan(call("w", "write", n=n))
    play.read(GOOD)
    return play


def test_a_held_call_is_blocked_for_now_and_the_session_waits_for_the_group(held: Bundle) -> None:
    play = hold(held)
    assert play.call("w").phase is Phase.HELD
    assert play.result("w") == ("blocked", "too_large")
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW
    assert play.state.waiting_for == ("s1.1",)
    assert play.effects == ()
    request = play.state.requests["s1.1"]
    assert (request.kind, request.groups, request.rules) == ("approval", ("leads",), ("large",))


def test_a_yes_starts_the_call_after_its_facts_were_read_anew(held: Bundle) -> None:
    play = hold(held)
    play.say(play.answer("approve", "ana"))
    assert play.effects == ()
    play.claim()
    assert play.reading == ["look"]
    play.read(GOOD)
    assert play.running == ["w"]
    assert play.kinds(EventKind.VERDICT) == ["verdict", "verdict"]
    play.returns("w")
    assert play.result("w") == ("ok", "")


def test_a_yes_never_goes_by_a_fact_from_before_it_however_young_that_may_be() -> None:
    young = "{account: {tool: look, input: {n: input.n}, max_age: 1h}}"
    play = hold(made(young))
    play.say(play.answer("approve", "ana"))
    play.claim()
    assert play.reading == ["look"]


def test_every_group_that_is_asked_has_to_say_yes(held: Bundle) -> None:
    play = hold(held, 900)
    assert {q.groups for q in play.state.open_requests()} == {("leads",), ("bosses",)}
    first = next(q for q in play.state.open_requests() if q.groups == ("leads",))
    play.say(play.answer("approve", "ana", int(first.id[-1])))
    play.claim()
    assert play.reading == []
    assert play.call("w").phase is Phase.HELD
    second = play.state.open_requests()[0]
    play.say(play.answer("approve", "cy", int(second.id[-1])))
    play.claim()
    play.read(GOOD)
    assert play.running == ["w"]


def test_a_no_ends_the_call_and_the_same_call_stays_denied(held: Bundle) -> None:
    play = hold(held)
    play.say(play.answer("deny", "ana", note="no"))
    play.claim()
    assert play.result("w") == ("blocked", "denied_by_reviewer")
    play.plan(call("again", "write", n=480))
    assert play.result("again") == ("blocked", "denied_by_reviewer")
    assert play.started() == []


def test_a_no_of_one_group_withdraws_what_the_other_was_asked(held: Bundle) -> None:
    play = hold(held, 900)
    request = play.state.open_requests()[0]
    by = "cy" if request.groups == ("bosses",) else "ana"
    play.say(play.answer("deny", by, int(request.id[-1])))
    play.claim()
    assert play.state.open_requests() == []
    assert play.result("w") == ("blocked", "denied_by_reviewer")


def test_a_call_without_a_key_stays_denied_by_its_digest() -> None:
    made = bundle(
        agent("[w]", policies="[rules]"),
        policy(
            "  - {id: open, tools: [w], effect: allow}\n"
            "  - {id: ask, tools: [w], effect: require_approval, approvers: [leads]}"
        ),
        tool("w", "write"),
        reviewers("leads", "[ana]"),
    )
    play = Play(made)
    play.plan(call("a", "w", n=1))
    play.say(play.answer("deny", "ana"))
    play.claim()
    play.plan(call("b", "w", n=1), call("c", "w", n=2))
    assert play.result("b") == ("blocked", "denied_by_reviewer")
    assert play.result("c") == ("blocked", "earlier_write_not_done")


@pytest.mark.parametrize(
    ("by", "action", "reason"),
    [("zoe", "approve", "not_a_member"), ("customer", "approve", "not_a_member"), ("ana", "answer", "wrong_answer")],
)
def test_only_a_member_may_answer_and_only_what_was_asked(held: Bundle, by: str, action: str, reason: str) -> None:
    play = hold(held)
    assert play.refused(play.answer(action, by)) == reason


def test_nobody_approves_what_they_asked_for() -> None:
    made = bundle(
        agent("[w]", policies="[rules]"),
        policy(
            "  - {id: ask, tools: [w], effect: require_approval, approvers: [leads]}\n"
            "  - {id: open, tools: [w], effect: allow}"
        ),
        tool("w", "write"),
        reviewers("leads", "[ana, bo]"),
    )
    play = Play(made, started_by="ana")
    play.plan(call("a", "w"))
    assert play.refused(play.answer("approve", "ana")) == "own_request"
    play.say(play.answer("approve", "bo"))


def test_an_answer_is_used_once_and_a_closed_or_unknown_request_takes_none(held: Bundle) -> None:
    play = hold(held)
    assert play.refused(play.answer("approve", "ana", 9)) == "no_such_request"
    play.say(play.answer("approve", "ana"))
    assert play.refused(play.answer("approve", "bo")) == "already_answered"
    late = hold(held)
    late.pass_time(25 * 3600)
    assert late.refused(late.answer("approve", "ana")) == "expired"
    late.claim()
    assert late.result("w") == ("blocked", "approval_expired")
    assert late.refused(late.answer("approve", "ana")) == "expired"


def test_a_change_of_what_was_compared_asks_again_with_the_difference(held: Bundle) -> None:
    play = Play(held)
    play.plan(call("w", "write", n=5))
    play.read({"verified": False, "banned": False})
    assert play.state.requests["s1.1"].rules == ("unsure",)
    play.say(play.answer("approve", "ana"))
    play.claim()
    play.read(GOOD)
    assert play.running == ["w"], "nothing asks any more, so nothing is asked again"
    other = hold(held)
    other.say(other.answer("approve", "ana"))
    other.claim()
    other.read({"verified": False, "banned": False})
    assert other.call("w").phase is Phase.HELD
    opened = [e for e in other.log if e.kind is EventKind.REQUEST_OPENED][-1]
    assert opened.payload["difference"] == [{"what": "rules", "before": ["large"], "after": ["large", "unsure"]}]
    assert other.started() == []


def test_a_deny_that_arose_meanwhile_ends_the_call(held: Bundle) -> None:
    play = hold(held)
    play.say(play.answer("approve", "ana"))
    play.claim()
    play.read({"verified": True, "banned": True})
    assert play.result("w") == ("blocked", "banned")
    last = [e for e in play.log if e.kind is EventKind.TOOL_RESULT][-1]
    assert {"what": "verdict", "before": "require_approval", "after": "deny"} in last.payload["difference"]


def test_an_edited_call_is_judged_anew_and_the_editors_yes_counts_for_the_rules_that_asked(held: Bundle) -> None:
    play = hold(held)
    play.say(play.answer("approve", "ana", edit={"n": 200}))
    assert play.call("w").input == {"n": 200}
    assert play.call("w").key == "[200]"
    play.claim()
    play.read(GOOD)
    assert play.running == ["w"]
    up = hold(held)
    up.say(up.answer("approve", "ana", edit={"n": 900}))
    up.claim()
    up.read(GOOD)
    assert up.call("w").phase is Phase.HELD, "the edit made another rule ask, and nobody answered that one"


def test_an_edit_that_changes_nothing_is_a_plain_yes(held: Bundle) -> None:
    play = hold(held)
    play.say(play.answer("approve", "ana", edit={"n": 480}))
    assert EventKind.CALL_EDITED not in [e.kind for e in play.log]


@pytest.mark.parametrize(
    ("action", "edit", "reason"),
    [("approve", {"n": "many"}, "invalid_input"), ("deny", {"n": 1}, "wrong_answer")],
)
def test_an_edit_that_does_not_fit_is_refused(held: Bundle, action: str, edit: dict[str, object], reason: str) -> None:
    play = hold(held)
    assert play.refused(play.answer(action, "ana", edit=edit)) == reason


def test_a_write_behind_a_held_one_waits_and_never_overtakes(held: Bundle) -> None:
    play = Play(held)
    play.plan(call("w", "write", n=480), call("o", "other", n=1))
    play.read(GOOD)
    assert play.call("o").phase is Phase.PROPOSED
    assert play.started() == []
    play.say(play.answer("deny", "ana"))
    play.claim()
    assert play.result("o") == ("blocked", "earlier_write_not_done")


def test_a_message_while_a_call_is_held_wakes_nothing(held: Bundle) -> None:
    play = hold(held)
    play.say(inputs.MessageSent("any news?", play.now))
    play.claim()
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW
    assert play.effects == ()


def test_a_handoff_asks_a_person_and_the_answer_is_the_result(held: Bundle) -> None:
    play = Play(held)
    play.plan(call("q", "ask", to="Ada"))
    request = play.state.requests["s1.1"]
    assert (request.kind, request.groups) == ("input", ("leads",))
    assert play.log[-2].payload["message"] == "what of Ada?"
    assert play.refused(play.answer("approve", "ana")) == "wrong_answer"
    assert play.refused(play.answer("answer", "ana", value={"words": 1})) == "wrong_answer"
    assert play.refused(play.answer("answer", "ana", value={"text": "x"}, edit={"n": 1})) == "wrong_answer"
    play.say(play.answer("answer", "ana", value={"text": "all well"}))
    play.claim()
    assert play.result("q") == ("ok", "")
    assert play.call("q").result is not None
    assert play.call("q").result.output == {"text": "all well"}  # type: ignore[union-attr]


def test_a_question_without_a_value_is_asked_all_the_same(held: Bundle) -> None:
    play = Play(held)
    play.plan(call("q", "ask_choice"))
    assert play.state.requests["s1.1"].kind == "choice"
    assert "has no value" in play.log[-2].payload["message"]


def test_a_question_that_nobody_answers_fails_the_call(held: Bundle) -> None:
    play = Play(held)
    play.plan(call("q", "ask", to="Ada"))
    play.pass_time(25 * 3600)
    play.claim()
    assert play.result("q") == ("terminal_error", "input_expired")


def test_a_cancelled_session_withdraws_its_questions(held: Bundle) -> None:
    play = Play(held)
    play.plan(call("q", "ask", to="Ada"))
    play.say(inputs.CancelRequested("me", play.now))
    assert play.say(inputs.CancelRequested("me", play.now)) == []
    play.claim()
    assert play.result("q") == ("terminal_error", "session_cancelled")
    assert play.state.status is Status.CANCELLED
    assert play.refused(play.answer("answer", "ana", value={"text": "x"})) == "session_over"


def unknown(made: Bundle) -> Play:
    play = Play(made)
    play.plan(call("o", "other", n=1))
    play.read(GOOD)
    play.fails("o", "timeout")
    return play


@pytest.mark.parametrize(
    ("value", "status", "reason"),
    [
        ("did_not_happen", "terminal_error", "did_not_happen"),
        ("abandon", "unknown", "abandoned"),
        ({"happened": {"id": 1}}, "ok", ""),
    ],
)
def test_an_unknown_write_is_settled_by_a_person(held: Bundle, value: object, status: str, reason: str) -> None:
    play = unknown(held)
    play.say(play.answer("answer", "anybody", value=value))
    play.claim()
    assert play.result("o") == (status, reason)


@pytest.mark.parametrize("value", ["maybe", 5, {"happened": "text"}, {"happened": {}, "more": 1}])
def test_a_settlement_that_says_nothing_is_refused(held: Bundle, value: object) -> None:
    assert unknown(held).refused(unknown(held).answer("answer", "anybody", value=value)) == "wrong_answer"


def test_an_unknown_write_that_nobody_settles_stays_unknown(held: Bundle) -> None:
    play = unknown(held)
    play.pass_time(25 * 3600)
    play.claim()
    assert play.result("o") == ("unknown", "never_settled")


@pytest.mark.parametrize("ended", [False, True])
def test_an_unknown_write_that_nobody_settled_in_time_is_settled_once_somebody_knows(held: Bundle, ended: bool) -> None:
    play = unknown(held)
    play.pass_time(25 * 3600)
    play.claim()
    if ended:
        play.say(inputs.CancelRequested("me", play.now))
        play.claim()
    assert play.state.final is ended
    before = list(play.state.calls), list(play.state.requests)
    (request,) = [one for one in play.state.requests.values() if one.kind == "settle"]
    assert request.closed == "expired"
    answer = inputs.RequestAnswered(request.id, "answer", "anybody", "", {"happened": {"id": 1}}, None, play.now)
    play.say(answer)
    assert play.result("o") == ("ok", "")
    assert (list(play.state.calls), list(play.state.requests)) == before
    assert play.refused(answer) == "already_answered"


def test_a_settlement_is_taken_when_its_time_is_over_and_nobody_has_noticed_yet(held: Bundle) -> None:
    play = unknown(held)
    play.pass_time(25 * 3600)
    play.say(play.answer("answer", "anybody", value="did_not_happen"))
    play.claim()
    assert play.result("o") == ("terminal_error", "did_not_happen")


def test_an_unknown_write_can_be_settled_after_the_session_has_ended(held: Bundle) -> None:
    play = unknown(held)
    play.say(inputs.CancelRequested("me", play.now))
    play.claim()
    assert play.state.final
    play.say(play.answer("answer", "anybody", value={"happened": {"id": 1}}))
    assert play.result("o") == ("ok", "")
    assert play.state.final
    assert play.effects == ()


def test_a_follow_up_is_answered_after_the_session_has_ended() -> None:
    ends = "ends: {cancelled: {message: 'x {{ calls.look[3].at }}', follow_up: {reviewers: leads, note: call back}}}\n"
    made = bundle(agent("[look]", more=ends), tool("look"), reviewers("leads", "[ana]"))
    play = Play(made)
    play.say(inputs.CancelRequested("me", play.now))
    play.claim()
    assert [q.kind for q in play.state.open_requests()] == ["follow_up"]
    assert play.state.told == "This was cancelled."
    play.say(play.answer("answer", "ana", value="called"))
    assert play.state.open_requests() == []


def asked_of(play: Play, group: str) -> int:
    return next(int(q.id[-1]) for q in play.state.open_requests() if q.groups == (group,))


def test_after_a_no_another_group_can_not_edit_the_call_into_being(held: Bundle) -> None:
    play = hold(held, 900)
    leads = asked_of(play, "leads")
    play.say(play.answer("deny", "cy", asked_of(play, "bosses")))
    assert play.refused(play.answer("approve", "ana", leads, edit={"n": 50})) == "already_denied"
    play.claim()
    assert play.result("w") == ("blocked", "denied_by_reviewer")


def test_a_no_after_an_edit_is_about_the_call_as_it_was_shown_too(held: Bundle) -> None:
    play = hold(held, 900)
    bosses = asked_of(play, "bosses")
    play.say(play.answer("approve", "ana", asked_of(play, "leads"), edit={"n": 800}))
    play.say(play.answer("deny", "cy", bosses))
    play.claim()
    play.plan(call("again", "write", n=900))
    assert play.result("again") == ("blocked", "denied_by_reviewer")


def test_two_groups_that_make_the_same_edit_are_not_asked_again(held: Bundle) -> None:
    play = hold(held, 900)
    bosses = asked_of(play, "bosses")
    play.say(play.answer("approve", "ana", asked_of(play, "leads"), edit={"n": 800}))
    play.say(play.answer("approve", "cy", bosses, edit={"n": 800}))
    play.claim()
    play.read(GOOD)
    assert play.running == ["w"]


def test_a_handoff_that_was_approved_waits_for_its_answer_and_nothing_behind_it_is_blocked() -> None:
    made = bundle(
        agent("[ask, write]", policies="[rules]"),
        policy(
            "  - {id: open, tools: writes, effect: allow}\n"
            "  - {id: first, tools: [ask], effect: require_approval, approvers: [leads]}"
        ),
        tool("ask", "write", more="adapter: {kind: handoff, reviewers: leads, question: 'and?'}"),
        tool("write", "write"),
        reviewers("leads", "[ana]"),
    )
    play = Play(made)
    play.plan(call("q", "ask"), call("w", "write"))
    play.say(play.answer("approve", "ana"))
    play.claim()
    assert play.call("q").phase is Phase.PARKED
    assert not play.call("w").ended
    play.say(inputs.CancelRequested("me", play.now))
    play.claim()
    assert play.state.final
    assert play.result("q") == ("terminal_error", "session_cancelled")
    assert play.state.open_requests() == []


def test_a_write_can_be_settled_long_after_its_session_has_ended(held: Bundle) -> None:
    play = unknown(held)
    play.say(inputs.CancelRequested("me", play.now))
    play.claim()
    play.pass_time(40 * 24 * 3600)
    play.say(play.answer("answer", "anybody", value="did_not_happen"))
    assert play.result("o") == ("terminal_error", "did_not_happen")


def test_a_rule_that_reads_the_budget_is_not_asked_for_ever() -> None:
    made = bundle(
        agent("[write]", policies="[rules]"),
        policy(
            "  - {id: open, tools: writes, effect: allow, when: fact.ok}\n"
            "  - {id: early, tools: writes, effect: require_approval, when: budget.fact_reads.used < 50 and fact.ok,"
            " approvers: [leads]}",
            facts="{fact: {tool: state, input: {n: 1}}}",
        ),
        tool("write", "write"),
        tool("state", output="{type: object, properties: {ok: {type: boolean}}, required: [ok]}"),
        reviewers("leads", "[ana]"),
    )
    play = Play(made)
    play.plan(call("w", "write"))
    play.read({"ok": True})
    play.say(play.answer("approve", "ana"))
    play.claim()
    play.read({"ok": True})
    assert play.running == ["w"]
