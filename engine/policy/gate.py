"""The gate: a call, the rules that cover its tool, and the facts they need, to a verdict.

In this order, without exception: any matching deny denies; a write or sensitive read that no allow rule matches is
denied; any matching require_approval asks; everything else is allowed.  The order of rules and policies never
matters.  A condition without a value counts as a match for deny and require_approval and as no match for allow.

What holds: a verdict depends on the call, the facts and the rules alone, and never on the order of anything.  What is
not known makes a verdict stricter or leaves it as it is: a missing fact can't allow.  A rule added to a policy can
change a verdict in the direction of its effect only.  Every rule that matched stands in the trace, also where another
decided.

What can go wrong: a condition errs, or spends its bound of work (it counts as said above, and the trace says why); a
fact can't be read, or is too old (the gate says which it needs, and is asked again with them or with their absence).
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from engine.language.arithmetic import EvaluationError
from engine.language.expression import Expression
from engine.language.work import Together, TooMuchTogether
from engine.policy.bindings import Bindings, FactNeed, FactOutput, FactsNotRead, Fresh
from engine.policy.rule import CUSTOMER, Effect, Guard, PolicyRules, Rule
from engine.policy.rule_function import JudgeAll, function_of, judge_rule, shorten, shown
from engine.policy.verdict import Ask, Judged, RuleTrace, Verdict

__all__ = ["FactNeed", "FactOutput", "Fresh", "MissingFacts", "judge", "shown", "withheld"]

NO_RULE_ALLOWS = "no_rule_allows"
POLICY_ERROR = "policy_error"

# what is told of a rule that has no value, whatever went wrong
NOT_JUDGED = "a rule could not be judged"

TOO_MUCH = "the conditions that judge this call go over more data together than they may"


@dataclass(frozen=True, slots=True)
class MissingFacts:
    """The gate can't judge yet: these facts have to be read first."""

    needs: tuple[FactNeed, ...]


Judge = Callable[[PolicyRules, tuple[Rule, ...], Bindings], list[Judged]]


def judge(guard: Guard, names: Mapping[str, Any], fresh: Fresh) -> Verdict | MissingFacts:
    """Judge a call; `fresh` gives the reading of a fact if there is one that may be used now.

    Rules that need no fact are judged first, and nothing is read once one of them denies.  Facts are read in
    waves: those that depend on others are asked for when the others are there.  Where all conditions together go
    over too much, none of them has a value: which of them came last must not matter.
    """
    return judge_by(_by_function, guard, names, fresh)


def judge_by(judge_rules: Judge, guard: Guard, names: Mapping[str, Any], fresh: Fresh) -> Verdict | MissingFacts:
    """The same, with what judges some rules of a policy."""
    try:
        return _judge(judge_rules, guard, names, fresh)
    except TooMuchTogether:
        every = [rule for policy in guard.policies for rule in (*policy.at_once, *policy.after_facts)]
        unknown: list[Judged] = [(rule, rule.effect is not Effect.ALLOW, {}, TOO_MUCH, "") for rule in every]
        return _verdict(guard, sorted(unknown, key=_by_name), {})


def _by_function(policy: PolicyRules, rules: tuple[Rule, ...], words: Bindings) -> list[Judged]:
    """Judge rules by their function, which is made once."""
    if not rules:
        return []
    key = rules is policy.at_once
    function: JudgeAll | None = policy.functions.get(key)
    if function is None:
        function = policy.functions[key] = function_of(rules)
    return function(words)


def one_by_one(policy: PolicyRules, rules: tuple[Rule, ...], words: Bindings) -> list[Judged]:
    """Judge rules the plain way, which the function has to agree with."""
    return [judge_rule(rule, words) for rule in rules]


def _judge(judge_rules: Judge, guard: Guard, names: Mapping[str, Any], fresh: Fresh) -> Verdict | MissingFacts:
    together = Together()
    words = [(policy, Bindings(policy, names, fresh, together)) for policy in guard.by_name]
    judged: list[Judged] = []
    by_policy = {policy.name: own for policy, own in words}
    for policy, own in words:
        judged += judge_rules(policy, policy.at_once, own)
    if not guard.needs_facts or any(one[1] and one[0].effect is Effect.DENY for one in judged):
        return _verdict(guard, judged, by_policy)
    missing: dict[str, FactNeed] = {}
    at_once = len(judged)
    for policy, own in words:
        for rule in policy.releasing:
            # what decides over the result is read before the call runs
            missing |= {need.key: need for need in _needs(rule, own)}
        needs = [_needs(rule, own) for rule in policy.after_facts]
        if any(needs):
            missing |= {need.key: need for wanted in needs for need in wanted}
            ready = [rule for rule, wanted in zip(policy.after_facts, needs, strict=True) if not wanted]
            # they are judged again when all is read; what they go over counts now already
            one_by_one(policy, tuple(ready), own)
        else:
            judged += judge_rules(policy, policy.after_facts, own)
    if missing:
        return MissingFacts(tuple(missing[key] for key in sorted(missing)))
    if len(judged) > at_once:
        judged.sort(key=_by_name)
    return _verdict(guard, judged, by_policy)


def _by_name(judged: Judged) -> tuple[str, str]:
    return judged[0].policy, judged[0].id


def withheld(guard: Guard, names: Mapping[str, Any], output: Any, read: Fresh) -> RuleTrace | None:
    """The first rule, by name, that keeps a read's output from the planner; an error withholds.

    `read` gives the facts, which were read before the call ran.
    """
    together = Together()
    for policy in guard.by_name:
        scope = Bindings(policy, ChainMap({"output": output}, names), read, together)  # type: ignore[arg-type]
        for rule in policy.releasing:
            seen: dict[str, Any] = {}
            error: str | None = None
            try:
                assert rule.release is not None
                if not judge_rule(rule, scope)[1]:
                    continue
                released = rule.release.value(scope, seen) is True
            except EvaluationError as problem:
                released, error = False, str(problem)
            except FactsNotRead:
                released, error = False, "a fact that it needs was not read"
            except TooMuchTogether:
                released, error = False, TOO_MUCH
            if not released:
                return RuleTrace(rule.id, rule.policy, rule.effect, True, rule.place, shorten(seen), error)
    return None


def _needs(rule: Rule, words: Bindings) -> list[FactNeed]:
    """What has to be read before a rule can be judged: all that can be asked for already, in one wave."""
    found: list[FactNeed] = []
    for name in sorted(rule.facts):
        try:
            words[name]
        except FactsNotRead as error:
            found += error.needs
    return found


def _verdict(guard: Guard, judged: list[Judged], words: Mapping[str, Bindings]) -> Verdict:
    """The verdict of rules that were judged, by name; `words` of each policy tell whom they name."""
    all_ = tuple(judged)
    error = any(map(_ERROR, judged))
    matching = [one for one in judged if one[1]]
    denies = _with(Effect.DENY, matching)
    if denies:
        return _by(Effect.DENY, denies, (), all_, error)
    allowing = _with(Effect.ALLOW, matching)
    if guard.needs_allow and not allowing:
        message = next((p.no_rule_allows for p in guard.by_name if p.no_rule_allows), "")
        return Verdict(Effect.DENY, NO_RULE_ALLOWS, message, None, (), all_, error)
    asking = _with(Effect.REQUIRE_APPROVAL, matching)
    if asking:
        asks = tuple(_ask(rule, values, text, words.get(rule.policy)) for rule, _, values, _, text in asking)
        return _by(Effect.REQUIRE_APPROVAL, asking, asks, all_, error)
    return Verdict(Effect.ALLOW, "", "", allowing[0][0].id if allowing else None, (), all_, error)


_ERROR = itemgetter(3)


def _ask(rule: Rule, values: dict[str, Any], text: str, words: Bindings | None) -> Ask:
    """Whom a rule asks; what named them stands with the values that it went by, so that a change of it is one."""
    named: dict[str, tuple[str, ...]] = {}
    if rule.names_of:
        seen: dict[str, Any] = {}
        named = {group: _people(expression, words, seen) for group, expression in rule.names_of}
        values = values | shorten(seen)
    how = rule.people, rule.distinct, named, rule.note, rule.second, rule.settle_delay, rule.attention
    return Ask(rule.id, rule.approvers, rule.reason, text, values, *how)


def _people(expression: Expression, words: Bindings | None, seen: dict[str, Any]) -> tuple[str, ...]:
    """The people whom an expression names; nobody where it has no value, or one that is no person's name."""
    if words is None:
        return ()
    try:
        value = expression.value(words, seen)
    except (EvaluationError, FactsNotRead, TooMuchTogether):
        return ()
    every = [value] if isinstance(value, str) else value if isinstance(value, list | tuple | frozenset) else []
    people = {one for one in every if isinstance(one, str) and one.strip() and one != CUSTOMER}
    return tuple(sorted(people)) if len(people) == len(set(map(str, every))) else ()


def _with(effect: Effect, judged: list[Judged]) -> list[Judged]:
    return [one for one in judged if one[0].effect is effect]


def _by(
    effect: Effect, deciding: list[Judged], asks: tuple[Ask, ...], judged: tuple[Judged, ...], error: bool
) -> Verdict:
    """A verdict that speaks with the words of the first rule that matched without an error."""
    for rule, _, _, problem, message in deciding:
        if problem is None:
            return Verdict(effect, rule.reason, message, rule.id, asks, judged, error)
    # what went wrong stands with the rule: it may hold what nobody is to be told
    return Verdict(effect, POLICY_ERROR, NOT_JUDGED, deciding[0][0].id, asks, judged, error)
