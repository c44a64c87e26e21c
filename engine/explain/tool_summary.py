"""A tool in plain words: when it runs, when it asks and whom, when it never runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.language.value import duration_text, jsonable, one_line
from engine.policy.approvals import groups_asked
from engine.policy.rule import CUSTOMER, Effect, PolicyRules, Rule
from engine.spec.bundle import Agent, Tool

_PARAM = re.compile(r"\bparams\.([A-Za-z_]\w*)")


def sentences(tool: Tool, agent: Agent) -> list[str]:
    """What the rules and limits say of a tool."""
    guard = agent.guards[tool.name]
    rules = [(policy, rule) for policy in guard.policies for rule in policy.rules]
    found = list(_runs(rules, needs_allow=guard.needs_allow))
    found += [f"it asks {_approver_text(r)} {_when(p, r)}" for p, r in _of(rules, Effect.REQUIRE_APPROVAL)]
    found += [f"it never runs {_when(p, r)}" for p, r in _of(rules, Effect.DENY)]
    found += [f"its result is kept from the planner {_release_text(p, r)}" for p, r in rules if r.release is not None]
    limit = agent.limits.per_tool(tool.name)
    if limit is None:
        return found
    return [*found, f"it runs {'once' if limit == 1 else f'{limit} times'} in a session at the most"]


def _runs(rules: list[tuple[PolicyRules, Rule]], *, needs_allow: bool) -> Iterator[str]:
    if not needs_allow:
        yield f"it runs whenever it is proposed{', unless a rule below says otherwise' if rules else ''}"
        return
    allowing = list(_of(rules, Effect.ALLOW))
    yield from (f"it may run {_when(policy, rule)}" for policy, rule in allowing)
    if not allowing:
        yield "it never runs: no rule allows it"
    elif all(rule.condition is not None for _, rule in allowing):
        yield "in every other case it never runs"


def _of(rules: list[tuple[PolicyRules, Rule]], effect: Effect) -> Iterator[tuple[PolicyRules, Rule]]:
    return ((p, r) for p, r in rules if r.effect is effect and r.release is None)


def _approver_text(rule: Rule) -> str:
    of = f"{rule.people} different people of " if rule.people > 1 else ""
    apart = ", who answer for no other rule" if rule.distinct else ""
    groups = sorted(groups_asked(rule.approvers, rule.people_by_text))
    noted = ", who say why" if rule.note else ""
    second = f", and one person more for {rule.second} % of calls" if rule.second else ""
    asked = " or ".join("the customer" if group == CUSTOMER else group for group in groups)
    delay = f"; a yes counts after {duration_text(rule.settle_delay)}" if rule.settle_delay else ""
    return of + asked + apart + noted + second + delay


def _when(policy: PolicyRules, rule: Rule) -> str:
    where = f"({rule.id}, {rule.place})"
    if rule.condition is None:
        return f"in any case {where}"
    return f"{'unless' if rule.negated else 'when'} {_spelt(policy, rule.condition.text)} {where}"


def _release_text(policy: PolicyRules, rule: Rule) -> str:
    assert rule.release is not None, "asked of rules about results only"
    kept = f"unless {_spelt(policy, rule.release.text)} ({rule.id}, {rule.place})"
    if rule.condition is None:
        return kept
    return f"{'unless' if rule.negated else 'when'} {_spelt(policy, rule.condition.text)}, {kept}"


def _spelt(policy: PolicyRules, text: str) -> str:
    """A condition on one line, with the values of its params."""

    def value(found: re.Match[str]) -> str:
        known = policy.params.get(found[1])
        return f"{one_line(jsonable(known))} ({found[0]})" if found[1] in policy.params else found[0]

    return _PARAM.sub(value, " ".join(text.split()))
