"""Who is told of a request and when, as its rule says: reminded, or only once others have not answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.language.value import canonical, timestamp
from engine.notify.due import due_deliveries, escalations
from engine.notify.notification import HttpTarget, MessageForm, Moment, Notification
from engine.ports.records import RequestRow
from engine.proof.bundle_diff import changed_asking
from engine.session.state.event import EventKind
from engine.spec.bundle import Bundle
from engine.store.rows import request_row
from engine.web.pages.card import row_of, words_of
from tests.bundle_texts import CODE, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

OPENED = datetime(2026, 1, 1, 9, tzinfo=UTC)
TARGET = HttpTarget("https://hooks.example.org", None, None, MessageForm.STANDARD, False)
ASKED = {"groups": ["leads", "directors"], "remind": ["1h", "4h"], "escalate": {"directors": "8h"}}
RULE = "  - {id: open, tools: [write], effect: allow}\n  - {id: %s, tools: [write], effect: require_approval, approvers: [%s]%s}\n"


def asked(**more: Any) -> RequestRow:
    return RequestRow("s.1", "approval", "s", "open", OPENED, None, {**ASKED, **more})


def told(hours: float, *groups: str, row: RequestRow | None = None, **more: Any) -> list[str]:
    notification = Notification("desk", TARGET, frozenset(more.pop("tell", {Moment.OPENED})), frozenset(groups), **more)
    found = due_deliveries(notification, [row or asked()], [], OPENED + timedelta(hours=hours))
    return [one.kind for one in found]


def test_who_is_asked_first_is_told_at_once_and_again_as_the_rule_says() -> None:
    assert told(0, "leads") == ["opened"]
    assert told(1, "leads") == ["opened", "reminded.1"]
    assert told(9, "leads") == ["opened", "reminded.2"]
    assert told(9, "leads", remind=(timedelta(hours=8),)) == ["opened", "reminded.3"], "both say when"


def test_who_is_told_later_hears_nothing_before() -> None:
    assert told(7.9, "directors") == []
    assert told(8, "directors") == ["escalated.1"]
    assert told(8, "others") == []
    # whoever is told of all groups is told of both
    assert told(8) == ["opened", "reminded.2", "escalated.1"]


def test_what_tells_of_no_opening_goes_by_its_own_times_alone() -> None:
    assert told(9, "leads", tell=set()) == []
    assert told(9, "leads", tell=set(), escalate=timedelta(hours=2)) == ["escalated"]


def test_nobody_is_told_while_a_yes_waits_to_count() -> None:
    row = asked()
    waiting = RequestRow(row.id, row.kind, "s", "open", OPENED, None, ASKED, "", OPENED + timedelta(hours=9))
    assert told(8, row=waiting) == []


def test_a_damaged_time_is_none_and_others_are_told() -> None:
    assert told(9, row=asked(remind=["soon"], escalate={"directors": "late"})) == ["opened"]


@pytest.mark.parametrize("damage", [{"remind": 5}, {"escalate": "x"}, {"escalate": ["a"]}, {"names": 5}, {"note": 1}])
def test_a_row_that_is_damaged_says_so_and_keeps_nobody_from_being_told(damage: dict[str, Any]) -> None:
    payload = {"tool": "t", "input": {}, "rules": [], "reason": "", "message": "", "schema": None, "digest": "d",
               "expires_at": None, **ASKED}  # fmt: skip
    stored = ("s.1", "approval", "s", "open", timestamp(OPENED), None, None)
    good = request_row((*stored, canonical(payload)))
    bad = request_row((*stored, canonical(payload | damage)))
    assert (good.problem, bad.problem, dict(bad.payload)) == ("", "its content is no request", {})
    assert told(9, row=bad) == ["opened"]


def test_the_inbox_tells_whom_it_goes_to_and_has_gone_to() -> None:
    words = words_of(asked())
    assert row_of(asked(), words, OPENED + timedelta(hours=6)).escalated == "goes to directors in 2 h 0 min"
    assert row_of(asked(), words, OPENED + timedelta(hours=8)).escalated == "escalated to directors"


def documents(rules: str) -> Iterator[tuple[str, str]]:
    yield from (agent("[write]", policies="[rules]"), tool("write", "write"), policy(rules))
    yield from (reviewers("leads", "[ana]"), reviewers("directors", "[dee]"))


def made(more: str) -> Bundle:
    return bundle(*documents(RULE % ("large", "leads, directors", more)))


def test_a_request_says_what_all_of_its_rules_say_and_each_group_is_told_at_the_earliest() -> None:
    first = RULE % ("large", "leads, directors", ", remind: [4h, 1h], escalate: {after: 8h, to: directors}")
    other = "  - {id: more, tools: [write], effect: require_approval, approvers: [leads, directors], remind: [90m, 1h], escalate: {after: 2h, to: directors}}\n"
    play = Play(bundle(*documents(first + other)))
    play.plan(call("w", "write"))
    (event,) = [event for event in play.log if event.kind is EventKind.REQUEST_OPENED]
    assert (event.payload["remind"], event.payload["escalate"]) == (["1h", "90m", "4h"], {"directors": "2h"})
    row = RequestRow("s1.1", "approval", "s1", "open", event.at, None, event.payload)
    assert escalations(row) == {"directors": timedelta(hours=2)}


def test_who_one_rule_tells_at_once_is_told_at_once() -> None:
    one = ", escalate: {after: 8h, to: directors}"
    for more in (", escalate: {after: 8h, to: leads}", ""):
        other = RULE.splitlines()[1] % ("more", "leads, directors", more) + "\n"
        play = Play(bundle(*documents(RULE % ("large", "leads, directors", one) + other)))
        play.plan(call("w", "write"))
        (event,) = [event for event in play.log if event.kind is EventKind.REQUEST_OPENED]
        assert "escalate" not in event.payload


def test_who_was_told_later_is_reminded_from_then_on_and_told_of_an_end_alone_that_came_behind() -> None:
    row = asked(remind=["1h", "12h"])
    assert told(7, "directors", row=row) == []
    assert told(13, "directors", row=row) == ["reminded.2", "escalated.1"]
    ending = Notification("desk", TARGET, frozenset({Moment.OPENED, Moment.ENDED}), frozenset({"directors"}))
    for hours, kinds in ((1, []), (9, ["ended"])):
        found = due_deliveries(ending, [], [row], OPENED + timedelta(hours=hours))
        assert [one.kind for one in found] == kinds


def test_a_diff_tells_of_it_and_takes_it_for_no_loosening() -> None:
    (change,) = changed_asking(made(""), made(", remind: [1h], escalate: {after: 8h, to: directors}"))
    assert change.text == "rule large: people are reminded after 1h, directors is told after 8h"
    assert change.name == ""
    (change,) = changed_asking(made(", remind: [1h]"), made(""))
    assert change.text == "rule large: nobody is told later"


@pytest.mark.parametrize(
    ("approvers", "more", "told"),
    [
        ("leads", "escalate: {after: 8h, to: directors}", "could not answer"),
        ("leads", "escalate: {after: 8h, to: leads}", "nobody else is asked before"),
        ("leads, customer", "escalate: {after: 8h, to: customer}", "a customer is told by"),
        ("leads, customer", "escalate: {after: 8h, to: leads}", "nobody else is asked before"),
        ("leads", "settle_delay: 25h", "a day at most"),
        ("leads, directors", "escalate: {after: 0s, to: directors}", "more than 0"),
        ("leads", "remind: [0s]", "more than 0"),
    ],
)
def test_what_nobody_could_mean_is_refused(approvers: str, more: str, told: str) -> None:
    files = {path: text.encode() for path, text in documents(RULE % ("large", approvers, f", {more}"))}
    found = load(BundleFiles(files | {"specs/tools/code.py": CODE.encode()})).diagnostics
    assert any(one.severity == "error" and told in one.message for one in found), found


def test_who_asks_nobody_reminds_nobody() -> None:
    rules = "  - {id: open, tools: [write], effect: allow, remind: [1h]}\n"
    files = {path: text.encode() for path, text in documents(rules)} | {"specs/tools/code.py": CODE.encode()}
    assert "E508" in [one.code for one in load(BundleFiles(files)).diagnostics]
