"""A fixture that answers what is not asked is told what is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bundle_texts import agent, bundle, policy, reviewers, tool
from tests.testing.live import KEYED, fixture, ran

ASKS = "  - {id: asks, tools: writes, effect: require_approval, approvers: [leads]}\n  - {id: open, tools: writes, effect: allow}\n"


@pytest.mark.parametrize(("then", "calls", "what", "told"), [
    ({"answer": {"by": "ana", "value": 1}}, ["act"], "a question to answer", "what is open is of another kind: approval of leads"),
    ({"confirm": True}, ["act"], "a customer's approval to answer", "what is open is of another kind: approval of leads"),
    ({"approve": {"by": "ana"}}, [], "an approval to answer", "nothing was ever asked"),
])  # fmt: skip
async def test_what_is_open_is_told_where_something_else_is_answered(
    then: dict[str, Any], calls: list[str], what: str, told: str
) -> None:
    made = bundle(
        agent("[act]", policies="[rules]"), policy(ASKS), reviewers("leads", "[ana]"), tool("act", "write", more=KEYED)
    )
    report = await ran(made, fixture(*calls, then=[then]))
    assert [(one.expected, one.came) for one in report.failures if one.what == "then"] == [(what, told)]


async def test_what_is_answered_already_is_not_said_never_to_have_been_asked() -> None:
    made = bundle(
        agent("[act]", policies="[rules]"), policy(ASKS), reviewers("leads", "[ana]"), tool("act", "write", more=KEYED)
    )
    report = await ran(made, fixture("act", then=[{"deny": {"by": "ana"}}, {"answer": {"by": "ana", "value": 1}}]))
    assert [one.came for one in report.failures if one.what == "then"] == ["nothing that was asked is of this kind"]


async def test_a_yes_of_a_fixture_is_taken_back_and_one_that_is_given_again_counts_after_its_delay() -> None:
    delayed = ASKS.replace("approvers: [leads]", "approvers: [leads], settle_delay: 10s")
    made = bundle(
        agent("[act]", policies="[rules]"),
        policy(delayed),
        reviewers("leads", "[ana, bo]"),
        tool("act", "write", more=KEYED),
    )
    yes, resume = {"approve": {"by": "ana"}}, {"resume": True}
    back: list[Any] = [yes, {"take_back": "ana"}, {"wait": "1m"}, resume]
    stubs: dict[str, Any] = {"act": {"output": {}}}
    report = await ran(made, fixture("act", then=back, stubs=stubs))
    assert [one.what for one in report.failures] == ["state"], "it waits still"
    report = await ran(
        made, fixture("act", then=[*back, {"approve": {"by": "bo"}}, {"wait": "10s"}, resume], stubs=stubs)
    )
    assert report.failures == ()
    for wrong, why in (([{"take_back": "ana"}], "nothing_to_take_back"), ([yes, {"take_back": "bo"}], "not_yours")):
        report = await ran(made, fixture("act", then=[*wrong, {"refused": why}], stubs=stubs))
        assert [one.what for one in report.failures] == ["state"], why
