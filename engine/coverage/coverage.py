"""What fixtures, or past sessions, cover of a bundle's policies."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import Any

from engine.coverage.catalogue import (
    ABOVE,
    ABSENT,
    AT,
    BELOW,
    FALSE,
    MATCHED,
    TRUE,
    Catalogue,
    Owner,
    WrittenExpression,
)
from engine.diagnostic import Place
from engine.explain.number_steps import smallest
from engine.language.arithmetic import is_number
from engine.language.conditions import Span
from engine.language.expression import Expression
from engine.policy.bindings import FactsNotRead
from engine.policy.observe import Observation, WatchedWords, observe, watch_rule
from engine.policy.rule import PolicyRules
from engine.replay.judgements import Judgement, Release, judgements, recorded
from engine.session.expression_names import gate_names
from engine.session.state.event import Event
from engine.spec.bundle import Bundle


@dataclass(frozen=True, slots=True)
class CoverageItem:
    """One thing that can be covered: of a rule that it matches, of a condition a side, of a comparison a boundary."""

    owner: str
    rules: tuple[str, ...]
    what: str
    text: str
    place: Place
    covered: bool

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "owner": self.owner,
            "rules": list(self.rules),
            "what": self.what,
            "text": self.text,
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "end_line": self.place.end_line,
            "end_column": self.place.end_column,
            "covered": self.covered,
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """All items, and how often each rule matched."""

    items: tuple[CoverageItem, ...]
    matched: Mapping[str, int]

    @property
    def percent(self) -> float:
        """How much of it is covered, 100 if there is nothing to cover."""
        return 100 * sum(item.covered for item in self.items) / len(self.items) if self.items else 100.0

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "percent": round(self.percent, 1),
            "covered": sum(item.covered for item in self.items),
            "of": len(self.items),
            "rules": [{"rule": rule, "matched": count} for rule, count in sorted(self.matched.items())],
            "items": [item.payload() for item in self.items],
        }


@dataclass(slots=True)
class _Met:
    sides: set[tuple[Span, str]] = field(default_factory=set)
    boundaries: set[tuple[Span, int, str]] = field(default_factory=set)
    absent: set[Span] = field(default_factory=set)


class Observations:
    """What was met so far."""

    def __init__(self, bundle: Bundle, known: Catalogue) -> None:
        self._bundle = bundle
        self._known = known
        self._met: dict[Owner, _Met] = {}
        self.matched: Counter[str] = Counter()

    def log(self, log: Iterable[Event]) -> None:
        """Take in the verdicts of a log, as the bundle's own rules give them."""
        for moment in judgements(log):
            if isinstance(moment, Judgement):
                self._judgement(moment)
            elif moment.event.payload["status"] == "ok" or moment.event.payload["reason"] == "result_withheld":
                self._release(moment)

    def coverage(self) -> Coverage:
        """What it comes to."""
        matched = {rule: self.matched[rule] for rule in self._known.rules}
        return Coverage(tuple(self._items()), matched)

    def _judgement(self, moment: Judgement) -> None:
        guard = moment.guard(self._bundle)
        names = gate_names(moment.state, moment.call, self._bundle)
        known = recorded(moment.state, moment.call, moment.event.at)
        for policy in guard.policies if guard is not None else ():
            tell = partial(self._tell, policy, moment.call.name)
            words = WatchedWords(policy, names, known, tell)
            for rule in policy.rules:
                if rule.release is None:
                    try:
                        self.matched[rule.id] += watch_rule(rule, words, tell) is True
                    except FactsNotRead:
                        # a rule that an earlier denial spared its reads was not judged
                        continue

    def _release(self, moment: Release) -> None:
        guard = moment.guard(self._bundle)
        if guard is None or not guard.releases:
            return
        names = gate_names(moment.state, moment.call, self._bundle)
        known = recorded(moment.state, moment.call, moment.event.at)
        withheld = moment.event.payload["rule"] if moment.event.payload["reason"] == "result_withheld" else None
        for policy in guard.policies:
            tell = partial(self._tell, policy, moment.call.name)
            words = WatchedWords(policy, names, known, tell)
            for rule in policy.rules:
                if rule.release is None:
                    continue
                if withheld is not None:
                    # what was withheld is not recorded, only by which rule
                    self.matched[rule.id] += rule.id == withheld
                    continue
                try:
                    if watch_rule(rule, words, tell) is False:
                        continue
                    scope = ChainMap({"output": moment.event.payload["output"]}, words)
                    seen = observe(rule.release, scope)
                except FactsNotRead:
                    continue
                tell("rule", rule.id, rule.release, seen)
                self.matched[rule.id] += seen.value is not True

    def _tell(
        self, policy: PolicyRules, tool: str, kind: str, name: str, expression: Expression, seen: Observation
    ) -> None:
        written = self._known.of(policy, tool, (kind, name, expression.text))
        if written is None:
            return
        met = self._met.setdefault(written.owner, _Met())
        met.sides |= {(at, TRUE if value else FALSE) for at, values in seen.sides.items() for value in values}
        met.absent |= {at for at, values in seen.reads.items() if None in values}
        for key, pairs in seen.pairs.items():
            for left, right in pairs:
                value, other = (right, left) if key in written.mirrored else (left, right)
                boundary = _boundary(value, other, written.steps.get(key))
                if boundary:
                    met.boundaries.add((*key, boundary))

    def _items(self) -> Iterator[CoverageItem]:
        for rule in self._known.rules.values():
            yield CoverageItem(rule.id, (rule.id,), MATCHED, rule.id, rule.place, self.matched[rule.id] > 0)
        for owner, written in self._known.written.items():
            met, rules = self._met.get(owner, _Met()), tuple(sorted(written.rules))
            for what, at, covered in _of(written, met):
                place = written.place(at)
                yield CoverageItem(owner[1], rules, what, " ".join(written.text[at[0] : at[1]].split()), place, covered)


def _of(written: WrittenExpression, met: _Met) -> Iterator[tuple[str, Span, bool]]:
    for at, sides in sorted(written.sides.items()):
        for side in sorted(sides, reverse=True):
            yield side, at, (at, side) in met.sides
    for key, signs in sorted(written.boundaries.items()):
        for sign in (BELOW, AT, ABOVE):
            if sign in signs:
                yield sign, written.parts[key], (*key, sign) in met.boundaries
    for at in sorted(written.absent):
        yield ABSENT, at, at in met.absent


def _boundary(left: Any, right: Any, step: Any) -> str:
    """Where two compared values stand to each other, if that is at the boundary or a step beside it."""
    if not (is_number(left) and is_number(right)) and not (
        isinstance(left, date | timedelta) and type(left) is type(right)
    ):
        return ""
    if left == right:
        return AT
    step = step or smallest(left, right)
    apart = left - right if left > right else right - left
    if apart > step:
        return ""
    return ABOVE if left > right else BELOW


def uncovered(coverage: Coverage) -> Sequence[CoverageItem]:
    """What is not covered, by place."""
    return sorted((item for item in coverage.items if not item.covered), key=lambda item: (item.place, item.what))
