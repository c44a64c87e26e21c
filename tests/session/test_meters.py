"""Business meters: reserved before a call starts, given back if it never happened, never beyond their limit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.state import Phase, Status
from engine.spec.bundle import Bundle
from engine.spec.limits import Limits
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.session.play import Play, call

METERS = "{meters: {usd: {sum: input.usd, over: [pay, keyed], limit: 100}}}"
PAY = "{type: object, properties: {usd: {type: number}, to: {type: string}}, required: [usd]}"


def made(meters: str = METERS, rules: str = ALLOW) -> Bundle:
    keyed = "idempotency: {key: [input.to], honoured_by: tool}\n"
    return bundle(
        agent("[pay, keyed, look]", policies="[rules]", budgets=meters),
        policy(rules),
        tool("pay", "write", input=PAY),
        tool("keyed", "write", input=PAY, more=keyed),
        tool("look"),
    )


def spent(play: Play) -> Any:
    return play.state.used.meter("usd")


def test_two_writes_that_are_each_under_a_meter_and_together_over_it_are_not_both_made() -> None:
    play = Play(made())
    play.plan(call("a", "pay", usd=60), call("b", "pay", usd=60))
    play.returns("a")
    assert play.result("b") == ("blocked", "meter_full")
    assert spent(play) == 60
    crossed = next(e for e in play.log if e.kind is EventKind.LIMIT_CROSSED)
    assert {k: crossed.payload[k] for k in ("limit", "used", "allowed", "crossing")} == {
        "limit": "meters.usd", "used": 60, "allowed": 100, "crossing": "block",
    }  # fmt: skip


def test_a_meter_may_be_filled_to_the_brim() -> None:
    play = Play(made())
    play.plan(call("a", "pay", usd=60))
    play.returns("a")
    play.plan(call("b", "pay", usd=40))
    assert play.running == ["b"]
    assert spent(play) == 100


def test_what_a_call_adds_is_in_the_log_before_it_runs() -> None:
    play = Play(made())
    play.plan(call("a", "pay", usd=Decimal("9.5")))
    started = next(e for e in play.log if e.kind is EventKind.CALL_STARTED)
    assert started.payload["reserved"] == [{"meter": "usd", "amount": Decimal("9.5"), "limit": 100}]
    assert spent(play) == Decimal("9.5")


@pytest.mark.parametrize(("how", "left"), [("error", 0), ("timeout", 60)])
def test_a_call_that_failed_gives_back_and_one_that_nobody_can_vouch_for_does_not(how: str, left: int) -> None:
    play = Play(made())
    play.plan(call("a", "pay", usd=60))
    play.fails("a", how)
    assert spent(play) == left


@pytest.mark.parametrize(("value", "left"), [("did_not_happen", 0), ("abandon", 60)])
def test_what_was_settled_is_given_back_only_if_it_did_not_happen(value: str, left: int) -> None:
    play = Play(made())
    play.plan(call("a", "pay", usd=60))
    play.fails("a", "timeout")
    play.say(play.answer("answer", "ana", value=value))
    play.claim()
    assert spent(play) == left


def test_an_amount_that_can_not_be_is_blocked() -> None:
    play = Play(made())
    play.plan(call("a", "pay", usd=-1))
    assert play.result("a") == ("blocked", "meter_error")


def test_an_amount_without_a_value_is_blocked() -> None:
    play = Play(made("{meters: {usd: {sum: 100 / input.usd, over: [pay], limit: 100}}}"))
    play.plan(call("a", "pay", usd=0))
    assert play.result("a") == ("blocked", "meter_error")


def test_a_meter_that_stops_ends_the_session_when_the_step_is_over() -> None:
    play = Play(made(METERS.replace("limit: 100", "limit: 100, crossing: stop")))
    play.plan(call("a", "pay", usd=60), call("b", "pay", usd=60))
    play.returns("a")
    assert play.state.status is Status.OUT_OF_BUDGET


def test_no_approval_overrides_a_meter() -> None:
    rules = ALLOW + "\n  - {id: sure, tools: [pay], effect: require_approval, approvers: [customer]}"
    play = Play(made(rules=rules))
    play.plan(call("a", "pay", usd=160))
    assert play.call("a").phase is Phase.HELD
    play.say(play.answer("approve", "customer"))
    play.claim()
    assert play.result("a") == ("blocked", "meter_full")


def test_rules_see_what_the_session_has_added() -> None:
    rules = ALLOW + "\n  - {id: half, tools: [pay], effect: deny, when: meters.usd.used > 50 and meters.usd.left < 50}"
    play = Play(made(rules=rules))
    play.plan(call("a", "pay", usd=60))
    play.returns("a")
    play.plan(call("b", "pay", usd=1))
    assert play.result("b") == ("blocked", "half")


SHARED = "{meters: {usd: {sum: input.usd, over: [pay], limit: 100, per: session.zip, window: 1h}}}"


def test_a_shared_meter_is_reserved_under_its_key_and_its_window() -> None:
    play = Play(made(SHARED), tenant="acme", zip=7)
    play.plan(call("a", "pay", usd=160))
    started = next(e for e in play.log if e.kind is EventKind.CALL_STARTED)
    assert started.payload["reserved"] == [
        {
            "meter": "usd", "amount": 160, "limit": 100, "key": '["acme","usd",7]',
            "since": "2026-01-01T08:00:00.000000Z",
        }
    ]  # fmt: skip


def test_a_refusal_of_the_store_blocks_the_call_with_what_is_used_and_the_limit() -> None:
    play = Play(made(SHARED))
    play.say(inputs.MeterFull("a", "usd", 90, 100, play.now))
    play.plan(call("a", "pay", usd=60))
    assert play.result("a") == ("blocked", "meter_full")
    result = play.call("a").result
    assert result is not None
    assert "usd has 90 of 100" in result.message
    assert play.started() == []


def test_a_further_attempt_reserves_nothing_more() -> None:
    play = Play(made())
    play.plan(call("a", "keyed", usd=60, to="x"))
    play.claim()
    assert play.call("a").attempt == 2
    assert spent(play) == 60


def test_limits_with_meters_come_back_from_the_log() -> None:
    limits = Limits(meters={"usd": Decimal("9.5")}, crossing={"meters.usd": "stop"})
    assert Limits.from_payload(limits.payload()) == limits


def test_what_a_call_adds_is_read_as_its_own_tool_declares_it() -> None:
    optional = "{type: object, properties: {usd: {type: number}}}"
    made_ = bundle(
        agent("[pay, tip]", policies="[rules]",
              budgets="{meters: {usd: {sum: 'input.usd if input.usd != null else 1', over: [pay, tip], limit: 9}}}"),
        policy(ALLOW), tool("pay", "write", input=PAY), tool("tip", "write", input=optional),
    )  # fmt: skip
    play = Play(made_)
    play.plan(call("a", "tip"))
    assert spent(play) == 1


def test_a_tool_that_a_meter_does_not_name_adds_nothing() -> None:
    play = Play(made())
    play.plan(call("a", "look"))
    assert play.running == ["a"]
    assert spent(play) == 0
