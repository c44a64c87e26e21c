"""The nearest change of a call, or of what was read for it, under which it would be judged otherwise."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.policy.arithmetic import EvaluationError, add, is_number, subtract
from engine.policy.conditions import Span
from engine.policy.expression import Expression
from engine.policy.flip_names import STRICTNESS, word
from engine.policy.gate import FactNeed, Missing, Reading, judge
from engine.policy.rule import PolicyRules
from engine.policy.syntax import span
from engine.policy.value import jsonable, number_text, one_line
from engine.policy.verdict import Verdict
from engine.policy.watching import Seen, WatchedWords, watch_rule
from engine.policy.words import NotReadYet
from engine.replay.judgements import Judgement, recorded
from engine.replay.steps import Scales
from engine.session.bundle import Bundle
from engine.session.names import gate_names
from engine.session.persistent import changed

MOST = 6
MOST_TRIED = 200

# a part of what is judged: `input` or the name of a fact, and the fields down to the value
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """A value that is other than it was, and the verdict that would fall; `rule` compares it."""

    path: Path
    now: Any
    then: Any
    verdict: str
    rule: str

    @property
    def about_input(self) -> bool:
        """Whether the planner could have proposed it."""
        return self.path[0] == "input"

    def __str__(self) -> str:
        name = ".".join(self.path)
        said = {"allow": "allowed", "approval": "asked about", "deny": "denied"}[self.verdict]
        if is_number(self.now) and is_number(self.then):
            return f"{said} {'up to' if self.then < self.now else 'from'} {number_text(self.then)} ({name})"
        return f"{said} if {name} were {one_line(jsonable(self.then))}"

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {"path": ".".join(self.path), "now": self.now, "then": self.then, "verdict": self.verdict,
                "rule": self.rule, "text": str(self)}  # fmt: skip


def nearest(moment: Judgement, bundle: Bundle) -> list[Near]:
    """For each value that some rule compares the least change that flips the verdict, the less strict ones first."""
    now = _judged(moment, bundle, None, None)
    if now is None:
        return []
    found: dict[tuple[Path, str], Near] = {}
    for number, (path, value, then, rule) in enumerate(_candidates(moment, bundle)):
        if number >= MOST_TRIED:
            break
        verdict = _judged(moment, bundle, path, then)
        if verdict is None or verdict.effect is now.effect:
            continue
        near = Near(path, value, then, word(verdict.effect), rule)
        known = found.get((path, near.verdict))
        if known is None or _apart(value, then) < _apart(value, known.then):
            found[path, near.verdict] = near
    ranked = sorted(found.values(), key=lambda near: (STRICTNESS[near.verdict], near.path[0] != "input", near.path))
    return ranked[:MOST]


def _apart(value: Any, then: Any) -> Any:
    return abs(subtract(value, then)) if is_number(value) and is_number(then) else 0


# -- what could be otherwise


def _candidates(moment: Judgement, bundle: Bundle) -> Iterator[tuple[Path, Any, Any, str]]:
    """A path, its value, another one, and the rule that compares it."""
    guard = moment.guard(bundle)
    agent = bundle.agents[moment.state.agent]
    names = gate_names(moment.state, moment.call, bundle.tools)
    known = recorded(moment.state, moment.call, moment.event.at)
    for policy in guard.policies if guard is not None else ():
        scales = Scales(bundle, agent, bundle.tools[moment.call.name], policy)
        for rule in policy.rules:
            if rule.release is not None:
                continue
            told: list[tuple[Expression, Seen]] = []
            words = WatchedWords(policy, names, known, lambda k, n, e, s, told=told: told.append((e, s)))  # type: ignore[misc]
            try:
                watch_rule(rule, words, lambda k, n, e, s, told=told: told.append((e, s)))  # type: ignore[misc]
            except NotReadYet:
                continue
            for expression, seen in told:
                for path, value, then in _of_expression(expression, seen, policy, scales):
                    yield path, value, then, rule.id


def _of_expression(
    expression: Expression, seen: Seen, policy: PolicyRules, scales: Scales
) -> Iterator[tuple[Path, Any, Any]]:
    nodes = {span(node): node for node in ast.walk(expression.tree) if isinstance(node, ast.expr)}
    for (at, index), pairs in seen.pairs.items():
        node = next(n for n in ast.walk(expression.tree) if isinstance(n, ast.Compare) and span(n) == at)
        sides = [node.left, *node.comparators]
        left, right = pairs[-1]
        step = scales.of(sides[index]).step or scales.of(sides[index + 1]).step
        for side, value, other in ((sides[index], left, right), (sides[index + 1], right, left)):
            path = _path(side, policy)
            if path is not None:
                yield from ((path, value, then) for then in _others(node.ops[index], value, other, step))
    yield from _truths(nodes, seen, policy)


def _truths(nodes: Mapping[Span, ast.expr], seen: Seen, policy: PolicyRules) -> Iterator[tuple[Path, Any, Any]]:
    for at, values in seen.sides.items():
        node = nodes.get(at)
        path = _path(node, policy) if isinstance(node, ast.Name | ast.Attribute) else None
        if path is not None:
            yield path, values[-1], not values[-1]


def _others(op: ast.cmpop, value: Any, other: Any, step: Any) -> Iterator[Any]:
    """Values at the boundary of a comparison, a step beside it, or those that it asks for."""
    if is_number(value) and is_number(other):
        small = step or 1
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


def _judged(moment: Judgement, bundle: Bundle, path: Path | None, then: Any) -> Verdict | None:
    guard = moment.guard(bundle)
    if guard is None:
        return None
    call, reads = moment.call, recorded(moment.state, moment.call, moment.event.at)
    if path is not None and path[0] == "input":
        call = changed(call, input=_with(call.input, path[1:], then))
        if bundle.tools[call.name].check_input(call.input):
            return None

    def read(need: FactNeed) -> Reading | None:
        reading = reads(need)
        if path is None or reading is None or need.fact != path[0] or reading.problem is not None:
            return reading
        return Reading(_with(reading.output, path[1:], then))

    try:
        verdict = judge(guard, gate_names(moment.state, call, bundle.tools), read)
    except EvaluationError:
        return None
    return None if isinstance(verdict, Missing) else verdict


def _with(value: Any, path: Path, then: Any) -> Any:
    if not path:
        return then
    inner = value.get(path[0]) if isinstance(value, Mapping) else None
    return {**(value if isinstance(value, Mapping) else {}), path[0]: _with(inner, path[1:], then)}
