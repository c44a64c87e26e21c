"""The rules of a policy as one Python function, which judges them all in a fraction of the time.

The plain form is `judge_rule`, one rule after the other.  The function gives what that gives: the same matches, values
and errors, and the same work counted.  A condition that can't be written as Python, and one in which anything goes
wrong, is left to the reference evaluator, as `Expression.value` leaves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.language.arithmetic import EvaluationError
from engine.language.compile import PythonText, helpers
from engine.language.value import canonical_of_exact, digest, jsonable
from engine.policy.rule import Effect, Rule
from engine.policy.verdict import Judged

JudgeAll = Callable[[Mapping[str, Any]], list[Judged]]

NOT_BOOLEAN = "a condition must be a boolean"

_WITHOUT_VALUE = ": its message has no value)"

_SHOWN = 200
# what a verdict keeps as it is, whatever its value
_SMALL = frozenset({int, bool, Decimal, type(None)})
# no character takes more than twelve of JSON's, and its quotes take two
_SHORT = _SHOWN // 12 - 1


def judge_rule(rule: Rule, names: Mapping[str, Any]) -> Judged:
    """One rule for given names: whether it matches, what it read, and why it has no value if it has none."""
    seen: dict[str, Any] = {}
    matched, error = True, None
    if rule.condition is not None:
        try:
            matched, error = _matched(rule, rule.condition.value(names, seen))
        except EvaluationError as problem:
            matched, error = _unknown(rule, str(problem))
    return rule, matched, shorten(seen), error, message_of(rule, names) if matched and rule.message else ""


def _matched(rule: Rule, value: Any) -> tuple[bool, str | None]:
    if value is True or value is False:
        return value is not rule.negated, None
    return _unknown(rule, NOT_BOOLEAN)


def _unknown(rule: Rule, error: str) -> tuple[bool, str]:
    """A condition without a value: a match for whatever restricts, and none for what allows."""
    return rule.effect is not Effect.ALLOW, error


def _by_reference(rule: Rule, names: Mapping[str, Any], seen: dict[str, Any]) -> tuple[bool, str | None]:
    """What the reference evaluator says where the function could not."""
    assert rule.condition is not None
    seen.clear()
    try:
        return _matched(rule, rule.condition.reference(names, seen))
    except EvaluationError as problem:
        return _unknown(rule, str(problem))
    finally:
        shorten(seen)


def _note(seen: dict[str, Any], chain: str, value: Any) -> Any:
    """Keep what a condition reads, as a verdict keeps it, and give it on."""
    kind = type(value)
    seen[chain] = value if kind in _SMALL or (kind is str and len(value) <= _SHORT) else shown(value)
    return value


def function_of(rules: Sequence[Rule]) -> JudgeAll:
    """The function that judges some rules, in their order."""
    constants: list[Any] = []
    own = {"matched_": _matched, "plain": _by_reference, "told": message_of, "note": _note, "Exception": Exception}
    called: dict[str, Any] = {"K": constants}
    lines = ["def judge_all(N):", " found = []", " add = found.append"]
    for number, rule in enumerate(rules):
        called[f"R{number}"] = rule
        condition = rule.condition
        if condition is None:
            lines += [" m, S, e = True, {}, None"]
        else:
            # functions of the language may depend on the zone of the policy
            called |= helpers(condition.zone)
            lines += _lines(rule, number, condition.in_python(constants))
        text = f"told(R{number}, N) if m else ''" if rule.message is not None else "''"
        lines.append(f" add((R{number}, m, S, e, {text}))")
    lines.append(" return found")
    names = {**called, **own}
    exec(compile("\n".join(lines), "<rules>", "exec"), names)
    made: JudgeAll = names["judge_all"]
    return made


def _lines(rule: Rule, number: int, source: PythonText | None) -> list[str]:
    """The statements that judge one rule; they leave `m`, `S` and `e`: whether it matched, what it read, its error."""
    if source is None:
        return [" S = {}", f" m, e = plain(R{number}, N, S)"]
    return [
        " S = {}",
        " try:",
        *(["  W = Work(N)"] if source.counts else []),
        f"  v = {source.text}",
        " except Exception:",
        f"  m, e = plain(R{number}, N, S)",
        " else:",
        "  if v is True or v is False:",
        f"   m, e = v is not {rule.negated}, None",
        "  else:",
        f"   m, e = matched_(R{number}, v)",
    ]


def shorten(seen: dict[str, Any]) -> dict[str, Any]:
    """What conditions read, in place, as a verdict keeps it."""
    for chain, value in seen.items():
        _note(seen, chain, value)
    return seen


def shown(value: Any) -> Any:
    """A value as a verdict keeps it: whole if it is small, else by its digest."""
    plain = jsonable(value)
    if isinstance(plain, list | dict) or (isinstance(plain, str) and len(plain) > _SHORT):
        return {"digest": digest(plain)} if len(canonical_of_exact(plain)) > _SHOWN else plain
    return plain


def message_of(rule: Rule, names: Mapping[str, Any]) -> str:
    """What a rule that has a message says when it matched."""
    assert rule.message is not None
    try:
        return rule.message.render(names)
    except EvaluationError:
        return f"({rule.id}{_WITHOUT_VALUE}"


def has_no_value(message: str) -> bool:
    """Whether a rule's message stands for one that could not be made."""
    return message.startswith("(") and message.endswith(_WITHOUT_VALUE)
