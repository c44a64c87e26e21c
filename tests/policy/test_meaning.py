"""Two expressions mean the same if they, and all words that they mention, read the same."""

from __future__ import annotations

from engine.policy.fingerprint import meaning
from engine.spec.bundle import Bundle
from tests.bundle_texts import bundle, policy, tool

INPUT = "{type: object, properties: {n: {type: integer}, at: {type: string}}, required: [n, at]}"
OUTPUT = "{type: object, properties: {n: {type: integer}, id: {type: string}}, required: [n, id]}"


def made(when: str, *, most: int = 1, low: int = 1, let: str = "input.n > params.most", seen: str = "look",
         given: str = "input.n", keep: str = "first") -> Bundle:  # fmt: skip
    path, text = policy(
        f'  - {{id: rule, tools: [act], effect: deny, when: "{when}"}}',
        params=f"{{most: {most}, table: {{a: {low}, b: 2}}}}",
        facts=f"{{fact: {{tool: {seen}, input: {{n: {given}}}}}}}",
    )  # fmt: skip
    vocabulary = (
        f'kind: Vocabulary\nname: words\nlet: {{big: "{let}"}}\n'
        f"established:\n  who: {{type: string, from: [{{call: look, value: output.id}}], keep: {keep}}}\n"
    )
    return bundle(
        ("specs/agents/bot.yaml",
         "kind: Agent\nname: bot\ndescription: bot\nplanner: script\n"
         "planners:\n  script: {kind: scripted, decisions: [{message: hi, done: true}]}\n"
         "tools: [act, look, peek]\npolicies: [rules]\n"
         "attributes: {type: object, properties: {tenant: {type: string, enum: [a, b]}}, required: [tenant]}\n"
         "stop:\n  - {outcome: answered, message: Done}\n"),
        ("specs/vocabularies/words.yaml", vocabulary), (path, f"{text}uses: [words]\n"),
        tool("act", input=INPUT), tool("look", input="{type: object}", output=OUTPUT),
        tool("peek", input="{type: object}", output=OUTPUT),
    )  # fmt: skip


def of(own: Bundle) -> object:
    (rules,) = own.agents["bot"].guards["act"].policies
    (rule,) = rules.rules
    assert rule.condition is not None
    return meaning(rule.condition.tree, rules)


def test_spaces_and_what_is_not_mentioned_do_not_matter() -> None:
    assert of(made("input.n > 3")) == of(made("input.n  >  3", most=9, let="input.n > 7", seen="peek"))
    assert of(made("input.at == 'a  b'")) != of(made("input.at == 'a b'"))


def test_params_are_their_values() -> None:
    assert of(made("input.n > params.most")) != of(made("input.n > params.most", most=2))
    assert of(made("input.n > params.most")) == of(made("input.n > params.most", low=7))
    dynamic = "input.n > params.table[session.tenant]"
    assert of(made(dynamic)) != of(made(dynamic, low=7))


def test_a_let_is_what_it_stands_for_however_often_it_is_mentioned() -> None:
    assert of(made("big or not big")) != of(made("big or not big", let="input.n >= params.most"))
    assert of(made("big")) != of(made("big", most=2))


def test_a_fact_is_what_is_read_and_what_it_is_asked() -> None:
    assert of(made("fact.n > 3")) != of(made("fact.n > 3", seen="peek"))
    assert of(made("fact.n > 3")) != of(made("fact.n > 3", given="input.n + 1"))


def test_an_established_value_is_where_it_was_learnt() -> None:
    assert of(made("who != null and who == input.at")) != of(made("who != null and who == input.at", keep="last"))
    assert of(made("who != null and who == input.at")) == of(made("who != null and who == input.at"))
