"""Each way in which two bundles can judge a call otherwise, as a formula, with the rule that makes the difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import z3  # type: ignore[import-untyped]

from engine.policy.flip_names import ALLOW, APPROVAL, WITHHELD, word
from engine.policy.gate import NO_RULE_ALLOWS
from engine.policy.rule import Effect
from engine.proof.term import NO, YES, both, either, no
from engine.proof.verdicts import RuleWhen, VerdictFormula
from engine.spec.bundle import READ, Tool

FEWER = "less is needed for a yes"
MORE = "more is needed for a yes"
OTHER_WORDS = "other rules are named"


@dataclass(frozen=True, slots=True)
class Divergence:
    """What was, what would be, when it differs so, what more there is to say, and the rule that it is due to.

    It is about the verdict, or about whether a result is kept.
    """

    was: str
    would: str
    when: Any
    why: str = ""
    due: str = ""
    of_result: bool = False


def verdicts_that_differ(one: VerdictFormula, other: VerdictFormula, *, same_need: bool) -> Iterator[Divergence]:
    """Of each two verdicts the calls that had one and would have the other, rule by rule.

    Every such call is due to a rule that matches it in one bundle only, or, unless both bundles have the `same_need`,
    to a rule that has to allow it.
    """
    for before in Effect:
        for after in Effect:
            if before is after:
                continue
            differs = both(one.of(before), other.of(after))
            due = _due(one, other, before, after)
            for rule, when in due:
                yield Divergence(word(before), word(after), both(differs, when), due=rule)
            if not same_need:
                rest = both(differs, no(either(*(when for _, when in due))))
                yield Divergence(word(before), word(after), rest, due=NO_RULE_ALLOWS)
    asking = both(one.ask, other.ask)
    for why, asks, others in ((FEWER, one, other), (MORE, other, one)):
        for rule, when in _left_open(asks, others):
            yield Divergence(APPROVAL, APPROVAL, both(asking, when), why, rule)


def results_that_differ(one: VerdictFormula, other: VerdictFormula, tool: Tool) -> Iterator[Divergence]:
    """The results of a read that one bundle keeps from the planner and the other does not."""
    if tool.effect is READ:
        # what is asked about first may run as well
        runs = both(no(one.deny), no(other.deny))
        yield Divergence(ALLOW, WITHHELD, both(runs, no(one.withheld), other.withheld), of_result=True)
        yield Divergence(WITHHELD, ALLOW, both(runs, one.withheld, no(other.withheld)), of_result=True)


def words_that_differ(one: VerdictFormula, other: VerdictFormula) -> Iterator[Divergence]:
    """The calls that are judged alike, and where a verdict names other rules."""
    for effect in Effect:
        named, names = one.speaker(effect), other.speaker(effect)
        differ = [_either_alone(named.get(rule, NO), names.get(rule, NO)) for rule in {**named, **names}]
        if effect is Effect.REQUIRE_APPROVAL:
            differ += [when for _, when in _changed(one, other, effect)] + [
                when for _, when in _changed(other, one, effect)
            ]
        yield Divergence(
            word(effect), word(effect), both(one.of(effect), other.of(effect), either(*differ)), OTHER_WORDS
        )


def _either_alone(one: Any, other: Any) -> Any:
    return NO if one.eq(other) else either(both(one, no(other)), both(no(one), other))


def _due(one: VerdictFormula, other: VerdictFormula, before: Effect, after: Effect) -> list[tuple[str, Any]]:
    """The rules that can turn one verdict into another, each with when it does its part."""
    if before is Effect.DENY:
        allowed = either(*(when for _, when in _changed(other, one, Effect.ALLOW)))
        return [*_changed(one, other, Effect.DENY), (NO_RULE_ALLOWS, allowed)]
    if after is Effect.DENY:
        unallowed = either(*(when for _, when in _changed(one, other, Effect.ALLOW)))
        return [*_changed(other, one, Effect.DENY), (NO_RULE_ALLOWS, unallowed)]
    stricter, laxer = (one, other) if before is Effect.REQUIRE_APPROVAL else (other, one)
    return _changed(stricter, laxer, Effect.REQUIRE_APPROVAL)


def _changed(one: VerdictFormula, other: VerdictFormula, effect: Effect) -> list[tuple[str, Any]]:
    """The rules of an effect that match a call in one bundle and not in the other."""
    found = []
    others: Mapping[str, RuleWhen] = other.by(effect)
    for rule, own in one.by(effect).items():
        matches = others[rule].matches if rule in others else NO
        if not own.matches.eq(matches):
            found.append((rule, both(own.matches, no(matches))))
    return found


def _left_open(one: VerdictFormula, other: VerdictFormula) -> list[tuple[str, Any]]:
    """The asks that people may leave open who meet all those of the other bundle (see `policy.approvals.uncovered`).

    A plain ask of the other meets any number of plain ones, a distinct one a single ask: where more are left than there
    are distinct ones for them, one is open.  Each is asked of the real comparison before it is told.
    """
    own, others = one.by(Effect.REQUIRE_APPROVAL), list(other.by(Effect.REQUIRE_APPROVAL).values())
    distinct = [rule for rule in others if rule.demand.distinct]
    plain = [rule for rule in others if not rule.demand.distinct]
    left = {
        name: rule.matches if rule.demand.distinct else both(rule.matches, no(_met(rule, plain)))
        for name, rule in own.items()
    }
    covers = {name: frozenset(o.rule for o in distinct if o.demand.within(rule.demand)) for name, rule in own.items()}
    found = []
    for some in _subsets(distinct, set(covers.values())):
        names = {rule.rule for rule in some}
        needing = [name for name in own if covers[name] <= names]
        # one that nothing is for is open wherever it is left
        short = _count(left[name] for name in needing) > _count(rule.matches for rule in some) if some else YES
        found += [(name, both(left[name], short)) for name in needing]
    for name, rule in own.items():
        if rule.demand.distinct or rule.demand.people > 1:
            found.append((name, both(rule.matches, one.people > other.people)))
    return found


def _met(rule: RuleWhen, by: Iterable[RuleWhen]) -> Any:
    """When whoever meets one of some asks meets that of a rule as well."""
    return either(*(other.matches for other in by if other.demand.within(rule.demand)))


MOST_SUBSETS = 6


def _subsets(rules: list[RuleWhen], needed: set[frozenset[str]]) -> list[list[RuleWhen]]:
    """All sets of some rules, or of many those that some ask is met by."""
    if len(rules) <= MOST_SUBSETS:
        return [list(some) for size in range(len(rules) + 1) for some in combinations(rules, size)]
    return [[rule for rule in rules if rule.rule in names] for names in {*needed, frozenset(r.rule for r in rules)}]


def _count(holds: Iterable[Any]) -> Any:
    """How many of some formulas hold."""
    total = z3.IntVal(0)
    for one in holds:
        total = total + z3.If(one, 1, 0)
    return total
