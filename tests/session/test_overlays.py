"""An urgent bundle judges beside the one that a session stands under: the stricter verdict holds."""

from __future__ import annotations

from typing import Any

from engine.bundle.load import load_stored
from engine.explain.verdict_text import VerdictText
from engine.planner.turns import texts_of, turns
from engine.replay.judgements import Judgement, judgements
from engine.replay.replay import replay
from engine.session.decide.decide import decide
from engine.session.state import inputs
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import fold
from engine.session.state.state import Status
from engine.spec.bundle import Bundle
from tests.bundle_texts import agent, bundle, policy, reviewers, tool
from tests.session.play import Play, call

TOOLS = (tool("write", "write"), tool("look", output="{type: object, properties: {n: {type: integer}}, required: [n]}"))
ALLOW = "  - {id: open, tools: [write], effect: allow}\n"
ASK = """
  - id: large
    tools: [write]
    effect: require_approval
    when: input.n != null and input.n > params.most
    approvers: [%s]
"""
SECOND = "  - {id: second, tools: [write], effect: require_approval, approvers: [bosses]}\n"
PEOPLE = (reviewers("leads", "[dana]"), reviewers("bosses", "[lee]"))


def made(rules: str, *, most: int = 100, tools: str = "[write, look]", facts: str = "{}", **more: Any) -> Bundle:
    documents = [policy(rules, params=f"{{most: {most}}}", facts=facts), *TOOLS, *PEOPLE]
    return bundle(agent(tools, policies="[rules]"), *documents, *more.get("documents", ()))


class Beside(Play):
    """A session that urgent bundles are judged beside, once there are any."""

    overlays: tuple[Bundle, ...] = ()

    def say(self, reply: Any) -> list[Event]:
        events = decide(self.state, reply, self.bundle, self.overlays)
        assert not isinstance(events, inputs.InputRefused), events
        self.log += events
        if events:
            self.state = fold(events, self.state)
        return list(events)


def proposed(own: Bundle, *urgent: Bundle, n: int = 50, name: str = "write") -> Beside:
    play = Beside(own)
    play.overlays = urgent
    play.plan(call("c", name, n=n))
    return play


def verdict(play: Play) -> Any:
    return [event.payload for event in play.log if event.kind is EventKind.VERDICT][-1]


def test_what_the_urgent_bundle_denies_is_denied() -> None:
    urgent = made(ALLOW + "  - {id: frozen, tools: [write], effect: deny, reason: frozen}\n")
    play = proposed(made(ALLOW), urgent)
    assert (verdict(play)["verdict"], verdict(play)["rule"]) == ("deny", "frozen")
    assert verdict(play)["beside"] == [
        {"bundle": urgent.digest, "verdict": "deny", "rule": "frozen", "disclosed": True},
    ]


def test_what_the_urgent_bundle_does_not_disclose_is_told_to_no_model() -> None:
    rule = "  - {id: fraud, tools: [write], effect: deny, reason: fraud_pattern, message: pattern nine, disclose: %s}\n"
    own = made(ALLOW)
    for disclosed in ("true", "false"):
        play = proposed(own, made(ALLOW + rule % disclosed))
        history = turns(play.log, own.agents["bot"], own.tools, 1000, None)
        said = "\n".join(text for turn in history for text in texts_of(turn))
        (moment,) = judgements(play.log)
        assert isinstance(moment, Judgement)
        shown = "\n".join(VerdictText(moment, own, ()).lines("model"))
        for text in (said, shown):
            assert ("pattern nine" in text) is (disclosed == "true"), text
        assert ("fraud" in said) is (disclosed == "true")


def test_what_the_own_bundle_denies_stays_denied() -> None:
    play = proposed(made(ALLOW + "  - {id: shut, tools: [write], effect: deny}\n"), made(ALLOW))
    assert (verdict(play)["verdict"], verdict(play)["rule"]) == ("deny", "shut")


def test_what_both_allow_runs() -> None:
    play = proposed(made(ALLOW), made(ALLOW, most=7))
    assert verdict(play)["verdict"] == "allow"
    assert EventKind.CALL_STARTED in [event.kind for event in play.log]


def test_everybody_is_asked_whom_one_of_the_two_asks() -> None:
    own, urgent = made(ALLOW + ASK % "leads", most=10), made(ALLOW + ASK % "bosses", most=10)
    play = proposed(own, urgent)
    assert verdict(play)["approvers"] == ["bosses", "leads"]
    asked = [event.payload for event in play.log if event.kind is EventKind.REQUEST_OPENED]
    assert {tuple(p["groups"]): p["rules"] for p in asked} == {("leads",): ["large"], ("bosses",): ["large (urgent)"]}


def test_who_is_asked_already_is_not_asked_twice() -> None:
    play = proposed(made(ALLOW + ASK % "leads", most=10), made(ALLOW + ASK % "leads", most=20))
    assert [event.payload["rules"] for event in play.log if event.kind is EventKind.REQUEST_OPENED] == [["large"]]


def test_of_two_asks_of_one_rule_the_stricter_stands_alone_whichever_bundle_it_is_of() -> None:
    crew = (reviewers("crew", "[ana, bo]"),)
    one, two = (made(ALLOW + (ASK % "crew") + more, most=10, documents=crew) for more in ("", "    count: 2\n"))
    for own, urgent in ((one, two), (two, one)):
        play = proposed(own, urgent)
        assert [e.payload["rules"] for e in play.log if e.kind is EventKind.REQUEST_OPENED] == [["large"], ["large"]]


def test_what_only_the_urgent_bundle_asks_about_is_asked_in_its_words() -> None:
    play = proposed(made(ALLOW), made(ALLOW + ASK % "bosses", most=10))
    assert (verdict(play)["verdict"], verdict(play)["rule"]) == ("require_approval", "large")


def test_a_yes_that_was_given_to_something_else_is_asked_for_again_with_the_difference() -> None:
    play = Beside(made(ALLOW + ASK % "leads", most=10))
    play.plan(call("c", "write", n=50))
    assert play.state.status is Status.AWAITING_HUMAN_REVIEW
    play.overlays = (made(ALLOW + ASK % "leads" + SECOND, most=10),)
    play.say(inputs.RequestAnswered("s1.1", "approve", "dana", "", None, None, play.now))
    play.claim()
    again = [event.payload for event in play.log if event.kind is EventKind.REQUEST_OPENED][1:]
    assert {tuple(p["groups"]) for p in again} == {("leads",), ("bosses",)}
    assert again[0]["difference"] == [{"what": "rules", "before": ["large"], "after": ["large", "second"]}]


def test_of_several_urgent_bundles_each_holds_and_a_later_one_lifts_none() -> None:
    frozen = made(ALLOW + "  - {id: frozen, tools: [write], effect: deny}\n")
    lax = made(ALLOW, most=9000)
    for urgent in ((frozen, lax), (lax, frozen)):
        play = proposed(made(ALLOW), *urgent)
        assert (verdict(play)["verdict"], verdict(play)["rule"]) == ("deny", "frozen")
        assert [one["bundle"] for one in verdict(play)["beside"]] == [bundle.digest for bundle in urgent]
    play = proposed(
        *(made(ALLOW + ASK % "leads", most=most) for most in (10, 20)), made(ALLOW + ASK % "bosses", most=9)
    )
    asked = [event.payload["rules"] for event in play.log if event.kind is EventKind.REQUEST_OPENED]
    assert sorted(asked) == [["large"], ["large (urgent)"]]


def test_asks_of_one_name_of_several_urgent_bundles_are_told_apart() -> None:
    crew = (reviewers("crew", "[noor]"),)
    thrice = [made(ALLOW + ASK % group, most=10, documents=crew) for group in ("leads", "bosses", "crew")]
    play = proposed(*thrice)
    asked = [event.payload for event in play.log if event.kind is EventKind.REQUEST_OPENED]
    assert {tuple(p["groups"]): p["rules"] for p in asked} == {
        ("leads",): ["large"], ("bosses",): ["large (urgent)"], ("crew",): ["large (urgent) (urgent)"],
    }  # fmt: skip


def test_of_a_group_that_both_bundles_have_both_have_to_know_who_answers() -> None:
    own = made(ALLOW + ASK % "leads", most=10)
    files = {path: content.replace(b"[dana]", b"[dana, noor]") for path, content in own.files.items()}
    wider = load_stored(files).bundle
    assert wider is not None
    for first, second in ((own, wider), (wider, own)):
        play = proposed(first, second)
        answer = inputs.RequestAnswered("s1.1", "approve", "noor", "", None, None, play.now)
        refused = decide(play.state, answer, play.bundle, play.overlays)
        assert isinstance(refused, inputs.InputRefused)
        assert refused.reason == "not_a_member"


def test_a_session_that_urgent_bundles_judged_follows_again_even_where_only_they_knew_who_denied() -> None:
    crew = reviewers("crew", "[noor]")
    rule = "  - {id: crew, tools: [write], effect: require_approval, approvers: [crew]}\n"
    urgent = made(ALLOW + rule, documents=(crew,))
    play = proposed(made(ALLOW), urgent)
    play.say(inputs.RequestAnswered("s1.1", "deny", "noor", "", None, None, play.now))
    play.claim()
    play.plan(message="that was it", done=True)
    assert replay(play.log, play.bundle, {urgent.digest: urgent}).difference is None


def test_a_yes_to_a_rule_of_one_urgent_bundle_is_none_to_a_rule_of_that_name_that_asks_others() -> None:
    rule = "  - {id: extra, tools: [write], effect: require_approval, approvers: [%s]}\n"
    held = proposed(made(ALLOW), made(ALLOW + rule % "leads"))
    held.overlays = (made(ALLOW + rule % "bosses"),)
    held.say(held.answer("approve", "dana"))
    held.claim()
    assert verdict(held)["satisfied"] is False
    assert EventKind.CALL_STARTED not in [event.kind for event in held.log]
    assert [event.payload["groups"] for event in held.log if event.kind is EventKind.REQUEST_OPENED] == [
        ["leads"],
        ["bosses"],
    ]


def test_people_whom_only_the_urgent_bundle_knows_may_answer() -> None:
    crew = reviewers("crew", "[noor]")
    rule = "  - {id: crew, tools: [write], effect: require_approval, approvers: [crew]}\n"
    play = proposed(made(ALLOW), made(ALLOW + rule, documents=(crew,)))
    play.say(inputs.RequestAnswered("s1.1", "approve", "noor", "", None, None, play.now))
    play.claim()
    assert EventKind.CALL_STARTED in [event.kind for event in play.log]


def test_a_tool_that_the_urgent_bundle_does_not_offer_is_denied() -> None:
    urgent = made(ALLOW + "  - {id: looks, tools: [look], effect: allow}\n", tools="[look]")
    play = proposed(made(ALLOW), urgent)
    assert (verdict(play)["verdict"], verdict(play)["reason"]) == ("deny", "not_offered")


def test_a_bundle_of_other_agents_does_not_judge() -> None:
    other = made(ALLOW + "  - {id: frozen, tools: [write], effect: deny}\n")
    renamed = {path: content.replace(b"name: bot", b"name: other") for path, content in other.files.items()}
    from engine.bundle.files import BundleFiles
    from engine.bundle.load import load

    play = proposed(made(ALLOW), load(BundleFiles(renamed)).bundle)  # type: ignore[arg-type]
    assert verdict(play)["verdict"] == "allow"
    assert "beside" not in verdict(play)


def test_the_facts_of_the_urgent_bundle_are_read_first() -> None:
    rule = "  - {id: seen, tools: [write], effect: deny, when: fact.n > 5}\n"
    play = proposed(made(ALLOW), made(ALLOW + rule, facts="{fact: {tool: look, input: {n: input.n}}}"))
    assert EventKind.VERDICT not in [event.kind for event in play.log]
    play.read({"n": 6})
    assert verdict(play)["rule"] == "seen"


def test_a_fact_that_the_session_has_no_tool_for_can_not_be_read_and_fails_closed() -> None:
    far = tool("far", output="{type: object, properties: {n: {type: integer}}, required: [n]}")
    rule = "  - {id: far-off, tools: [write], effect: deny, when: fact.n > 5}\n"
    urgent = made(ALLOW + rule, facts="{fact: {tool: far, input: {n: input.n}}}", documents=(far,))
    play = proposed(made(ALLOW), urgent)
    assert (verdict(play)["verdict"], verdict(play)["policy_error"]) == ("deny", True)
    assert "has no tool far" in str(verdict(play))


def test_a_result_that_the_urgent_bundle_withholds_is_withheld() -> None:
    keeps = "  - {id: keeps, tools: [look], effect: deny, release_unless: output.n < 5}\n"
    play = proposed(made(ALLOW), made(ALLOW + keeps), name="look")
    play.returns("c", {"n": 9})
    result = [event.payload for event in play.log if event.kind is EventKind.TOOL_RESULT][-1]
    assert (result["reason"], result["rule"]) == ("result_withheld", "keeps")


def test_a_result_of_a_tool_that_an_urgent_bundle_does_not_know_comes_through() -> None:
    play = proposed(made(ALLOW), name="look")
    play.overlays = (made(ALLOW, tools="[write]"),)
    play.returns("c", {"n": 9})
    result = [event.payload for event in play.log if event.kind is EventKind.TOOL_RESULT][-1]
    assert (result["status"], result["output"]) == ("ok", {"n": 9})


def test_each_step_records_the_bundle_that_it_ran_under() -> None:
    own = made(ALLOW)
    play = proposed(own, made(ALLOW, most=7))
    assert [event.payload["bundle"] for event in play.log if event.kind is EventKind.STEP_STARTED] == [own.digest]
