"""The nearest change of a call, or of what was read for it, under which it would be judged otherwise."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import partial
from typing import Any

from engine.explain.number_steps import Scales, smallest
from engine.language.arithmetic import EvaluationError, add, is_number, subtract
from engine.language.conditions import Span
from engine.language.expression import Expression
from engine.language.syntax import span
from engine.language.value import exact, jsonable, number_text, one_line
from engine.policy.bindings import FactsNotRead
from engine.policy.flip_names import ALLOW, APPROVAL, DENY, STRICTNESS, UNKNOWN, word
from engine.policy.gate import FactNeed, FactOutput, MissingFacts, judge
from engine.policy.observe import Observation, WatchedWords, watch_rule
from engine.policy.rule import PolicyRules
from engine.replay.judgements import Judgement, recorded
from engine.session.expression_names import gate_names
from engine.session.state.persistent import copy_with
from engine.spec.bundle import Bundle

MOST = 6
MOST_TRIED = 200
MOST_HALVED = 60
MOST_DOUBLED = 24

# a part of what is judged: `input` or the name of a fact, and the fields down to the value
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NearestChange:
    """A value that is other than it was, and the verdict that would fall; `rule` compares it.

    The verdict falls from `then` on as far as `until`, None if no end of it is known; it is `unknown` where facts
    would be read that nobody has read.
    """

    path: Path
    now: Any
    then: Any
    verdict: str
    rule: str
    until: Any = None

    @property
    def about_input(self) -> bool:
        """Whether the planner could have proposed it."""
        return self.path[0] == "input"

    def __str__(self) -> str:
        return self.in_words()

    def in_words(self, *, ends: bool = True) -> str:
        """In words; without its end, which another rule may make, only the one value is told of."""
        name, said = ".".join(self.path), _EFFECT_TEXT[self.verdict]
        if not (is_number(self.now) and is_number(self.then)):
            return said.format(f"if {name} were {one_line(jsonable(self.then))}")
        then = number_text(self.then)
        if self.until is None:
            return said.format(f"{'up to' if self.then < self.now else 'from'} {then} ({name})")
        if not ends or self.until == self.then:
            return said.format(f"at {then} ({name})")
        low, high = sorted((self.then, self.until))
        return said.format(f"from {number_text(low)} to {number_text(high)} ({name})")

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "path": ".".join(self.path),
            "now": self.now,
            "then": self.then,
            "verdict": self.verdict,
            "until": self.until,
            "rule": self.rule,
            "text": str(self),
        }


def nearest(moment: Judgement, bundle: Bundle) -> list[NearestChange]:
    """For each value that some rule compares the least change that flips the verdict, the less strict ones first."""
    now = _judged(moment, bundle, None, None)
    if now is None:
        return []
    found: dict[tuple[Path, str], tuple[NearestChange, Any]] = {}
    tried: dict[Path, set[Any]] = {}
    for number, (path, value, then, rule, step) in enumerate(_candidates(moment, bundle)):
        if number >= MOST_TRIED:
            break
        if is_number(value) and is_number(then):
            tried.setdefault(path, set()).add(then)
        verdict = _judged(moment, bundle, path, then)
        if verdict is None or verdict == now:
            continue
        near = NearestChange(path, value, then, verdict, rule)
        known = found.get((path, verdict))
        if known is None or _apart(value, then) < _apart(value, known[0].then):
            found[path, verdict] = near, step
    told = [_exactly(near, step, tried.get(near.path, set()), moment, bundle) for near, step in found.values()]
    ranked = sorted(told, key=lambda near: (_STRICT[near.verdict], near.path[0] != "input", near.path))
    return ranked[:MOST]


_STRICT = {**STRICTNESS, UNKNOWN: 1}
_EFFECT_TEXT = {
    ALLOW: "allowed {}",
    APPROVAL: "asked about {}",
    DENY: "denied {}",
    UNKNOWN: "not denied for this {}: what is then read decides",
}


def _exactly(near: NearestChange, step: Any, tried: set[Any], moment: Judgement, bundle: Bundle) -> NearestChange:
    """Of a number the nearest value that flips the verdict so, and how far beyond it that holds."""
    if not (is_number(near.now) and is_number(near.then)):
        return near
    verdict = partial(_judged, moment, bundle, near.path)
    small = Decimal(step or smallest(near.now, near.then))
    then = _first(near.now, near.then, near.verdict, small, verdict)
    sign = 1 if near.then > near.now else -1
    # beyond it the values that rules compare, and ever larger steps: a rule may compute with the number
    steps = {exact(add(then, exact(sign * small * 2**doubled))) for doubled in range(MOST_DOUBLED)}
    last = then
    for value in sorted((v for v in tried | steps if (v - then) * sign > 0), key=lambda value: abs(value - then)):
        told = verdict(value)
        if told is not None and told != near.verdict:
            end = _first(value, last, near.verdict, small, verdict)
            return replace(near, then=exact(then), until=exact(end))
        last = value if told is not None else last
    return replace(near, then=exact(then))


def _first(start: Any, end: Any, wanted: str, step: Decimal, verdict: Callable[[Any], str | None]) -> Any:
    """On the way from a value without a verdict to one with it the first that has it, by halving."""
    sign = 1 if end > start else -1
    low, found = Decimal(0), end
    high = (Decimal(abs(subtract(end, start))) / step).to_integral_value(ROUND_CEILING)
    for _ in range(MOST_HALVED):
        if high - low <= 1:
            break
        middle = ((low + high) / 2).to_integral_value(ROUND_FLOOR)
        value = exact(add(start, exact(sign * middle * step)))
        if verdict(value) == wanted:
            high, found = middle, value
        else:
            low = middle
    return found


def _apart(value: Any, then: Any) -> Any:
    return abs(subtract(value, then)) if is_number(value) and is_number(then) else 0


# -- what could be otherwise


def _candidates(moment: Judgement, bundle: Bundle) -> Iterator[tuple[Path, Any, Any, str, Any]]:
    """A path, its value, another one, the rule that compares it, and the smallest step of it."""
    guard = moment.guard(bundle)
    agent = bundle.agents[moment.state.agent]
    names = gate_names(moment.state, moment.call, bundle)
    known = recorded(moment.state, moment.call, moment.event.at)
    for policy in guard.policies if guard is not None else ():
        scales = Scales(bundle, agent, bundle.tools[moment.call.name], policy)
        for rule in policy.rules:
            if rule.release is not None:
                continue
            told: list[tuple[Expression, Observation]] = []
            words = WatchedWords(policy, names, known, lambda k, n, e, s, told=told: told.append((e, s)))  # type: ignore[misc]
            try:
                watch_rule(rule, words, lambda k, n, e, s, told=told: told.append((e, s)))  # type: ignore[misc]
            except FactsNotRead:
                continue
            for expression, seen in told:
                for path, value, then, step in _of_expression(expression, seen, policy, scales):
                    yield path, value, then, rule.id, step


def _of_expression(
    expression: Expression, seen: Observation, policy: PolicyRules, scales: Scales
) -> Iterator[tuple[Path, Any, Any, Any]]:
    nodes = {span(node): node for node in ast.walk(expression.tree) if isinstance(node, ast.expr)}
    for (at, index), pairs in seen.pairs.items():
        node = next(n for n in ast.walk(expression.tree) if isinstance(n, ast.Compare) and span(n) == at)
        sides = [node.left, *node.comparators]
        left, right = pairs[-1]
        step = scales.of(sides[index]).step or scales.of(sides[index + 1]).step
        for side, value, other in ((sides[index], left, right), (sides[index + 1], right, left)):
            path = _path(side, policy)
            if path is not None:
                yield from ((path, value, then, step) for then in _others(node.ops[index], value, other, step))
    yield from _truths(nodes, seen, policy)


def _truths(
    nodes: Mapping[Span, ast.expr], seen: Observation, policy: PolicyRules
) -> Iterator[tuple[Path, Any, Any, Any]]:
    for at, values in seen.sides.items():
        node = nodes.get(at)
        path = _path(node, policy) if isinstance(node, ast.Name | ast.Attribute) else None
        if path is not None:
            yield path, values[-1], not values[-1], None


def _others(op: ast.cmpop, value: Any, other: Any, step: Any) -> Iterator[Any]:
    """Values at the boundary of a comparison, a step beside it, or those that it asks for."""
    if is_number(value) and is_number(other):
        small = step or smallest(value, other)
        yield from (other, subtract(other, small), add(other, small))
    elif isinstance(op, ast.In | ast.NotIn) and isinstance(other, list | tuple):
        yield from other[:5]
    elif isinstance(op, ast.Eq | ast.NotEq) and other is not None:
        yield other


def _path(node: ast.expr, policy: PolicyRules) -> Path | None:
    """What a chain of names reads of the input or of a fact, through lets that only name such a chain."""
    if isinstance(node, ast.Name):
        if node.id in policy.lets:
            return _path(policy.lets[node.id].tree, policy)
        return (node.id,) if node.id == "input" or node.id in policy.facts else None
    if isinstance(node, ast.Attribute):
        owner = _path(node.value, policy)
        return None if owner is None else (*owner, node.attr)
    return None


# -- and what would be then


def _judged(moment: Judgement, bundle: Bundle, path: Path | None, then: Any) -> str | None:
    """The verdict with another value, `unknown` where it would have to read more; None where no such call can be."""
    guard = moment.guard(bundle)
    if guard is None:
        return None
    call, reads = moment.call, recorded(moment.state, moment.call, moment.event.at)
    if path is not None and path[0] == "input":
        call = copy_with(call, input=_with(call.input, path[1:], then))
        if bundle.tools[call.name].check_input(call.input):
            return None

    def read(need: FactNeed) -> FactOutput | None:
        reading = reads(need)
        if path is None or reading is None or need.fact != path[0] or reading.problem is not None:
            return reading
        return FactOutput(_with(reading.output, path[1:], then))

    try:
        verdict = judge(guard, gate_names(moment.state, call, bundle), read)
    except EvaluationError:
        return None
    return UNKNOWN if isinstance(verdict, MissingFacts) else word(verdict.effect)


def _with(value: Any, path: Path, then: Any) -> Any:
    if not path:
        return then
    inner = value.get(path[0]) if isinstance(value, Mapping) else None
    return {**(value if isinstance(value, Mapping) else {}), path[0]: _with(inner, path[1:], then)}
