"""What all sessions have added to a meter is asked for before a rule that reads it, and fails closed where it can't be."""

from __future__ import annotations

from engine.session.shared_meters import shared_questions
from engine.session.state.event import EventKind
from tests.bundle_texts import ALLOW, agent, bundle, policy, tool
from tests.session.play import Play, call

INPUT = (
    "{type: object, properties: {to: {type: string}, tags: {type: array, maxItems: 3, items: {type: string}}},"
    " required: [to, tags]}"
)
RULES = ALLOW + "\n  - {id: spent, tools: [pay], effect: deny, when: meters.pays.shared.left < 1}"


def playing() -> Play:
    meter = "{meters: {pays: {sum: 1, over: [pay], limit: 5, per: first(input.tags), window: 24h}}}"
    made = bundle(
        agent("[pay, look]", policies="[rules]", budgets=meter), policy(RULES),
        tool("pay", "write", input=INPUT, more="idempotency: none"), tool("look"),
    )  # fmt: skip
    return Play(made)


def last_verdict(play: Play) -> tuple[str, str]:
    verdict = [e.payload for e in play.log if e.kind is EventKind.VERDICT][-1]
    errors = [rule.get("error", "") for rule in verdict["rules"] if rule["rule"] == "spent"]
    return verdict["verdict"], errors[0]


def test_a_meter_that_was_read_is_judged_by_and_one_that_could_not_be_read_denies() -> None:
    play = playing()
    play.plan(call("a", "pay", to="ada", tags=["x"]))
    play.read({"used": 4})
    assert play.started() == ["a"]
    play.returns("a")
    play.plan(call("b", "pay", to="bo", tags=["y"]))
    play.read(problem="the store is away")
    assert last_verdict(play) == ("deny", "the meter `pays` could not be read: the store is away")


def test_what_the_store_says_of_a_meter_is_checked() -> None:
    play = playing()
    play.plan(call("a", "pay", to="ada", tags=["x"]))
    play.read({"used": "much"})
    assert last_verdict(play)[0] == "deny"


def test_a_meter_without_a_key_for_a_call_can_not_be_asked_for() -> None:
    play = playing()
    play.plan(call("a", "pay", to="ada", tags=[]))
    assert last_verdict(play) == ("deny", "the meter `pays` can't be asked for: it has no key for this call")


def test_nothing_is_asked_for_a_call_that_adds_nothing() -> None:
    play = playing()
    play.plan(call("a", "look"))
    assert shared_questions(play.state, play.call("a"), play.bundle.agents["bot"]) == {}
