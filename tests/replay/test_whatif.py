"""What another bundle would have made of past sessions: flips, what follows on them, and what nobody knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.session.state import inputs
from engine.spec.bundle import AcceptedLoosening, Bundle
from engine.whatif.acceptance import Acceptance
from engine.whatif.flip import Flip, money
from engine.whatif.open_requests import OpenRequests
from engine.whatif.session import PastSession, whatif
from engine.whatif.summary import tally
from tests.bundle_texts import agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

INPUT = "{type: object, properties: {n: {type: integer}, amount_usd: {type: number}}, additionalProperties: false}"
OUTPUT = "{type: object, properties: {n: {type: integer}}, required: [n]}"
ALLOW_WRITE = "  - {id: open, tools: [write], effect: allow}\n"
ALLOW = "  - {id: open, tools: [write, other], effect: allow}\n"
ASK = """
  - id: large
    tools: [write]
    effect: require_approval
    when: input.n != null and input.n > params.most
    approvers: [%s]
"""


def made(rules: str = ALLOW, *, most: int = 100, tools: str = "[write, other, look]", facts: str = "{}") -> Bundle:
    return bundle(
        agent(tools, policies="[rules]"), policy(rules, params=f"{{most: {most}}}", facts=facts),
        tool("write", "write", input=INPUT), tool("other", "write", input=INPUT), tool("look", output=OUTPUT),
        reviewers("leads", "[dana]"), reviewers("bosses", "[lee]"),
    )  # fmt: skip


def held(own: Bundle, n: int = 50) -> Play:
    play = Play(own)
    play.plan(call("c", "write", n=n, amount_usd=n))
    return play


def approved(own: Bundle, n: int = 50) -> Play:
    play = held(own, n)
    play.say(play.answer("approve", "dana"))
    play.claim()
    play.returns("c", {"done": True})
    play.plan(message="that was it", done=True)
    return play


def flips(past: PastSession) -> list[tuple[str, bool]]:
    return [(flip.name, flip.loosens) for flip in past.flips]


def test_the_same_rules_flip_nothing() -> None:
    own = made(ALLOW + ASK % "leads", most=10)
    assert whatif(approved(own).log, own) == PastSession("s1", "bot", 2)


def test_a_threshold_that_is_raised_loosens_and_the_recorded_output_carries_the_session_to_its_end() -> None:
    past = whatif(approved(made(ALLOW + ASK % "leads", most=10)).log, made(ALLOW + ASK % "leads", most=60))
    assert flips(past) == [("large:approval→allow", True)]
    assert (past.then, past.unknown) == ("ends as it did: done answered", "")


def test_what_nobody_has_run_is_unknown_after() -> None:
    past = whatif(held(made(ALLOW + ASK % "leads", most=10)).log, made(ALLOW + ASK % "leads", most=60))
    assert (past.then, past.unknown) == ("running", "write did not run")


def test_a_threshold_that_is_lowered_tightens_and_nobody_knows_what_people_would_have_said() -> None:
    play = held(made(ALLOW + ASK % "leads", most=60))
    play.returns("c", {"done": True})
    past = whatif(play.log, made(ALLOW + ASK % "leads", most=10))
    assert flips(past) == [("large:allow→approval", False)]
    assert past.unknown == "nobody knows what leads would have said"


def test_a_new_deny_tightens_and_the_planner_would_have_seen_something_else() -> None:
    play = held(made())
    play.returns("c", {"done": True})
    play.plan(message="done", done=True)
    past = whatif(play.log, made(ALLOW + "  - {id: shut, tools: [write], effect: deny}\n"))
    assert flips(past) == [("shut:allow→deny", False)]
    assert past.unknown == "the planner would have seen something else"


def test_a_deny_that_is_gone_loosens() -> None:
    play = held(made(ALLOW + "  - {id: shut, tools: [write], effect: deny}\n"))
    assert flips(whatif(play.log, made())) == [("shut:deny→allow", True)]


def test_a_write_that_no_rule_allows_any_more_is_due_to_none() -> None:
    past = whatif(held(made()).log, made("  - {id: open, tools: [other], effect: allow}\n"))
    assert flips(past) == [("no_rule_allows:allow→deny", False)]


def test_a_group_that_may_answer_as_well_loosens_and_one_that_may_no_more_tightens() -> None:
    either = ALLOW + ASK % "leads, bosses"
    fewer = whatif(held(made(either, most=10)).log, made(ALLOW + ASK % "leads", most=10))
    more = whatif(held(made(ALLOW + ASK % "leads", most=10)).log, made(either, most=10))
    assert flips(fewer) == [("large:approval→approval", False)]
    assert flips(more) == [("large:approval→approval", True)]


def both(*, leads: bool = True, bosses: bool = True) -> str:
    own = "  - {id: own, tools: [write], effect: require_approval, approvers: [%s]}\n"
    asks = own.replace("own", "of-leads") % "leads" if leads else ""
    return ALLOW + asks + (own.replace("own", "of-bosses") % "bosses" if bosses else "")


def test_two_who_both_have_to_say_yes_are_more_than_either_of_them() -> None:
    past = whatif(held(made(both())).log, made(ALLOW + ASK % "leads, bosses", most=10))
    assert flips(past)[0] == ("of-bosses:approval→approval", True)
    back = whatif(held(made(ALLOW + ASK % "leads, bosses", most=10)).log, made(both()))
    assert [(flip.kind, flip.loosens) for flip in back.flips] == [("approval→approval", False)]


def test_the_rule_that_asks_no_more_or_asks_too_is_the_one_that_is_named() -> None:
    assert flips(whatif(held(made(both())).log, made(both(bosses=False))))[0] == ("of-bosses:approval→approval", True)
    assert flips(whatif(held(made(both(bosses=False))).log, made(both())))[0] == ("of-bosses:approval→approval", False)


def test_who_is_asked_by_another_rule_in_the_same_words_is_no_flip() -> None:
    renamed = both().replace("of-leads", "of-others")
    assert whatif(held(made(both())).log, made(renamed)).flips == ()


def test_a_fact_that_was_never_read_makes_the_verdict_unknown_and_what_was_asked_may_loosen() -> None:
    new = ALLOW + "  - {id: seen, tools: [write], effect: deny, when: fact.n > 5}\n"
    facts = "{fact: {tool: look, input: {n: input.n}}}"
    past = whatif(held(made()).log, made(new, facts=facts))
    assert flips(past) == [("open:allow→unknown", False)]
    assert 'it was not read: look {"n":50}' in past.flips[0].why
    asked = whatif(held(made(ALLOW + ASK % "leads", most=10)).log, made(new, facts=facts))
    assert flips(asked) == [("large:approval→unknown", True)]


def test_rules_that_need_no_fact_see_nothing_of_what_the_gate_has_read() -> None:
    facts = "{fact: {tool: look, input: {n: input.n}}}"
    old = ALLOW + "  - {id: seen, tools: [write], effect: deny, when: fact.n > 5}\n"
    play = Play(made(old, facts=facts))
    play.plan(call("c", "write", n=50))
    play.read({"n": 1})
    unread = "  - {id: unread, tools: [write], effect: deny, when: len(seen.look) == 0}\n"
    assert flips(whatif(play.log, made(old + unread, facts=facts))) == [("unread:allow→deny", False)]


def test_what_the_planner_read_before_any_write_is_a_fact_too() -> None:
    play = Play(made())
    play.plan(call("l", "look", n=50))
    play.returns("l", {"n": 9})
    play.plan(call("c", "write", n=50))
    new = ALLOW + "  - {id: seen, tools: [write], effect: deny, when: fact.n > 5}\n"
    assert flips(whatif(play.log, made(new, facts="{fact: {tool: look, input: {n: input.n}}}"))) == [
        ("seen:allow→deny", False)
    ]


def test_a_tool_that_is_offered_no_more_and_an_input_that_fits_no_more_are_denied() -> None:
    past = whatif(held(made()).log, made("  - {id: open, tools: [other], effect: allow}\n", tools="[other, look]"))
    assert flips(past) == [("not_offered:allow→deny", False)]
    assert past.unknown == "the call would have been no call of this agent's"
    narrow = INPUT.replace("{type: integer}", "{type: integer, maximum: 9}")
    smaller = bundle(
        agent("[write]", policies="[rules]"), policy("  - {id: open, tools: [write], effect: allow}"),
        tool("write", "write", input=narrow),
    )  # fmt: skip
    assert flips(whatif(held(made()).log, smaller)) == [("invalid_input:allow→deny", False)]


def test_a_result_may_be_withheld_or_no_more() -> None:
    keeps = ALLOW + "  - {id: keeps, tools: [look], effect: deny, release_unless: output.n < 5}\n"
    play = Play(made())
    play.plan(call("l", "look", n=1))
    play.returns("l", {"n": 9})
    assert flips(whatif(play.log, made(keeps))) == [("keeps:allow→withheld", False)]
    kept = Play(made(keeps))
    kept.plan(call("l", "look", n=1))
    kept.returns("l", {"n": 9})
    past = whatif(kept.log, made())
    assert (flips(past), past.flips[0].why) == (
        [("keeps:withheld→unknown", True)], "what was withheld is not recorded",
    )  # fmt: skip

    def again(bundle: Bundle) -> list[tuple[str, bool]]:
        return flips(whatif(kept.log, bundle, lambda: made(keeps)))

    assert again(made(keeps)) == []
    assert again(made(keeps + "  - {id: further, tools: [write], effect: deny}\n", most=9)) == []
    # what it goes by is another: what was withheld may be released
    assert again(made(keeps.replace("output.n < 5", "output.n < 50"))) == [("keeps:withheld→unknown", True)]
    by_param = keeps.replace("< 5", "< params.most")
    assert whatif(kept.log, made(by_param, most=5), lambda: made(by_param, most=5)).flips == ()
    assert flips(whatif(kept.log, made(by_param, most=50), lambda: made(by_param, most=5))) == [
        ("keeps:withheld→unknown", True)
    ]
    # nobody has the bundle that withheld it
    assert flips(whatif(kept.log, made(keeps))) == [("keeps:withheld→unknown", True)]


def test_what_loosens_behind_a_flip_that_nobody_can_go_on_from_is_judged_as_it_was_recorded() -> None:
    own = made(ALLOW + ASK % "leads", most=10)
    play = Play(own)
    play.plan(call("l", "look", n=1))
    play.returns("l", {"n": 9})
    play.plan(call("c", "write", n=50, amount_usd=50))
    keeps = "  - {id: keeps, tools: [look], effect: deny, release_unless: output.n < 5}\n"
    past = whatif(play.log, made(ALLOW + ASK % "leads" + keeps, most=60))
    assert [(flip.name, flip.loosens, flip.supposed) for flip in past.flips] == [
        ("keeps:allow→withheld", False, False), ("large:approval→allow", True, True),
    ]  # fmt: skip
    denied = whatif(play.log, made(ALLOW + "  - {id: no-look, tools: [look], effect: deny}\n"))
    assert flips(denied) == [("no-look:allow→deny", False), ("large:approval→allow", True)]


def test_a_recorded_yes_carries_a_session_on_and_what_follows_is_judged() -> None:
    play = Play(made(ALLOW + ASK % "leads", most=10))
    play.plan(call("c", "write", n=50))
    play.say(play.answer("approve", "dana"))
    play.claim()
    play.returns("c", {})
    play.plan(call("d", "other", n=1))
    play.returns("d", {})
    play.plan(message="that was it", done=True)
    new = ALLOW + ASK % "leads" + "  - {id: further, tools: [write], effect: require_approval, approvers: [bosses]}\n"
    past = whatif(play.log, made(new, most=10))
    assert (flips(past), past.unknown) == (
        [("further:approval→approval", False)], "nobody knows what bosses would have said",
    )  # fmt: skip
    fewer = whatif(play.log, made(new + "  - {id: shut, tools: [other], effect: deny}\n", most=99))
    assert flips(fewer)[0] == ("large:approval→approval", True)


def test_one_of_two_who_are_asked_no_more_leaves_the_yes_of_the_other() -> None:
    play = Play(made(both()))
    play.plan(call("c", "write", n=50))
    for request, who in (("s1.1", "lee"), ("s1.2", "dana")):
        play.say(inputs.RequestAnswered(request, "approve", who, "", None, None, play.now))
        play.claim()
    play.returns("c", {})
    play.plan(call("d", "other", n=1))
    play.returns("d", {})
    play.plan(message="that was it", done=True)
    past = whatif(play.log, made(both(bosses=False) + "  - {id: shut, tools: [other], effect: deny}\n"))
    assert flips(past) == [("of-bosses:approval→approval", True), ("shut:allow→deny", False)]
    assert past.unknown == "the planner would have seen something else"


def test_a_later_call_of_the_same_step_is_judged_in_what_is_left() -> None:
    play = Play(made())
    play.plan(call("c", "write", n=50), call("d", "other", n=1))
    play.returns("c", {})
    play.returns("d", {})
    once = "  - {id: after, tools: [other], effect: deny, when: len(calls.write) == 0}\n"
    past = whatif(play.log, made(ALLOW + once + "  - {id: shut, tools: [write], effect: deny}\n"))
    # the write is denied, so the one behind it never comes to the gate
    assert flips(past) == [("shut:allow→deny", False)]
    reads = Play(made())
    reads.plan(call("l", "look", n=1), call("m", "look", n=2))
    reads.returns("l", {"n": 1})
    reads.returns("m", {"n": 1})
    both = ALLOW + "  - {id: no-look, tools: [look], effect: deny}\n"
    later = whatif(reads.log, made(both))
    assert [(flip.call_id, flip.later) for flip in later.flips] == [("l", False), ("m", True)]


def test_an_agent_that_is_no_more_runs_nothing() -> None:
    other = made()
    assert flips(whatif(held(other).log, _renamed(other))) == [("not_offered:allow→deny", False)]


def _renamed(own: Bundle) -> Bundle:
    from engine.bundle.load import load_stored

    files = {path: content.replace(b"name: bot", b"name: other") for path, content in own.files.items()}
    found = load_stored(files).bundle
    assert found is not None
    return found


def test_money_is_what_a_schema_or_a_name_says_is_money() -> None:
    spec = made().tools["write"]
    assert money(spec, {"n": 3, "amount_usd": 12}) == {"USD": 12}
    assert money(spec, {"n": 3}) == {}
    deep = """
    {type: object, $defs: {price: {type: number, x-unit: EUR}}, properties: {
      first_try: {type: integer}, order: {type: object, properties: {
        lines: {type: array, items: {type: object, properties: {price: {$ref: "#/$defs/price"}}}}}}}}"""
    nested = bundle(agent("[write]", policies="[rules]"), policy(ALLOW_WRITE), tool("write", "write", input=deep))
    order = {"first_try": 7, "order": {"lines": [{"price": 2}, {"price": 3}]}}
    assert money(nested.tools["write"], order) == {"EUR": 5}


def test_the_money_of_a_tool_that_is_no_more_is_what_the_sessions_own_bundle_says() -> None:
    own = made()
    gone = bundle(agent("[look]", policies="[]"), tool("look", output=OUTPUT))
    past = whatif(held(own).log, gone, lambda: own)
    assert [(flip.name, flip.money) for flip in past.flips] == [("not_offered:allow→deny", {"USD": 50})]


def flip(rule: str, loosens: bool, session: str, **more: Any) -> Flip:
    return Flip(session, 1, "c", "write", "deny", "allow", rule, loosens, **more)


def test_a_table_has_what_loosens_first_and_knows_what_somebody_answers_for() -> None:
    rows = tally(
        [flip("a", False, "1"), flip("b", True, "1", money={"USD": 5}), flip("b", True, "2", money={"USD": 7})],
        lambda flip: flip.name == "b:deny→allow",
    )
    assert [(row.name, row.calls, row.sessions, row.money, row.open) for row in rows] == [
        ("b:deny→allow", 2, 2, {"USD": 12}, False), ("a:deny→allow", 1, 1, {}, False),
    ]  # fmt: skip


def test_what_a_bundle_accepts_answers_for_its_own_change_and_for_no_further_one() -> None:
    entry = AcceptedLoosening("large:approval→allow", "dana", "decided in May")
    accepted = Acceptance([entry])
    assert accepted.covers("large:approval→allow")
    assert not accepted.covers("large:approval→allow", before=[entry])
    anew = replace(entry, reason="decided in June")
    assert Acceptance([entry, anew]).covers("large:approval→allow", before=[entry])
    assert Acceptance([entry], {"large:approval→allow"}).covers("large:approval→allow", before=[entry])
    assert not accepted.covers("other:approval→allow")
    assert Acceptance([entry], {"a:deny→allow"}).unneeded(["large:approval→allow"]) == ["a:deny→allow"]


@pytest.mark.parametrize("action", ["approve", "deny"])
def test_a_recorded_answer_is_given_again_to_the_same_question(action: str) -> None:
    """A second rule about another call flips first; the approval that follows was answered in the log."""
    own = made(ALLOW + ASK % "leads", most=10)
    play = Play(own)
    play.plan(call("l", "look", n=1), call("c", "write", n=50))
    play.returns("l", {"n": 1})
    play.say(inputs.RequestAnswered("s1.1", action, "dana", "", None, None, play.now))
    play.claim()
    if action == "approve":
        play.returns("c", {})
    harmless = "  - {id: ask-look, tools: [look], effect: require_approval, approvers: [leads]}\n"
    past = whatif(play.log, made(ALLOW + ASK % "leads" + harmless, most=10))
    assert flips(past)[0] == ("ask-look:allow→approval", False)
    assert past.unknown == "nobody knows what leads would have said"


@pytest.mark.parametrize(
    ("new", "most", "told"),
    [
        (ALLOW + ASK % "leads", 10, "of 1 open request: all would be asked as they are"),
        (ALLOW + ASK % "leads", 100, "of 1 open request: 1 would no longer ask"),
        (ALLOW + ASK % "bosses", 10, "of 1 open request: 1 would ask otherwise"),
        ("  - {id: no, tools: [write], effect: deny}\n", 10, "of 1 open request: 1 would be denied"),
        (ALLOW + "  - {id: unread, tools: [write], effect: deny, when: fact.n > 3}\n", 10,
         "of 1 open request: of 1 it is not known"),
    ],
    ids=["same", "raised", "others", "denied", "unread"],
)  # fmt: skip
def test_of_what_people_are_asked_now_it_is_told_what_would_be_asked_still(new: str, most: int, told: str) -> None:
    facts = "{fact: {tool: look, input: {n: 1}}}" if "fact" in new else "{}"
    past = whatif(held(made(ALLOW + ASK % "leads", most=10)).log, made(new, most=most, facts=facts))
    counts = OpenRequests()
    counts.add(past.open_calls, past.flips)
    assert counts.told() == told


def test_what_was_answered_is_asked_no_more() -> None:
    counts = OpenRequests()
    own = made(ALLOW + ASK % "leads", most=10)
    counts.add(whatif(approved(own).log, own).open_calls, ())
    assert (counts.open, counts.told()) == (0, "")
