"""The function of a policy's rules gives what judging them one by one gives: verdicts, traces, errors and work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.language import types
from engine.language.arithmetic import EvaluationError
from engine.language.evaluate import UnreadableFact
from engine.language.expression import compile_expression
from engine.language.template import compile_template
from engine.language.work import Together
from engine.policy.bindings import Bindings, FactNeed, FactOutput
from engine.policy.gate import MissingFacts, judge, judge_by, one_by_one
from engine.policy.rule import Effect, Fact, Guard, PolicyRules, Rule
from engine.policy.rule_function import NOT_BOOLEAN, function_of, judge_rule, shorten
from engine.policy.verdict import Judged, Verdict
from tests.long_form import either
from tests.policy import test_compiled as some

SCOPE = {**some.SCOPE, "total": types.NUMBER, "broken": types.UNKNOWN}
LETS = {
    "total": compile_expression("sum(i.price for i in input.items) / input.amount", SCOPE)[0],
    "broken": compile_expression("input.nowhere + 1", SCOPE)[0],
}
FACTS = {"fact": Fact("fact", "look", {}, timedelta(0))}
MESSAGES = ["that is {{ input.amount }} of {{ params.limit }}", "{{ broken }}"]

conditions = st.one_of(
    st.none(),
    some.expressions,
    st.sampled_from(["total > 1", "broken == 2", "input.amount", "anything", "nobody == 1", "anything.x[0] > total"]),
)


def rule(id_: str, effect: Effect, when: str | None, negated: bool, message: str | None) -> Rule:
    condition = compile_expression(when, SCOPE)[0] if when is not None else None
    facts = condition.reads & {"fact"} if condition is not None else frozenset()
    text = compile_template(message, SCOPE)[0] if message is not None else None
    return Rule(id_, "p", effect, condition, negated, facts, id_, text, ("leads",), f"p.yaml:{id_}")


parts = st.tuples(st.sampled_from(list(Effect)), conditions, st.booleans(), st.none() | st.sampled_from(MESSAGES))
guards = st.builds(
    lambda told, needs_allow: Guard(
        "act",
        needs_allow,
        (PolicyRules("p", {}, FACTS, tuple(rule(f"r{n}", *one) for n, one in enumerate(told)), "", LETS),),
    ),
    st.lists(parts, max_size=5),
    st.booleans(),
)


def by_reference(policy: PolicyRules, rules: tuple[Rule, ...], words: Bindings) -> list[Judged]:
    """Judge rules with nothing but the reference evaluator, as the language's page tells it."""
    return [_by_reference(one, words) for one in rules]


def _by_reference(one: Rule, words: Bindings) -> Judged:
    seen: dict[str, Any] = {}
    matched, error = True, None
    try:
        if one.condition is not None:
            value = one.condition.reference(words, seen)
            if not isinstance(value, bool):
                raise EvaluationError(NOT_BOOLEAN)
            matched = value != one.negated
    except EvaluationError as problem:
        matched, error = one.effect is not Effect.ALLOW, str(problem)
    message = ""
    if matched and one.message is not None:
        try:
            message = one.message.render(words)
        except EvaluationError:
            message = f"({one.id}: its message has no value)"
    return one, matched, shorten(seen), error, message


def told(found: Verdict | MissingFacts) -> Any:
    return (found, found.payload(), found.rules) if isinstance(found, Verdict) else found


@pytest.mark.untraced
@settings(max_examples=either(400, 150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(guards, some.data, st.booleans())
def test_the_function_and_the_reference_give_the_same_verdict_or_want_the_same_facts(
    guard: Guard, names: dict[str, Any], read: bool
) -> None:
    fact = names.pop("fact")

    def fresh(need: FactNeed) -> FactOutput | None:
        if not read:
            return None
        return FactOutput(problem=fact.problem) if isinstance(fact, UnreadableFact) else FactOutput(fact)

    found = told(judge(guard, names, fresh))
    assert found == told(judge_by(one_by_one, guard, names, fresh))
    assert found == told(judge_by(by_reference, guard, names, fresh))


@pytest.mark.untraced
@settings(max_examples=either(400, 150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(guards, some.data)
def test_the_function_counts_the_work_that_judging_one_by_one_counts(guard: Guard, names: dict[str, Any]) -> None:
    names.pop("fact")
    (policy,) = guard.policies
    counters = [Together(), Together()]
    words = [Bindings(policy, names, lambda need: None, counter) for counter in counters]
    assert function_of(policy.at_once)(words[0]) == one_by_one(policy, policy.at_once, words[1])
    assert counters[0].taken == counters[1].taken


def test_a_name_that_is_missing_an_unreadable_fact_and_what_is_no_boolean_are_errors_of_their_rule_alone() -> None:
    texts = ["nobody == 1", "broken == 1", "input.amount", "input.ok"]
    rules = [rule(f"r{n}", Effect.DENY, text, False, None) for n, text in enumerate(texts)]
    policy = PolicyRules("p", {}, FACTS, tuple(rules), "", LETS)
    words = Bindings(policy, {"input": {"amount": 1, "ok": False}}, lambda need: None)
    found = function_of(rules)(words)
    assert [(matched, bool(error)) for _, matched, _, error, _ in found] == [(True, True)] * 3 + [(False, False)]
    assert found == [judge_rule(one, words) for one in rules]


def test_a_condition_that_does_not_fit_its_types_is_left_to_the_reference() -> None:
    shadowed = "any(any(i.live for i in input.items) and i.live for i in input.items)"
    one = rule("r", Effect.ALLOW, shadowed, False, None)
    assert one.condition is not None
    assert one.condition.in_python([]) is None


@pytest.mark.parametrize("value", ["x" * 15, "x" * 16, "x" * 300, ["x"] * 100, {"a": 1}, None, True, 7])
def test_a_trace_holds_what_was_read_as_it_is_or_by_its_digest(value: Any) -> None:
    one = rule("r", Effect.DENY, "anything == 1", False, None)
    policy = PolicyRules("p", {}, {}, (one,), "")
    words = Bindings(policy, {"anything": value}, lambda need: None)
    ((_, _, values, _, _),) = function_of([one])(words)
    assert values == shorten({"anything": value})


def test_all_names_of_a_policy_are_there_for_whoever_looks_at_more_than_one() -> None:
    policy = PolicyRules("p", {"x": 1}, {}, (), "", {"total": LETS["broken"]})
    words = Bindings(policy, {"input": {"ok": True}}, lambda need: None)
    assert list(words) == ["params", "input", "total"]
    assert len(words) == 3
    assert "input" in words
    assert "nobody" not in words
    assert dict(words)["input"] == {"ok": True}
    assert words.get("nobody", 7) == 7
