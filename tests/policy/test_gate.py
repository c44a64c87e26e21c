"""The gate: deny wins, asking never grants, order never matters, and everything fails closed."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language import types
from engine.language.expression import compile_expression
from engine.language.template import compile_template
from engine.policy.gate import FactNeed, FactOutput, Fresh, MissingFacts, judge, shown
from engine.policy.rule import Effect, Fact, Guard, PolicyRules, Rule
from engine.policy.verdict import Verdict

SCOPE: dict[str, types.Type] = {
    "input": types.UNKNOWN,
    "params": types.UNKNOWN,
    "account": types.UNKNOWN,
    "other": types.UNKNOWN,
}


def rule(id_: str, effect: str, when: str | None = None, *, unless: bool = False, message: str | None = None) -> Rule:
    condition = compile_expression(when, SCOPE)[0] if when is not None else None
    return Rule(
        id_, "p", Effect(effect), condition, unless,
        (condition.reads if condition else frozenset()) & {"account", "other"},
        id_, compile_template(message, SCOPE)[0] if message else None,
        ("leads",) if effect == "require_approval" else (), "p.yaml:1",
    )  # fmt: skip


def guard(*rules: Rule, needs_allow: bool = True, says: str = "") -> Guard:
    expression = compile_expression("input.id", SCOPE)[0]
    broken = compile_expression("input.id + 1", SCOPE)[0]
    facts = {
        "account": Fact("account", "look", {"id": expression}, timedelta(0)),
        "other": Fact("other", "look", {"id": broken}, timedelta(0)),
    }
    return Guard("act", needs_allow, (PolicyRules("p", {"most": 100}, facts, rules, says),))


NAMES: dict[str, Any] = {"input": {"n": 5, "id": "a"}}


def never(need: FactNeed) -> FactOutput | None:
    return None


def reads(value: Any) -> Fresh:
    return lambda need: FactOutput(value)


def verdict(*rules: Rule, fresh: Fresh = never, needs_allow: bool = True, says: str = "") -> Verdict:
    found = judge(guard(*rules, needs_allow=needs_allow, says=says), NAMES, fresh)
    assert isinstance(found, Verdict)
    return found


ALLOW, ASK, DENY = rule("allow", "allow"), rule("ask", "require_approval"), rule("deny", "deny")
UNMATCHED = rule("no", "allow", "false")


@pytest.mark.parametrize(
    ("rules", "effect", "decided_by"),
    [
        ((ALLOW,), Effect.ALLOW, "allow"),
        ((), Effect.DENY, None),
        ((UNMATCHED,), Effect.DENY, None),
        ((ASK,), Effect.DENY, None),
        ((ALLOW, ASK), Effect.REQUIRE_APPROVAL, "ask"),
        ((ALLOW, DENY), Effect.DENY, "deny"),
        ((ALLOW, ASK, DENY), Effect.DENY, "deny"),
    ],
)
def test_the_verdict_follows_the_semantics(rules: tuple[Rule, ...], effect: Effect, decided_by: str | None) -> None:
    found = verdict(*rules)
    assert (found.effect, found.rule) == (effect, decided_by)


def test_a_read_needs_no_allow_and_can_still_be_denied_or_held() -> None:
    assert verdict(needs_allow=False).effect is Effect.ALLOW
    assert verdict(ASK, needs_allow=False).effect is Effect.REQUIRE_APPROVAL
    assert verdict(DENY, needs_allow=False).effect is Effect.DENY


def test_the_default_deny_has_the_policys_words() -> None:
    found = verdict(says="only for these grounds")
    assert (found.reason, found.message) == ("no_rule_allows", "only for these grounds")


def test_asking_never_grants_even_where_several_ask() -> None:
    assert verdict(ASK, rule("ask2", "require_approval")).effect is Effect.DENY


def test_unless_is_the_positive_sentence_of_a_deny() -> None:
    assert verdict(ALLOW, rule("d", "deny", "input.n == 5", unless=True)).effect is Effect.ALLOW
    assert verdict(ALLOW, rule("d", "deny", "input.n == 6", unless=True)).effect is Effect.DENY


@pytest.mark.parametrize("broken", ["input.missing > 1", "input.n > 'a'", "1 / 0 > 1", "input.n"])
@pytest.mark.parametrize(
    ("effect", "outcome"),
    [("allow", Effect.DENY), ("require_approval", Effect.REQUIRE_APPROVAL), ("deny", Effect.DENY)],
)
def test_a_condition_without_a_value_fails_closed(broken: str, effect: str, outcome: Effect) -> None:
    rules = [rule("broken", effect, broken)] + ([] if effect == "allow" else [ALLOW])
    found = verdict(*rules)
    assert found.effect is outcome
    assert found.policy_error
    assert any(trace.error for trace in found.rules)


def test_a_sound_rule_speaks_before_one_that_failed() -> None:
    found = verdict(ALLOW, rule("a-broken", "deny", "1 / 0 > 1"), rule("z-sound", "deny", message="because"))
    assert (found.rule, found.reason, found.message) == ("z-sound", "z-sound", "because")
    only = verdict(ALLOW, rule("broken", "deny", "1 / 0 > 1"))
    assert (only.rule, only.reason) == ("broken", "policy_error")


def test_facts_are_asked_for_once_and_only_when_a_rule_needs_them() -> None:
    rules = guard(ALLOW, rule("one", "deny", "account.bad"), rule("two", "deny", "account.worse"))
    found = judge(rules, NAMES, never)
    assert isinstance(found, MissingFacts)
    assert [(need.fact, need.tool, need.input) for need in found.needs] == [("account", "look", {"id": "a"})]
    assert isinstance(judge(guard(DENY, rule("one", "deny", "account.bad")), NAMES, never), Verdict)


def test_a_fact_that_could_not_be_read_counts_against_the_call() -> None:
    def unreadable(need: FactNeed) -> FactOutput:
        return FactOutput(problem="the line is down")

    assert verdict(rule("a", "allow", "account.good"), fresh=unreadable).effect is Effect.DENY
    found = verdict(ALLOW, rule("d", "deny", "account.bad"), fresh=unreadable)
    assert found.effect is Effect.DENY
    assert found.message == "a rule could not be judged"
    assert "the line is down" in str(found.rules)


def test_a_fact_that_can_not_be_asked_for_counts_against_the_call() -> None:
    found = verdict(ALLOW, rule("d", "deny", "other.bad"), fresh=reads({"bad": False}))
    assert found.effect is Effect.DENY
    assert "can't be asked for" in str(found.rules)


def test_the_verdict_names_every_rule_with_its_place_and_the_values_it_saw() -> None:
    found = verdict(
        rule("a", "allow", "account.good and input.n <= params.most"), rule("b", "deny", "account.bad"), UNMATCHED,
        fresh=reads({"good": True, "bad": False}),
    )  # fmt: skip
    payload = found.payload()
    assert [(r["rule"], r["matched"], r["place"]) for r in payload["rules"]] == [
        ("a", True, "p.yaml:1"), ("b", False, "p.yaml:1"), ("no", False, "p.yaml:1"),
    ]  # fmt: skip
    assert payload["rules"][0]["values"] == {"account.good": True, "input.n": 5, "params.most": 100}


def test_large_values_are_kept_by_their_digest() -> None:
    assert shown("short") == "short"
    assert set(shown(["long"] * 100)) == {"digest"}


def test_a_message_without_a_value_says_so_and_changes_no_verdict() -> None:
    found = verdict(rule("d", "deny", message="of {{ input.missing }}"))
    assert found.effect is Effect.DENY
    assert "has no value" in found.message


CONDITIONS = st.sampled_from(
    [None, "true", "false", "input.n > 3", "input.missing", "account.good", "account.none > 1"]
)
RULES = st.lists(st.tuples(st.sampled_from(["allow", "require_approval", "deny"]), CONDITIONS), max_size=5)


@given(RULES, st.sampled_from([{"good": True}, {"good": False}, {}]))
def test_the_order_of_rules_never_matters(parts: list[tuple[str, str | None]], account: dict[str, Any]) -> None:
    rules = [rule(f"r{n}", effect, when) for n, (effect, when) in enumerate(parts)]
    verdicts = [verdict(*order, fresh=reads(account)) for order in itertools.islice(itertools.permutations(rules), 24)]
    assert all(found == verdicts[0] for found in verdicts)


@given(RULES, st.sampled_from(["allow", "require_approval", "deny"]), CONDITIONS)
def test_asking_or_denying_more_never_loosens(
    parts: list[tuple[str, str | None]], effect: str, when: str | None
) -> None:
    strict = {Effect.ALLOW: 0, Effect.REQUIRE_APPROVAL: 1, Effect.DENY: 2}
    rules = [rule(f"r{n}", e, w) for n, (e, w) in enumerate(parts)]
    before = verdict(*rules, fresh=reads({"good": True}))
    after = verdict(*rules, rule("more", effect, when), fresh=reads({"good": True}))
    if effect != "allow":
        assert strict[after.effect] >= strict[before.effect]
