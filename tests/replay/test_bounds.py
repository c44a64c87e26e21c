"""Past sessions under other limits: what would have been stopped, and what would not."""

from __future__ import annotations

from engine.spec.bundle import Bundle
from engine.whatif.session import PastSession, whatif
from tests.bundle_texts import ALLOW, agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

INPUT = "{type: object, properties: {amount_usd: {type: number}}, required: [amount_usd], additionalProperties: false}"
METER = "meters: {refunds: {sum: input.amount_usd, over: [write], limit: %s}}"


def made(budgets: str, rules: str = "") -> Bundle:
    return bundle(
        agent("[write, look]", policies="[rules]", budgets=f"{{{budgets}}}"), policy(ALLOW + rules),
        tool("write", "write", input=INPUT), tool("look"), reviewers("leads", "[dana]"),
    )  # fmt: skip


def three_calls(budgets: str) -> Play:
    play = Play(made(budgets))
    for number in range(1, 4):
        play.plan(call(f"c{number}", "write", amount_usd=40))
        if play.state.calls[f"c{number}"].ended:
            break
        play.returns(f"c{number}", {})
    return play


def told(past: PastSession) -> list[tuple[str, str, bool]]:
    return [(flip.name, flip.call_id, flip.loosens) for flip in past.flips]


def test_a_lower_limit_would_have_stopped_the_call_that_is_beyond_it() -> None:
    play = three_calls("calls: 5")
    for budgets, name in (
        ("calls: 2", "limits.calls"), ("calls: 5, calls_per_tool: {write: 2}", "limits.calls_per_tool"),
    ):  # fmt: skip
        assert told(whatif(play.log, made(budgets))) == [(f"{name}:allow→deny", "c3", False)]
    assert whatif(play.log, made("calls: 6")).flips == ()
    assert whatif(play.log, made("calls: 5")).flips == ()


def test_a_meter_that_is_lowered_or_raised_flips_the_call_that_it_had_room_for_or_not() -> None:
    wide, narrow = METER % 200, METER % 100
    past = whatif(three_calls(wide).log, made(narrow))
    assert told(past) == [("limits.meters.refunds:allow→deny", "c3", False)]
    assert past.flips[0].money == {"USD": 40}
    assert past.unknown == "what follows on a limit is not told apart"
    assert told(whatif(three_calls(narrow).log, made(wide))) == [("limits.meters.refunds:deny→allow", "c3", True)]
    assert told(whatif(three_calls(narrow).log, made("calls: 32"))) == [
        ("limits.meters.refunds:deny→allow", "c3", True)
    ]
    # still too little for the call
    assert whatif(three_calls(narrow).log, made(METER % 110)).flips == ()


def test_steps_that_there_are_fewer_of_or_more() -> None:
    play = three_calls("steps: 9")
    assert told(whatif(play.log, made("steps: 2"))) == [("limits.steps:allow→deny", "", False)]
    short = Play(made("steps: 1"))
    short.plan(call("c1", "write", amount_usd=40))
    short.returns("c1", {})
    assert told(whatif(short.log, made("steps: 4"))) == [("limits.steps:deny→allow", "", True)]


def test_a_limit_behind_another_flip_is_supposed() -> None:
    play = three_calls("calls: 5")
    deny = "\n  - {id: shut, tools: [write], effect: deny}\n"
    past = whatif(play.log, made("calls: 2", deny))
    assert [(flip.name, flip.supposed) for flip in past.flips if flip.call_id in ("c1", "c3")] == [
        ("shut:allow→deny", False), ("limits.calls:allow→deny", True), ("shut:allow→deny", True),
    ]  # fmt: skip
