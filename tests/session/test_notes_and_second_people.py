"""A yes that has to say why, and a second person for a share of calls that nobody can choose."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.policy.overlay import stricter
from engine.policy.rule import Effect
from engine.policy.second_person import with_second_person
from engine.policy.verdict import Ask, Verdict
from engine.proof.bundle_diff import changed_asking
from engine.proof.diff import diff
from engine.session.decide.decide import decide
from engine.session.state.evolve import fold
from engine.session.state.inputs import InputRefused, SessionClaimed
from engine.session.state.state import Status
from engine.session.trace import entry
from engine.spec.bundle import Bundle
from engine.whatif.session import whatif
from tests.bundle_texts import CODE, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

RULES = """
  - {id: open, tools: [write], effect: allow}
  - {id: large, tools: [write], effect: require_approval, approvers: [leads], %s}
"""


def documents(more: str, members: str = "[ana, bo]") -> list[tuple[str, str]]:
    rules = policy(RULES % more)
    return [agent("[write]", policies="[rules]"), rules, tool("write", "write"), reviewers("leads", members)]


def made(more: str) -> Bundle:
    return bundle(*documents(more))


def held(more: str) -> Play:
    play = Play(made(more))
    play.plan(call("w", "write"))
    return play


def test_a_yes_has_to_say_why_where_a_rule_says_so_and_a_no_need_not() -> None:
    play = held("note: required")
    assert play.state.requests["s1.1"].note_required
    assert play.refused(play.answer("approve", "ana", 1)) == "note_required"
    assert play.refused(replace(play.answer("approve", "ana", 1), note=" \n")) == "note_required"
    play.say(replace(play.answer("approve", "ana", 1), note="the shop agrees"))
    play.claim()
    assert play.started() == ["w"]
    other = held("note: required")
    other.say(other.answer("deny", "ana", 1))
    other.claim()
    assert other.result("w") == ("blocked", "denied_by_reviewer")


def test_no_note_is_needed_where_nothing_says_so() -> None:
    play = held("note: optional")
    assert "note" not in next(e.payload for e in play.log if e.kind == "request_opened")
    play.say(play.answer("approve", "ana", 1))
    play.claim()
    assert play.started() == ["w"]


def test_a_call_that_is_drawn_takes_two_people_whoever_they_are() -> None:
    play = held("second: 99.9999%")
    assert [request.rules for request in play.state.open_requests()] == [("large",), ("large",)]
    play.say(play.answer("approve", "ana", 1))
    play.claim()
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW
    assert play.refused(play.answer("approve", "ana", 2)) == "another_person"
    play.say(play.answer("approve", "bo", 2))
    play.claim()
    assert play.started() == ["w"]


def test_a_call_that_is_not_drawn_takes_one() -> None:
    play = held("second: 0.0001%")
    play.say(play.answer("approve", "ana", 1))
    play.claim()
    assert play.started() == ["w"]


def verdict(*asks: Ask) -> Verdict:
    return Verdict(Effect.REQUIRE_APPROVAL, "", "", "large", asks, (), False)


def ask(second: str = "0", *, note: bool = False, people: int = 1) -> Ask:
    return Ask("large", ("leads",), "", "", {}, people, note=note, second=Decimal(second))


def test_the_share_is_about_as_large_as_it_says_and_the_same_at_each_look() -> None:
    def drawn(second: str) -> set[int]:
        told = verdict(ask(second))
        return {n for n in range(4000) if with_second_person(told, f"key {n}", "c").asks[0].people == 2}

    five, fifty = drawn("5"), drawn("50")
    assert 140 <= len(five) <= 260
    assert 1880 <= len(fifty) <= 2120
    assert five == drawn("5")
    assert five <= fifty
    assert drawn("0") == set()


def test_an_urgent_bundle_takes_neither_away() -> None:
    own, urgent = verdict(ask("50", note=True)), verdict(ask("5", people=2))
    for one, other in ((own, urgent), (urgent, own)):
        (strict,) = stricter(one, other).asks
        assert (strict.people, strict.note, strict.second) == (2, True, Decimal(50))


def asked_people(play: Play, id_: str, **more: object) -> int:
    before = len(play.state.requests)
    play.plan(call(id_, "write", **more))
    return len(play.state.requests) - before


def test_neither_the_name_of_a_call_nor_proposing_it_again_draws_anew() -> None:
    found = set()
    for number in range(40):
        play = Play(made("second: 50%"), key=f"key {number}")
        first = asked_people(play, "one")
        for request in play.state.open_requests():
            play.say(play.answer("deny", "ana", int(request.id.rpartition(".")[2])))
            break
        play.claim()
        again = Play(made("second: 50%"), key=f"key {number}")
        assert asked_people(again, "another-name") == first
        found.add(first)
    assert found == {1, 2}


def test_the_key_by_which_is_drawn_is_told_to_nobody() -> None:
    play = Play(made("second: 50%"), key="the key of this session")
    assert "the key of this session" in str(play.log[0].payload)
    assert "the key of this session" not in str([entry(event) for event in play.log])


def test_an_edit_draws_nothing_anew() -> None:
    number = "{type: object, properties: {n: {type: integer}}, required: [n], additionalProperties: false}"
    made_ = bundle(
        agent("[write]", policies="[rules]"), policy(RULES % "second: 50%"), tool("write", "write", input=number),
        reviewers("leads", "[ana, bo]"),
    )  # fmt: skip
    found = set()
    for seed in range(30):
        play = Play(made_, key=f"key {seed}")
        first = asked_people(play, "one", n=1)
        for n in range(2, 6):  # one who would rather be alone tries other amounts
            if play.started():
                break
            open_ = [int(one.id.rpartition(".")[2]) for one in play.state.open_requests()]
            answer = replace(play.answer("approve", "ana", open_[0]), edit={"n": n})
            if isinstance(decide(play.state, answer, made_), InputRefused):
                break
            play.say(answer)
            play.claim()
        assert (play.started() == ["one"]) == (first == 1)
        found.add(first)
    assert found == {1, 2}


def test_a_yes_beforehand_is_no_yes_with_a_note() -> None:
    asks = Ask("large", ("customer",), "", "", {}, note=True)
    assert "note" in asks.more
    assert (
        codes(*documents("note: required, approvers: [customer]".replace("approvers: [customer]", "disclose: true")))
        == []
    )
    rules = policy("  - {id: ask, tools: [write], effect: require_approval, approvers: [customer], note: required}\n")
    assert codes(*[one for one in documents("count: 1") if one[0] != rules[0]], rules) == ["E508"]


def test_a_yes_without_a_note_is_none_to_an_urgent_bundle_that_needs_one() -> None:
    play = held("count: 1")
    play.say(play.answer("approve", "ana", 1))
    urgent = bundle(*[
        (path, f"{text}urgent: tighten\n" if path.startswith("policies/") else text)
        for path, text in documents("note: required")
    ])  # fmt: skip
    claimed = decide(play.state, SessionClaimed("w", play.state.epoch + 1, play.now), play.bundle, (urgent,))
    assert not isinstance(claimed, InputRefused)
    play.state = fold(claimed, play.state)
    assert play.started() == []
    (asked,) = play.state.open_requests()
    assert asked.note_required


def test_a_note_that_nobody_can_see_is_none() -> None:
    play = held("note: required")
    for note in ("\u200b \u2063", "...", "- -"):
        assert play.refused(replace(play.answer("approve", "ana", 1), note=note)) == "note_required"


@pytest.mark.parametrize("more", ["note: required", "second: 5%"])
def test_a_rule_of_another_name_takes_neither_away_unseen(more: str) -> None:
    renamed = [
        (path, text.replace("id: large", "id: limit").replace(f", {more}", "")) for path, text in documents(more)
    ]
    found = list(diff(made(more), bundle(*renamed)))
    assert any(one.loosens for one in found)
    assert whatif(held(more).log, bundle(*renamed)).flips[0].loosens


def test_past_sessions_are_judged_with_the_same_draw() -> None:
    play = held("second: 99.9999%")
    assert whatif(play.log, made("second: 99.9999%")).flips == ()
    (less,) = whatif(play.log, made("second: 0%")).flips
    assert (less.name, less.loosens) == ("large:approval→approval", True)
    (more,) = whatif(held("second: 0%").log, made("second: 99.9999%")).flips
    assert more.loosens is False


@pytest.mark.parametrize(
    ("old", "new", "told", "loosens"),
    [
        ("note: required", "note: optional", "a yes need not say why", True),
        ("note: optional", "note: required", "a yes has to say why", False),
        ("second: 5%", "second: 2.5%", "a second person for 2.5 % of calls instead of 5 %", True),
        ("second: 5%", "second: 6%", "a second person for 6 % of calls instead of 5 %", False),
        ("second: 5%", "count: 1", "a second person for 0 % of calls instead of 5 %", True),
    ],
)
def test_a_difference_tells_what_is_asked_less(old: str, new: str, told: str, loosens: bool) -> None:
    (one,) = changed_asking(made(old), made(new))
    assert one.text == f"rule large: {told}"
    (change,) = diff(made(old), made(new))
    assert (change.before, change.after, change.loosens) == ("approval", "approval", loosens)


def codes(*files: tuple[str, str]) -> list[str]:
    loaded = load(BundleFiles({"specs/tools/code.py": CODE.encode()} | {path: text.encode() for path, text in files}))
    return [found.code for found in loaded.diagnostics if found.severity == "error"]


@pytest.mark.parametrize("more", ["second: 5", 'second: "5 %"', "second: 100%", "second: -5%", "second: 05%"])
def test_a_share_that_is_none_is_refused(more: str) -> None:
    assert codes(*documents(more)) in (["E202"], ["E206"])


def test_a_second_person_has_to_be_there() -> None:
    assert codes(*documents("second: 5%", "[ana]")) == ["E508"]
    assert codes(*documents("second: 5%, count: 2")) == ["E508"]
    assert codes(*documents("second: 5%")) == []


@pytest.mark.parametrize("more", ["note: required", "second: 5%"])
def test_only_a_rule_that_asks_has_either(more: str) -> None:
    rules = policy(f"  - {{id: open, tools: [write], effect: allow, {more}}}\n")
    assert codes(*documents("count: 1"), rules) == ["E508"]
