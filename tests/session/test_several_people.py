"""Where several people have to say yes they are several, and none of them is who asked for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.session.decide.decide import decide
from engine.session.state.event import EventKind
from engine.session.state.evolve import fold
from engine.session.state.inputs import ActionConfirmed, CancelRequested, InputRefused, YesTakenBack
from engine.session.state.state import Status
from engine.spec.bundle import Bundle
from tests.bundle_texts import CODE, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

ALL = "  - {id: open, tools: [write], effect: allow}\n"
LARGE = "  - {id: large, tools: [write], effect: require_approval, when: input.n > 100, approvers: [leads], %s}\n"
RISKY = "  - {id: risky, tools: [write], effect: require_approval, when: input.n > 200, approvers: [%s], %s}\n"
NUMBER = "{type: object, properties: {n: {type: integer}}, required: [n], additionalProperties: false}"


def made(rules: str, *, more: str = "", groups: tuple[tuple[str, str], ...] = ()) -> Bundle:
    return bundle(
        agent("[write]", policies="[rules]", more=more),
        policy(ALL + rules),
        tool("write", "write", input=NUMBER),
        reviewers("leads", "[ana, bo, cy]"),
        reviewers("risk", "[ana, di]"),
        *groups,
    )


def held(rules: str, n: int = 300, *, more: str = "", groups: tuple[tuple[str, str], ...] = ()) -> Play:
    play = Play(made(rules, more=more, groups=groups))
    play.plan(call("w", "write", n=n))
    return play


def asked(play: Play) -> list[tuple[str, ...]]:
    return [request.rules for request in play.state.open_requests()]


TWO = LARGE % "count: 2"


def test_two_people_are_asked_where_a_rule_says_so_and_one_of_them_is_not_both() -> None:
    play = held(TWO)
    assert asked(play) == [("large",), ("large",)]
    play.say(play.answer("approve", "ana", 1))
    play.claim()
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW
    assert play.refused(play.answer("approve", "ana", 2)) == "another_person"
    play.say(play.answer("approve", "bo", 2))
    play.claim()
    assert play.started() == ["w"]


def test_a_yes_of_a_token_that_was_stolen_is_taken_back_while_another_persons_is_missing() -> None:
    play = held(TWO)
    play.say(play.answer("approve", "ana", 1))
    assert play.refused(YesTakenBack("s1.1", "ana", play.now)) == "nothing_to_take_back", "the others go by it"
    assert play.refused(YesTakenBack("s1.1", "bo", play.now, "token_revoked")) == "not_yours"
    play.say(YesTakenBack("s1.1", "ana", play.now, "token_revoked"))
    assert play.refused(YesTakenBack("s1.1", "ana", play.now, "token_revoked")) == "nothing_to_take_back"
    play.say(play.answer("approve", "bo", 2))
    play.claim()
    # one yes is too few, and all are asked anew
    assert (play.started(), asked(play)) == ([], [("large",), ("large",)])
    play.say(play.answer("approve", "bo", 3))
    play.say(play.answer("approve", "cy", 4))
    play.claim()
    assert play.started() == ["w"]
    assert play.refused(YesTakenBack("s1.3", "bo", play.now, "token_revoked")) == "nothing_to_take_back", "it ran"


def test_who_said_yes_may_still_say_no_to_the_rest() -> None:
    play = held(TWO)
    play.say(play.answer("approve", "ana", 1))
    play.say(play.answer("deny", "ana", 2))
    play.claim()
    assert play.result("w") == ("blocked", "denied_by_reviewer")


def test_rules_that_ask_the_same_group_share_a_yes_unless_one_is_distinct() -> None:
    assert asked(held(LARGE % "count: 1" + RISKY % ("leads", "count: 1"))) == [("large", "risky")]
    assert asked(held(TWO + RISKY % ("leads", "count: 1"))) == [("large", "risky"), ("large",)]
    play = held(LARGE % "count: 1" + RISKY % ("leads", "distinct: true"))
    assert asked(play) == [("large",), ("risky",)]
    play.say(play.answer("approve", "ana", 1))
    assert play.refused(play.answer("approve", "ana", 2)) == "another_person"
    play.say(play.answer("approve", "cy", 2))
    play.claim()
    assert play.started() == ["w"]


def test_a_distinct_yes_keeps_its_giver_from_what_other_groups_are_asked() -> None:
    play = held(LARGE % "distinct: true" + RISKY % ("risk", "count: 1"))
    by_group = {request.groups: int(request.id[-1]) for request in play.state.open_requests()}
    play.say(play.answer("approve", "ana", by_group["risk",]))
    assert play.refused(play.answer("approve", "ana", by_group["leads",])) == "another_person"
    plain = held(LARGE % "count: 1" + RISKY % ("risk", "count: 1"))
    for request in list(plain.state.open_requests()):
        plain.say(plain.answer("approve", "ana", int(request.id[-1])))
    plain.claim()
    assert plain.started() == ["w"]


def test_an_edit_voids_what_others_said_and_its_editor_counts_once() -> None:
    play = held(TWO)
    play.say(play.answer("approve", "ana", 1))
    play.say(play.answer("approve", "bo", 2, edit={"n": 150}))
    play.claim()
    # one more person has to say yes to what it is now
    (open_,) = play.state.open_requests()
    assert open_.digest == play.call("w").digest
    number = int(open_.id[-1])
    assert play.refused(play.answer("approve", "bo", number)) == "another_person"
    play.say(play.answer("approve", "ana", number))
    play.claim()
    assert play.started() == ["w"]


def test_an_edit_while_another_is_still_asked_asks_that_one_anew() -> None:
    play = held(TWO)
    play.say(play.answer("approve", "ana", 1, edit={"n": 150}))
    assert play.refused(play.answer("approve", "bo", 2)) == "changed"
    play.claim()
    assert [(r.id[-1], r.digest == play.call("w").digest) for r in play.state.open_requests()] == [("3", True)]
    play.say(play.answer("approve", "bo", 3))
    play.claim()
    assert play.started() == ["w"]


def test_an_edit_into_what_nobody_is_asked_about_runs_and_asks_nobody_further() -> None:
    play = held(TWO)
    play.say(play.answer("approve", "ana", 1, edit={"n": 50}))
    play.claim()
    assert play.started() == ["w"]
    assert play.state.open_requests() == []


def test_whoever_asks_for_it_approves_nothing_whoever_started_the_session() -> None:
    more = "requester: session.tenant\n"
    own = Play(made(LARGE % "count: 1", more=more), tenant="ana")
    own.plan(call("w", "write", n=300))
    assert own.refused(own.answer("approve", "ana", 1)) == "own_request"
    own.say(own.answer("approve", "bo", 1))
    own.claim()
    assert own.started() == ["w"]


def test_whoever_a_machine_stands_for_approves_nothing_that_it_asks_for() -> None:
    play = Play(made(LARGE % "count: 1"), started_by="danabot", stands_for=("ana",))
    play.plan(call("w", "write", n=300))
    refused = decide(play.state, play.answer("approve", "ana", 1), play.bundle)
    assert isinstance(refused, InputRefused)
    assert refused.reason == "own_request"
    assert "ana made the token that started this session" in refused.message
    play.say(play.answer("approve", "bo", 1))
    play.claim()
    assert play.started() == ["w"]
    assert fold(play.log).stands_for == ("ana",)


def test_a_requester_that_can_not_be_told_lets_nobody_approve() -> None:
    attributes = "{type: object, properties: {tenant: {type: string}, user: {type: string}}, required: [tenant, user]}"
    path, text = agent("[write]", policies="[rules]", more="requester: session.user\n")
    head, _, rest = text.partition("attributes:")
    text = f"{head}attributes: {attributes}\n{rest.partition(chr(10))[2]}"
    made_ = bundle(
        (path, text),
        policy(ALL + LARGE % "count: 1"),
        tool("write", "write", input=NUMBER),
        reviewers("leads", "[ana]"),
    )
    play = Play(made_, tenant="acme", user="cy")
    play.plan(call("w", "write", n=300))
    attributes_ = {"tenant": "acme"}
    object.__setattr__(play.state, "attributes", attributes_)
    assert play.refused(play.answer("approve", "ana", 1)) == "own_request"


def test_a_group_may_be_of_whoever_identifies_with_a_role() -> None:
    group = ("specs/reviewers/fraud.yaml", "kind: Reviewers\nname: fraud\nroles: [fraud-team]\n")
    play = held(RISKY % ("fraud", "count: 2"), groups=(group,))
    assert play.refused(play.answer("approve", "eve", 1)) == "not_a_member"
    assert play.refused(play.answer("approve", "eve", 1, roles=["support"])) == "not_a_member"
    play.say(play.answer("approve", "eve", 1, roles=["support", "fraud-team"]))
    answered = next(event for event in play.log if event.kind is EventKind.REQUEST_ANSWERED)
    # of what they are, only what counted is kept
    assert answered.payload["roles"] == ["fraud-team"]
    assert play.refused(play.answer("approve", "eve", 2, roles=["fraud-team"])) == "another_person"
    play.say(play.answer("approve", "mo", 2, roles=["fraud-team"]))
    play.claim()
    assert play.started() == ["w"]


def test_a_listed_member_is_one_whatever_they_identify_with_and_no_role_is_kept_for_it() -> None:
    play = held(LARGE % "count: 1")
    play.say(play.answer("approve", "ana", 1, roles=["support"]))
    answered = next(event for event in play.log if event.kind is EventKind.REQUEST_ANSWERED)
    assert "roles" not in answered.payload


def test_the_customer_confirms_for_one_and_a_person_has_to_for_the_other() -> None:
    both = "  - {id: large, tools: [write], effect: require_approval, approvers: [customer, leads], count: 2}\n"
    play = held(both)
    assert [request.groups for request in play.state.open_requests()] == [("customer", "leads")] * 2
    play.say(play.answer("approve", "customer", 1))
    assert play.refused(play.answer("approve", "customer", 2)) == "another_person"
    play.say(play.answer("approve", "bo", 2))
    play.claim()
    assert play.started() == ["w"]


def test_a_session_that_is_over_leaves_nobody_asked() -> None:
    play = held(TWO)
    play.say(CancelRequested("me", play.now))
    play.claim()
    assert play.state.final
    assert play.state.open_requests() == []


def test_the_same_edit_of_one_person_is_one_yes_and_nobody_is_judged_for_ever() -> None:
    play = held(LARGE % "count: 1" + RISKY % ("risk", "distinct: true"))
    by_group = {request.groups: int(request.id[-1]) for request in play.state.open_requests()}
    play.say(play.answer("approve", "ana", by_group["leads",], edit={"n": 250}))
    again = play.answer("approve", "ana", by_group["risk",], edit={"n": 250})
    assert play.refused(again) == "another_person"
    play.say(play.answer("approve", "di", by_group["risk",], edit={"n": 250}))
    play.claim()
    assert play.started() == ["w"]


def test_an_edit_that_changes_nothing_is_a_yes_like_any_other() -> None:
    play = held(TWO)
    play.say(play.answer("approve", "ana", 1))
    assert play.refused(play.answer("approve", "ana", 2, edit={"n": 300})) == "another_person"
    play.say(play.answer("approve", "bo", 2, edit={"n": 300}))
    play.claim()
    assert play.started() == ["w"]


def test_an_edit_back_to_what_it_was_keeps_its_editors_yes() -> None:
    play = held(TWO)
    play.say(play.answer("approve", "ana", 1, edit={"n": 150}))
    play.say(play.answer("approve", "bo", 2, edit={"n": 300}))
    play.claim()
    (left,) = play.state.open_requests()
    play.say(play.answer("approve", "ana", int(left.id[-1])))
    play.claim()
    assert play.started() == ["w"]


def test_what_people_go_by_may_not_change_after_an_edit_either() -> None:
    rule = "{id: large, tools: [write], effect: require_approval, when: account.by > 10, approvers: [leads], count: 2}"
    play = Play(
        bundle(
            agent("[write, look]", policies="[rules]"),
            policy(f"{ALL}  - {rule}\n", facts="{account: {tool: look, input: {n: input.n}}}"),
            tool("write", "write", input=NUMBER),
            tool("look", output="{type: object, properties: {by: {type: integer}}, required: [by]}"),
            reviewers("leads", "[ana, bo, cy]"),
        )
    )
    play.plan(call("w", "write", n=300))
    play.read({"by": 100})
    play.say(play.answer("approve", "ana", 1, edit={"n": 250}))
    play.claim()
    play.read({"by": 100})
    (left,) = play.state.open_requests()
    play.say(play.answer("approve", "bo", int(left.id[-1])))
    play.claim()
    play.read({"by": 20})
    assert play.started() == []
    assert play.state.open_requests()


def test_the_customers_one_yes_beforehand_is_to_one_distinct_rule_and_nobody_is_judged_for_ever() -> None:
    rules = (
        "  - {id: confirm, tools: [write], effect: require_approval, approvers: [customer]}\n"
        "  - {id: second, tools: [write], effect: require_approval, approvers: [customer, leads], distinct: true}\n"
    )
    for text in (rules, rules.replace("[customer]}", "[customer], distinct: true}")):
        play = Play(made(text))
        play.say(ActionConfirmed("write", {"n": 300}, play.now))
        play.plan(call("w", "write", n=300))
        (left,) = play.state.open_requests()
        assert left.rules == ("second",)
        play.say(play.answer("approve", "bo", int(left.id[-1])))
        play.claim()
        assert play.started() == ["w"]


def test_a_yes_after_which_nobody_is_left_for_the_rest_is_refused() -> None:
    play = Play(
        bundle(
            agent("[write]", policies="[rules]"),
            policy(ALL + LARGE % "count: 1" + RISKY % ("risk", "distinct: true")),
            tool("write", "write", input=NUMBER),
            reviewers("leads", "[ana, bo]"),
            reviewers("risk", "[ana]"),
        )
    )
    play.plan(call("w", "write", n=300))
    by_group = {request.groups: int(request.id[-1]) for request in play.state.open_requests()}
    assert play.refused(play.answer("approve", "ana", by_group["leads",])) == "needed_elsewhere"
    play.say(play.answer("approve", "bo", by_group["leads",]))
    play.say(play.answer("approve", "ana", by_group["risk",]))
    play.claim()
    assert play.started() == ["w"]


def codes(*documents: tuple[str, str]) -> list[str]:
    files = {path: text.encode() for path, text in documents} | {"specs/tools/code.py": CODE.encode()}
    loaded = load(BundleFiles(files))
    return [found.code for found in loaded.diagnostics if found.severity == "error"]


@pytest.mark.parametrize(
    ("rule", "group", "code"),
    [
        ("effect: allow, count: 2", "members: [ana, bo]", "E508"),
        ("effect: deny, distinct: true", "members: [ana, bo]", "E508"),
        ("effect: require_approval, approvers: [leads], count: 3", "members: [ana, bo]", "E508"),
        ("effect: require_approval, approvers: [customer], count: 2", "members: [ana, bo]", "E508"),
        ("effect: require_approval, approvers: [leads], count: 0", "members: [ana, bo]", "E206"),
        ("effect: require_approval, approvers: [leads]", "members: [ana, customer]", "E312"),
        ("effect: require_approval, approvers: [leads]", "description: nobody", "E203"),
    ],
)
def test_what_nobody_could_ever_meet_is_said_when_it_is_loaded(rule: str, group: str, code: str) -> None:
    files = (
        agent("[write]", policies="[rules]"),
        policy(f"{ALL}  - {{id: large, tools: [write], {rule}}}\n"),
        tool("write", "write", input=NUMBER),
        ("specs/reviewers/leads.yaml", f"kind: Reviewers\nname: leads\n{group}\n"),
    )
    assert codes(*files) == [code]


@pytest.mark.parametrize("requester", ["session.zip", "session.user", "\"'ana'\"", "null"])
def test_a_requester_is_a_text_of_each_session(requester: str) -> None:
    """One that may be null would let whoever asked approve."""
    path, text = agent("[write]", policies="[rules]", more=f"requester: {requester}\n")
    text = text.replace("zip: {type: integer}", "zip: {type: integer}, user: {type: [string, 'null']}")
    assert codes((path, text), policy(ALL), tool("write", "write", input=NUMBER)) == ["E404"]


def test_yeses_of_one_person_that_stand_in_a_log_all_the_same_start_nothing() -> None:
    """Whoever wrote it: what was promised is counted once more where the call would start."""
    for rules in (TWO, LARGE % "count: 1" + RISKY % ("leads", "distinct: true")):
        play = held(rules)
        play.say(play.answer("approve", "ana", 1))
        (second,) = decide(play.state, play.answer("approve", "bo", 2), play.bundle)  # type: ignore[misc]
        forged = replace(second, payload={**second.payload, "by": "ana"})
        play.log.append(forged)
        play.state = fold([forged], play.state)
        play.claim()
        assert play.started() == []
        assert play.state.status is Status.AWAITING_HUMAN_REVIEW
