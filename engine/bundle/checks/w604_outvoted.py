"""W604: rule is always outvoted."""

from __future__ import annotations

from collections.abc import Iterator

from engine.bundle.link.whole_bundle import GuardRules, WholeBundle
from engine.diagnostic import Diagnostic, Manual, Place, Severity
from engine.policy.rule import Effect

MANUAL = Manual(
    code="W604",
    title="rule is always outvoted",
    what="A deny rule matches whenever this rule does, on every tool that it covers.",
    why="The rule reads as if it decided something, and never does.",
    wrong="""\
rules:
  - {id: shut, tools: [refund_order], effect: deny}
  - {id: small, tools: [refund_order], effect: allow, when: input.amount_usd < 100}
""",
    right="""\
rules:
  - {id: small, tools: [refund_order], effect: allow, when: input.amount_usd < 100}
""",
    severity=Severity.WARNING,
)


def at(place: Place, rule: str, by: str) -> Diagnostic:
    """The id of the rule."""
    return MANUAL.at(
        place,
        f"rule `{rule}` is always outvoted by `{by}`",
        help="drop one of the two, or give the deny a condition",
    )


def check(whole: WholeBundle) -> Iterator[Diagnostic]:
    """A deny matches whenever the rule does, wherever the rule stands."""
    every = [rules for of_agent in whole.guards.values() for rules in of_agent.values()]
    for policy in whole.of_kind("Policy"):
        for rule in whole.rules_of(policy):
            id_ = str(rule.at("id").value)
            by = _outvoting(id_, every)
            if by:
                yield at(rule.at("id").place, id_, min(by))


def _outvoting(id_: str, guards: list[GuardRules]) -> set[str]:
    """The denies that outvote a rule wherever it stands; none if it stands somewhere without one."""
    found: set[str] = set()
    for guard in guards:
        for rule, conditions in guard.by_id.get(id_, ()):
            by = None if rule.effect is Effect.DENY else guard.outvoting(rule, conditions)
            if by is None:
                return set()
            found.add(by)
    return found
