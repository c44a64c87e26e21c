"""Of a group those are asked whom a fact names: the owner of this system, and nobody else of the owners."""

from __future__ import annotations

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.session.state.event import EventKind
from engine.session.state.state import Status
from tests.bundle_texts import CODE, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

ALL = "  - {id: open, tools: [write], effect: allow}\n"
NUMBER = "{type: object, properties: {n: {type: integer}}, required: [n], additionalProperties: false}"
SYSTEM = "{type: object, properties: {owner: {type: string}, owners: {type: array, items: {type: string}}, n: {type: [integer, 'null']}, deputy: {type: [string, 'null']}}, required: [owner, owners, n, deputy]}"
FACTS = "{system: {tool: get_system, input: {}}}"
OWNER = "  - {id: owned, tools: [write], effect: require_approval, when: input.n > 100, approvers: [%s], %s}\n"
OF = "{group: owners, of: system.owner}"


def documents(rules: str, *groups: tuple[str, str], more: str = "") -> list[tuple[str, str]]:
    return [
        agent("[write]", policies="[rules]", more=more),
        policy(ALL + rules, facts=FACTS),
        tool("write", "write", input=NUMBER),
        tool("get_system", output=SYSTEM, input="{type: object, additionalProperties: false}"),
        *groups,
    ]


def held(rules: str, *groups: tuple[str, str], owner: str = "bea", started_by: str | None = None, **more: str) -> Play:
    play = Play(bundle(*documents(rules, *groups, **more)), started_by=started_by)
    play.plan(call("w", "write", n=300))
    reads(play, owner)
    return play


def reads(play: Play, *owners: str) -> None:
    play.read({"owner": owners[0], "owners": list(owners), "n": None, "deputy": None})


LEADS, OWNERS = reviewers("leads", "[ana, bo]"), reviewers("owners", "[bea, carl]")


@pytest.mark.parametrize("groups", [(), (OWNERS,)])
def test_the_owner_of_this_system_says_yes_and_no_other(groups: tuple[tuple[str, str], ...]) -> None:
    play = held(OWNER % (OF, "count: 1"), *groups)
    (request,) = play.state.open_requests()
    assert (request.groups, request.names) == (("owners",), {"owners": ("bea",)})
    for other in ("carl", "ana", "customer", "bea ", ""):
        assert play.refused(play.answer("approve", other)) == "not_a_member"
    play.say(play.answer("approve", "bea"))
    play.claim()
    reads(play, "bea")
    assert play.started() == ["w"]


def test_a_name_that_a_fact_gives_makes_nobody_a_member_of_a_group_that_knows_its_people() -> None:
    assert held(OWNER % (OF, "count: 1"), OWNERS, owner="mallory").result("w") == ("blocked", "nobody_to_ask")
    play = held(OWNER % (f"leads, {OF}", "count: 1"), LEADS, OWNERS, owner="mallory")
    assert play.refused(play.answer("approve", "mallory")) == "not_a_member"
    assert play.refused(play.answer("approve", "bea")) == "not_a_member"


def test_another_owner_by_the_time_of_the_yes_is_asked_anew() -> None:
    play = held(OWNER % (OF, "count: 1"))
    play.say(play.answer("approve", "bea"))
    play.claim()
    reads(play, "carl")
    assert play.started() == []
    (request,) = play.state.open_requests()
    assert request.names == {"owners": ("carl",)}
    assert play.refused(play.answer("approve", "bea", 2)) == "not_a_member"


def test_an_edit_to_what_another_owns_is_asked_of_the_other() -> None:
    play = held(OWNER % (OF, "count: 1"))
    play.say(play.answer("approve", "bea", edit={"n": 150}))
    play.claim()
    reads(play, "carl")
    assert play.started() == []
    (request,) = play.state.open_requests()
    assert request.names == {"owners": ("carl",)}
    play.say(play.answer("approve", "carl", int(request.id[-1])))
    play.claim()
    reads(play, "carl")
    assert play.started() == ["w"]


def test_a_member_of_a_whole_group_is_asked_whoever_the_owner_is() -> None:
    play = held(OWNER % (f"leads, {OF}", "count: 1"), LEADS)
    play.say(play.answer("approve", "ana", edit={"n": 150}))
    play.claim()
    reads(play, "carl")
    assert play.started() == ["w"]


def test_who_is_on_duty_by_the_clock_is_who_is_on_duty_when_it_runs() -> None:
    rule = OWNER % ("{group: duty, of: \"'bea' if now < datetime('2026-01-01T09:30:00Z') else 'carl'\"}", "count: 1")
    play = Play(bundle(*documents(rule)))
    play.plan(call("w", "write", n=300))
    play.pass_time(3600)
    play.say(play.answer("approve", "bea"))
    play.claim()
    assert play.started() == []
    assert [one.names for one in play.state.open_requests()] == [{"duty": ("carl",)}]


def test_a_yes_was_to_the_owners_as_they_were() -> None:
    play = Play(bundle(*documents(OWNER % ("{group: owners, of: system.owners}", "count: 1"))))
    play.plan(call("w", "write", n=300))
    reads(play, "bea", "carl")
    play.say(play.answer("approve", "bea"))
    play.claim()
    reads(play, "bea")
    assert play.started() == []
    assert [one.names for one in play.state.open_requests()] == [{"owners": ("bea",)}]


def test_a_stranger_is_told_of_no_name() -> None:
    play = held(OWNER % (OF, "count: 1"))
    from engine.session.decide.decide import decide
    from engine.session.state.inputs import InputRefused

    refused = decide(play.state, play.answer("approve", "mallory"), play.bundle)
    assert isinstance(refused, InputRefused)
    assert "bea" not in refused.message


def test_a_whole_group_may_be_asked_beside() -> None:
    play = held(OWNER % (f"leads, {OF}", "count: 1"), LEADS)
    play.say(play.answer("approve", "ana"))
    play.claim()
    reads(play, "bea")
    assert play.started() == ["w"]


@pytest.mark.parametrize("owner", ["", " ", "customer"])
def test_who_is_nobody_is_not_waited_for(owner: str) -> None:
    play = held(OWNER % (OF, "count: 1"), owner=owner)
    assert play.state.open_requests() == []
    assert play.result("w") == ("blocked", "nobody_to_ask")


def test_an_owner_who_asked_for_it_is_nobody() -> None:
    assert held(OWNER % (OF, "count: 1"), started_by="bea").result("w") == ("blocked", "nobody_to_ask")


def test_where_nobody_can_say_who_asked_nobody_is_asked() -> None:
    path, text = agent("[write]", policies="[rules]", more="requester: session.tenant\n")
    others = documents(OWNER % (OF, "count: 1"))[1:]
    play = Play(bundle((path, text), *others))
    play.plan(call("w", "write", n=300))
    object.__setattr__(play.state, "attributes", {})
    reads(play, "bea")
    assert play.result("w") == ("blocked", "nobody_to_ask")


def test_a_fact_that_can_not_be_read_names_nobody() -> None:
    play = Play(bundle(*documents(OWNER % (OF, "count: 1"))))
    play.plan(call("w", "write", n=300))
    play.read(problem="away")
    assert play.result("w") == ("blocked", "nobody_to_ask")


def test_a_list_names_several_and_as_many_as_the_rule_needs() -> None:
    rule = OWNER % ("{group: owners, of: system.owners}", "count: 2")
    play = Play(bundle(*documents(rule)))
    play.plan(call("w", "write", n=300))
    reads(play, "bea", "carl")
    assert [one.names for one in play.state.open_requests()] == [{"owners": ("bea", "carl")}] * 2
    play.say(play.answer("approve", "bea"))
    play.claim()
    reads(play, "bea", "carl")
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW
    play.say(play.answer("approve", "carl", 2))
    play.claim()
    reads(play, "bea", "carl")
    assert play.started() == ["w"]
    few = Play(bundle(*documents(rule)))
    few.plan(call("w", "write", n=300))
    reads(few, "bea")
    assert few.result("w") == ("blocked", "nobody_to_ask")


def test_the_log_says_whom_each_verdict_named() -> None:
    play = held(OWNER % (OF, "count: 1"))
    (verdict,) = [event for event in play.log if event.kind is EventKind.VERDICT]
    assert verdict.payload["names"] == {"owned": {"owners": ["bea"]}}
    assert verdict.payload["asks"]["owned"]["system.owner"] == "bea"


@pytest.mark.parametrize(
    ("approvers", "code"),
    [
        ("{group: owners, of: system.deputy}", "E404"),
        ("{group: owners, of: system.n}", "E404"),
        ("{group: owners, of: input.n}", "E404"),
        ("{group: owners, of: 'system.owner +'}", "E401"),
        ("{group: customer, of: system.owner}", "E508"),
        ("owners, {group: owners, of: system.owner}", "E508"),
        ("{group: leeds, of: system.owner}", "E307"),
        ("{group: owners}", "E203"),
        ("{of: system.owner}", "E203"),
    ],
)
def test_what_names_nobody_is_said_before_it_runs(approvers: str, code: str) -> None:
    files = {path: text.encode() for path, text in documents(OWNER % (approvers, "count: 1"), LEADS, OWNERS)}
    found = load(BundleFiles({**files, "specs/tools/code.py": CODE.encode()})).diagnostics
    assert [one.code for one in found if one.code.startswith("E")] == [code]
