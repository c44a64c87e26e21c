"""What an expression means in its policy, as far as texts tell: with all the words that it mentions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from engine.policy.rule import Fact, PolicyRules

Tree = ast.expr


def meaning(tree: Tree, policy: PolicyRules) -> Mapping[str, Any]:
    """The trees of an expression and of its words, down to the values of params: equal if they mean the same."""
    told: dict[str, Any] = {}
    left: list[tuple[str, Tree]] = [("", tree)]
    while left:
        name, node = left.pop()
        if name in told:
            continue
        told[name] = ast.dump(node)
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        if "params" in names:
            told |= _params(node, policy)
        for word in names & policy.lets.keys():
            left.append((word, policy.lets[word].tree))
        for word in names & policy.facts.keys():
            told[f"fact {word}"] = policy.facts[word].tool
            left += _parts(word, policy.facts[word])
        for word in names & policy.established.keys():
            known = policy.established[word]
            told[f"established {word}"] = [known.keep_first, *(source.call for source in known.sources)]
            left += [(f"{word}: {number}", source.value.tree) for number, source in enumerate(known.sources)]
    return told


def _parts(word: str, fact: Fact) -> Iterable[tuple[str, Tree]]:
    return [(f"{word}: {name}", part.tree) for name, part in (*fact.input.items(), *fact.for_each)]


def _params(node: Tree, policy: PolicyRules) -> dict[str, Any]:
    """The params that are read; all of them where it is not written out which."""
    found: dict[str, Any] = {}
    named = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "params":
            named.add(id(part.value))
            found[f"params.{part.attr}"] = policy.params.get(part.attr)
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name) and part.id == "params"]
    return found if all(id(part) in named for part in names) else {"params": dict(policy.params)}
