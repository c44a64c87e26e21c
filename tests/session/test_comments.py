"""What people tell each other about a request: it is kept, it answers nothing, and there is an end of room for it."""

from __future__ import annotations

import pytest

from engine.replay.replay import FED
from engine.session.decide.comments import LONGEST, MOST
from engine.session.state.event import EventKind
from engine.session.state.inputs import RequestCommented
from engine.session.state.snapshot import restored, snapshot
from engine.session.state.state import Status
from tests.bundle_texts import agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

ASKS = "  - {id: open, tools: [write], effect: allow}\n  - {id: large, tools: [write], effect: require_approval, approvers: [leads]}\n"


def held() -> Play:
    play = Play(
        bundle(agent("[write]", policies="[rules]"), policy(ASKS), tool("write", "write"), reviewers("leads", "[ana]"))
    )
    play.plan(call("w", "write"))
    return play


def said(play: Play, text: str = "ask the shop", request: str = "s1.1", by: str = "bo") -> RequestCommented:
    return RequestCommented(request, by, text, play.now)


def test_a_comment_stands_beside_its_request_and_answers_nothing() -> None:
    play = held()
    digest = play.state.requests["s1.1"].digest
    (event,) = play.say(said(play))
    assert event.kind is EventKind.REQUEST_COMMENTED
    assert event.payload == {"request_id": "s1.1", "by": "bo", "text": "ask the shop"}
    request = play.state.requests["s1.1"]
    assert (request.open, request.digest) == (True, digest)
    assert request.comments == ({"by": "bo", "text": "ask the shop", "at": play.now},)
    play.claim()
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW


def test_who_has_commented_may_say_yes_and_is_one_person_still() -> None:
    play = held()
    play.say(said(play, by="ana"))
    play.say(play.answer("approve", "ana", 1))
    play.claim()
    assert play.started() == ["w"]


def test_a_comment_may_follow_the_answer_and_not_the_end_of_its_session() -> None:
    play = held()
    play.say(play.answer("deny", "ana", 1))
    play.say(said(play, "it was theirs after all"))
    play.claim()
    play.plan(done=True)
    assert play.state.final
    assert [one["text"] for one in play.state.requests["s1.1"].comments] == ["it was theirs after all"]
    assert play.refused(said(play)) == "session_over"


@pytest.mark.parametrize(
    ("text", "request_id", "why"),
    [("", "s1.1", "empty_message"), (" \n", "s1.1", "empty_message"), ("x" * (LONGEST + 1), "s1.1", "too_long"),
     ("x", "s1.9", "no_such_request")],
    ids=["empty", "blank", "long", "no request"],
)  # fmt: skip
def test_a_comment_that_says_nothing_too_much_or_is_about_nothing_is_refused(
    text: str, request_id: str, why: str
) -> None:
    play = held()
    assert play.refused(said(play, text, request_id)) == why


def test_what_is_no_text_is_refused() -> None:
    play = held()
    assert play.refused(said(play, 5)) == "not_text"  # type: ignore[arg-type]
    assert play.refused(said(play, by="x" * 2000)) == "not_text"


def test_a_request_takes_so_many_comments_and_no_more() -> None:
    play = held()
    for number in range(MOST):
        play.say(said(play, str(number)))
    assert play.refused(said(play)) == "too_many_comments"


def test_comments_are_in_a_snapshot_and_are_fed_again_by_a_replay() -> None:
    play = held()
    play.say(said(play))
    assert restored(snapshot(play.state)) == play.state
    (again,) = FED[EventKind.REQUEST_COMMENTED](play.log[-1], play.log, len(play.log) - 1)
    assert again == said(play)
