"""The gate: a call, the rules that cover its tool, and the facts they need, to a verdict.

In this order, without exception: any matching deny denies; a write or sensitive read that no allow
rule matches is denied; any matching require_approval asks; everything else is allowed.  The order of
rules and policies never matters.  A condition without a value counts as a match for deny and
require_approval and as no match for allow.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.language.arithmetic import EvaluationError
from engine.language.value import canonical_of_exact, digest, jsonable
from engine.language.work import Together, TooMuchTogether
from engine.policy.bindings import Bindings, FactNeed, FactOutput, FactsNotRead, Fresh
from engine.policy.rule import Effect, Guard, PolicyRules, Rule
from engine.policy.verdict import Ask, RuleTrace, Verdict

__all__ = ["FactNeed", "FactOutput", "Fresh", "MissingFacts", "judge", "shown", "withheld"]

NO_RULE_ALLOWS = "no_rule_allows"
POLICY_ERROR = "policy_error"

# what is told of a rule that has no value, whatever went wrong
NOT_JUDGED = "a rule could not be judged"

TOO_MUCH = "the conditions that judge this call go over more data together than they may"

_WITHOUT_VALUE = ": its message has no value)"

_SHOWN = 200
SMALL = frozenset({int, bool, type(None)})


@dataclass(frozen=True, slots=True)
class MissingFacts:
    """The gate can't judge yet: these facts have to be read first."""

    needs: tuple[FactNeed, ...]


def judge(guard: Guard, names: Mapping[str, Any], fresh: Fresh) -> Verdict | MissingFacts:
    """Judge a call; `fresh` gives the reading of a fact if there is one that may be used now.

    Rules that need no fact are judged first, and nothing is read once one of them denies.  Facts are read in
    waves: those that depend on others are asked for when the others are there.  Where all conditions together go
    over too much, none of them has a value: which of them came last must not matter.
    """
    try:
        return _judge(guard, names, fresh)
    except TooMuchTogether:
        every = [(policy, rule) for policy in guard.policies for rule in _asked(policy)]
        traced = [_traced(rule, rule.effect is not Effect.ALLOW, {}, TOO_MUCH) for _, rule in every]
        return _verdict(guard, [_TracedRule(rule, trace, "") for (_, rule), trace in zip(every, traced, strict=True)])


def _judge(guard: Guard, names: Mapping[str, Any], fresh: Fresh) -> Verdict | MissingFacts:
    together = Together()
    words = [(policy, Bindings(policy, names, fresh, together)) for policy in guard.policies]
    judged = [_trace(policy, rule, own) for policy, own in words for rule in _asked(policy) if not rule.facts]
    if any(j.trace.matched and j.rule.effect is Effect.DENY for j in judged):
        return _verdict(guard, judged)
    missing: dict[str, FactNeed] = {}
    for policy, own in words:
        for rule in policy.rules:
            if rule.release is not None:
                # what decides over the result is read before the call runs
                missing |= {need.key: need for need in _needs(rule, own)}
            elif rule.facts:
                needs = _needs(rule, own)
                missing |= {need.key: need for need in needs}
                if not needs:
                    judged.append(_trace(policy, rule, own))
    if missing:
        return MissingFacts(tuple(missing[key] for key in sorted(missing)))
    return _verdict(guard, judged)


def _asked(policy: PolicyRules) -> list[Rule]:
    """The rules that judge a call; those about releasing a result come later."""
    return [rule for rule in policy.rules if rule.release is None]


def withheld(guard: Guard, names: Mapping[str, Any], output: Any, read: Fresh) -> RuleTrace | None:
    """The first rule, by name, that keeps a read's output from the planner; an error withholds.

    `read` gives the facts, which were read before the call ran.
    """
    together = Together()
    for policy in sorted(guard.policies, key=lambda policy: policy.name):
        scope = Bindings(policy, ChainMap({"output": output}, names), read, together)  # type: ignore[arg-type]
        for rule in sorted(policy.rules, key=lambda rule: rule.id):
            if rule.release is None:
                continue
            seen: dict[str, Any] = {}
            error: str | None = None
            try:
                if rule.condition is not None and not _trace(policy, rule, scope).trace.matched:
                    continue
                released = rule.release.value(scope, seen) is True
            except EvaluationError as problem:
                released, error = False, str(problem)
            except FactsNotRead:
                released, error = False, "a fact that it needs was not read"
            except TooMuchTogether:
                released, error = False, TOO_MUCH
            if not released:
                return RuleTrace(rule.id, rule.policy, rule.effect, True, rule.place, _values(seen), error)
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


class _TracedRule(NamedTuple):
    rule: Rule
    trace: RuleTrace
    message: str


def _trace(policy: PolicyRules, rule: Rule, scope: Bindings) -> _TracedRule:
    condition = rule.condition
    if condition is None:
        return _TracedRule(rule, _traced(rule, True, {}, None), _message(rule, scope))
    seen: dict[str, Any] = {}
    error: str | None = None
    try:
        value = condition.value(scope, seen)
        if value is not True and value is not False:
            raise EvaluationError("a condition must be a boolean")
        matched = value is not rule.negated
    except EvaluationError as problem:
        error = str(problem)
        matched = rule.effect is not Effect.ALLOW
    trace = _traced(rule, matched, _values(seen), error)
    return _TracedRule(rule, trace, _message(rule, scope) if matched and rule.message is not None else "")


def _traced(rule: Rule, matched: bool, values: dict[str, Any], error: str | None) -> RuleTrace:
    return RuleTrace(rule.id, rule.policy, rule.effect, matched, rule.place, values, error)


def _values(seen: Mapping[str, Any]) -> dict[str, Any]:
    return {chain: shown(value) for chain, value in seen.items()}


def shown(value: Any) -> Any:
    """A value as a verdict keeps it: whole if it is small, else by its digest."""
    if type(value) in SMALL:
        return value
    plain = jsonable(value)
    # no character takes more than twelve of JSON's
    if isinstance(plain, list | dict) or (isinstance(plain, str) and len(plain) > _SHOWN // 12 - 1):
        return {"digest": digest(plain)} if len(canonical_of_exact(plain)) > _SHOWN else plain
    return plain


def _message(rule: Rule, scope: Mapping[str, Any]) -> str:
    if rule.message is None:
        return ""
    try:
        return rule.message.render(scope)
    except EvaluationError:
        return f"({rule.id}{_WITHOUT_VALUE}"


def has_no_value(message: str) -> bool:
    """Whether a rule's message stands for one that could not be made."""
    return message.startswith("(") and message.endswith(_WITHOUT_VALUE)


def _verdict(guard: Guard, judged: list[_TracedRule]) -> Verdict:
    judged = sorted(judged, key=lambda j: (j.rule.policy, j.rule.id))
    traces = tuple(j.trace for j in judged)
    error = any(trace.error for trace in traces)
    denies = list(_matching(judged, Effect.DENY))
    if denies:
        return _by(Effect.DENY, denies, (), traces, error)
    if guard.needs_allow and not any(_matching(judged, Effect.ALLOW)):
        message = next((p.no_rule_allows for p in sorted(guard.policies, key=lambda p: p.name) if p.no_rule_allows), "")
        return Verdict(Effect.DENY, NO_RULE_ALLOWS, message, None, (), traces, error)
    asking = list(_matching(judged, Effect.REQUIRE_APPROVAL))
    if asking:
        asks = tuple(Ask(j.rule.id, j.rule.approvers, j.rule.reason, j.message, j.trace.values) for j in asking)
        return _by(Effect.REQUIRE_APPROVAL, asking, asks, traces, error)
    allowing = list(_matching(judged, Effect.ALLOW))
    rule = allowing[0].rule.id if allowing else None
    return Verdict(Effect.ALLOW, "", "", rule, (), traces, error)


def _by(
    effect: Effect, deciding: list[_TracedRule], asks: tuple[Ask, ...], traces: tuple[RuleTrace, ...], error: bool
) -> Verdict:
    """A verdict that speaks with the words of the first rule that matched without an error."""
    sound = [j for j in deciding if j.trace.error is None]
    if sound:
        return Verdict(effect, sound[0].rule.reason, sound[0].message, sound[0].rule.id, asks, traces, error)
    broken = deciding[0]
    # what went wrong stands with the rule: it may hold what nobody is to be told
    return Verdict(effect, POLICY_ERROR, NOT_JUDGED, broken.rule.id, asks, traces, error)


def _matching(judged: list[_TracedRule], effect: Effect) -> Iterator[_TracedRule]:
    return (j for j in judged if j.trace.matched and j.rule.effect is effect)
