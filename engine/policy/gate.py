"""The gate: a call, the rules that cover its tool, and the facts they need, to a verdict.

In this order, without exception: any matching deny denies; a write or sensitive read that no allow
rule matches is denied; any matching require_approval asks; everything else is allowed.  The order of
rules and policies never matters.  A condition without a value counts as a match for deny and
require_approval and as no match for allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engine.policy.arithmetic import EvaluationError
from engine.policy.evaluate import Unreadable
from engine.policy.rule import Effect, Fact, Guard, PolicyRules, Rule
from engine.policy.value import canonical, digest, jsonable
from engine.policy.verdict import Ask, RuleTrace, Verdict

NO_RULE_ALLOWS = "no_rule_allows"
POLICY_ERROR = "policy_error"

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """What a fact read brought: an output, or the problem that kept it from being read."""

    output: Any = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class FactNeed:
    """A read that the gate waits for; equal needs of several rules are one."""

    key: str
    fact: str
    tool: str
    input: Mapping[str, Any]
    max_age: timedelta

    def payload(self) -> dict[str, Any]:
        """As JSON, for the log."""
        return {"key": self.key, "fact": self.fact, "tool": self.tool, "input": dict(self.input)}


@dataclass(frozen=True, slots=True)
class Missing:
    """The gate can't judge yet: these facts have to be read first."""

    needs: tuple[FactNeed, ...]


Fresh = Callable[[FactNeed], Reading | None]


def judge(guard: Guard, names: Mapping[str, Any], fresh: Fresh) -> Verdict | Missing:
    """Judge a call; `fresh` gives the reading of a fact if there is one that may be used now.

    Rules that need no fact are judged first, and nothing is read once one of them denies.
    """
    sober = [_trace(p, rule, names, {}) for p in guard.policies for rule in p.rules if not rule.facts]
    if any(matched.trace.matched and matched.rule.effect is Effect.DENY for matched in sober):
        return _verdict(guard, sober)
    missing: dict[str, FactNeed] = {}
    judged = sober
    for policy in guard.policies:
        hungry = [rule for rule in policy.rules if rule.facts]
        if not hungry:
            continue
        facts = _facts(policy, hungry, names, fresh, missing)
        judged = judged + [_trace(policy, rule, names, facts) for rule in hungry]
    if missing:
        return Missing(tuple(missing[key] for key in sorted(missing)))
    return _verdict(guard, judged)


def fact_need(fact: Fact, names: Mapping[str, Any]) -> FactNeed:
    """The read that a fact stands for under these names; raises EvaluationError."""
    given = {name: jsonable(expression.value(names)) for name, expression in fact.input.items()}
    key = digest([fact.tool, given])[:32]
    return FactNeed(key, fact.name, fact.tool, given, fact.max_age)


@dataclass(frozen=True, slots=True)
class _Judged:
    rule: Rule
    trace: RuleTrace
    message: str


def _facts(
    policy: PolicyRules,
    rules: list[Rule],
    names: Mapping[str, Any],
    fresh: Fresh,
    missing: dict[str, FactNeed],
) -> dict[str, Any]:
    """The values of the facts that rules use; what is not read yet is noted in `missing`."""
    found: dict[str, Any] = {}
    scope = {**names, "params": policy.params}
    for name in sorted(frozenset().union(*(rule.facts for rule in rules))):
        try:
            need = fact_need(policy.facts[name], scope)
        except EvaluationError as error:
            found[name] = Unreadable(f"fact `{name}` can't be asked for: {error}")
            continue
        reading = fresh(need)
        if reading is None:
            missing.setdefault(need.key, need)
            found[name] = Unreadable(f"fact `{name}` is not read yet")
        elif reading.problem is not None:
            found[name] = Unreadable(f"fact `{name}` could not be read: {reading.problem}")
        else:
            found[name] = reading.output
    return found


def _trace(policy: PolicyRules, rule: Rule, names: Mapping[str, Any], facts: Mapping[str, Any]) -> _Judged:
    scope = {**names, "params": policy.params, **facts}
    seen: dict[str, Any] = {}
    error: str | None = None
    matched = True
    if rule.condition is not None:
        try:
            value = rule.condition.value(scope, seen)
            if not isinstance(value, bool):
                raise EvaluationError("a condition must be a boolean")
            matched = value is not rule.negated
        except EvaluationError as problem:
            error = str(problem)
            matched = rule.effect is not Effect.ALLOW
    values = {chain: shown(value) for chain, value in sorted(seen.items())}
    trace = RuleTrace(rule.id, rule.policy, rule.effect, matched, rule.place, values, error)
    return _Judged(rule, trace, _message(rule, scope) if matched else "")


def shown(value: Any) -> Any:
    """A value as a verdict keeps it: whole if it is small, else by its digest."""
    plain = jsonable(value)
    if isinstance(plain, list | dict | str) and len(canonical(plain)) > _SHOWN:
        return {"digest": digest(plain)}
    return plain


def _message(rule: Rule, scope: Mapping[str, Any]) -> str:
    if rule.message is None:
        return ""
    try:
        return rule.message.render(scope)
    except EvaluationError as error:
        return f"({rule.id}: its message has no value: {error})"


def _verdict(guard: Guard, judged: list[_Judged]) -> Verdict:
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
    effect: Effect, deciding: list[_Judged], asks: tuple[Ask, ...], traces: tuple[RuleTrace, ...], error: bool
) -> Verdict:
    """A verdict that speaks with the words of the first rule that matched without an error."""
    sound = [j for j in deciding if j.trace.error is None]
    if sound:
        return Verdict(effect, sound[0].rule.reason, sound[0].message, sound[0].rule.id, asks, traces, error)
    broken = deciding[0]
    return Verdict(effect, POLICY_ERROR, str(broken.trace.error), broken.rule.id, asks, traces, error)


def _matching(judged: list[_Judged], effect: Effect) -> Iterator[_Judged]:
    return (j for j in judged if j.trace.matched and j.rule.effect is effect)
