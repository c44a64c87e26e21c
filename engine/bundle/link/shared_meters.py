"""Which rules of a policy read what all sessions have added to a meter: it is asked for before they are judged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from engine.language.expression import Expression
from engine.policy.rule import Fact, Rule

_SHARED = re.compile(r"meters\s*(?:\.\s*(\w+)|\[\s*['\"](\w+)['\"]\s*\])\s*\.\s*shared\b")


def reading_shared_meters(
    rules: tuple[Rule, ...], lets: Mapping[str, Expression], facts: Mapping[str, Fact]
) -> tuple[frozenset[str], tuple[Rule, ...]]:
    """The meters of which the rules of a policy read what is shared, and the rules, with `meters` where it is read."""
    of_facts = [one for fact in facts.values() for one in fact.input.values()]
    of_facts += [source for fact in facts.values() for _, source in fact.for_each]
    of_rules = [one for rule in rules for one in _expressions(rule)]
    texts = [one.text for one in (*lets.values(), *of_facts, *of_rules)]
    shared = frozenset(found[1] or found[2] for text in texts for found in _SHARED.finditer(text))
    if not shared:
        return shared, rules
    reads = {name: let.reads for name, let in lets.items()}
    reads |= {name: frozenset().union(*(one.reads for one in fact.input.values())) for name, fact in facts.items()}
    return shared, tuple(
        replace(rule, facts=rule.facts | {"meters"}) if _reaches(_expressions(rule), reads) else rule for rule in rules
    )


def _expressions(rule: Rule) -> list[Expression]:
    parts = [rule.condition, rule.release, *(rule.message.parts if rule.message is not None else ())]
    return [part for part in parts if isinstance(part, Expression)]


def _reaches(expressions: Iterable[Expression], reads: Mapping[str, frozenset[str]]) -> bool:
    """Whether expressions lead to `meters`, over the words that they read."""
    seen: set[str] = set()
    ahead = {name for one in expressions for name in one.reads}
    while ahead:
        name = ahead.pop()
        if name == "meters":
            return True
        if name not in seen:
            seen.add(name)
            ahead |= reads.get(name, frozenset())
    return False
