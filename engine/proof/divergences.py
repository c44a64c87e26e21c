"""Each way in which two bundles can judge a call otherwise, as a formula, with the rule that makes the difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.policy.flip_names import ALLOW, APPROVAL, WITHHELD, word
from engine.policy.gate import NO_RULE_ALLOWS
from engine.policy.rule import Effect
from engine.proof.term import NO, both, either, no
from engine.proof.verdicts import RuleWhen, VerdictFormula
from engine.spec.bundle import READ, Tool

FEWER = "a yes that was needed is needed no more"
MORE = "a further yes is needed"
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
    """The asks that people may leave open who meet all those of the other bundle (see `policy.approvals`).

    Where each is met by one of the other's, fewer people may still do, as of two that are distinct each needs its own.
    """
    found = []
    for rule, own in one.by(Effect.REQUIRE_APPROVAL).items():
        met = either(*(when for demand, when in other.asks.items() if demand.within(own.demand)))
        found.append((rule, both(own.matches, no(met))))
        if own.demand.distinct or own.demand.people > 1:
            found.append((rule, both(own.matches, met, one.people > other.people)))
    return found
