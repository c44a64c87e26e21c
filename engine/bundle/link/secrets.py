"""References to secrets in documents: only where a secret may stand, and well formed."""

from __future__ import annotations

from collections.abc import Iterable

from engine.bundle.corpus import Corpus
from engine.bundle.node import Node
from engine.bundle.rules import e206_constraint
from engine.session.secret import malformed, references


def check_references(corpus: Corpus, nodes: Iterable[Node]) -> None:
    """Say which texts mean to refer to a secret and do not."""
    for node in nodes:
        at = malformed(node.value) if isinstance(node.value, str) else None
        if at is not None:
            message = "must look like `${secret:NAME}`"
            corpus.say(e206_constraint.within(node.within(*at), "reference to a secret", message))


def refuse_references(corpus: Corpus, node: Node) -> None:
    """Say where a text refers to a secret that would be seen there."""
    if isinstance(node.value, str) and (references(node.value) or malformed(node.value)):
        message = "can't stand here, where it would be seen: use `headers`, `query`, `body` or `environment`"
        corpus.say(e206_constraint.at(node, "reference to a secret", message))


def values(node: Node | None) -> list[Node]:
    """The values of a map."""
    return [value for _, _, value in node.pairs()] if node is not None else []
