"""References to secrets in documents: only where a secret may stand, and well formed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.bundle.checks import e206_constraint
from engine.bundle.document_set import DocumentSet
from engine.bundle.link.literal_texts import check_variables
from engine.bundle.node import Node
from engine.ports.resources import OWN_NAMES
from engine.spec.secret_refs import malformed, references


def check_references(documents: DocumentSet, nodes: Iterable[Node]) -> None:
    """Say which texts mean to refer to a secret and do not."""
    nodes = list(nodes)
    check_variables(documents, nodes)
    for node in nodes:
        at = malformed(node.value) if isinstance(node.value, str) else None
        if at is not None:
            message = "must look like `${secret:NAME}`"
            documents.say(e206_constraint.within(node.within(*at), "reference to a secret", message))
        for name in sorted(OWN_NAMES & set(references(node.value) if isinstance(node.value, str) else ())):
            documents.say(e206_constraint.at(node, "reference to a secret", f"can't name {name}, the key of the log"))


def refuse_own_names(documents: DocumentSet, environment: Node | None) -> None:
    """Say where a program would be given what is the engine's own."""
    for name, key, _ in environment.pairs() if environment is not None else ():
        if name in OWN_NAMES:
            documents.say(e206_constraint.at(key, "environment", f"can't hold {name}, the key of the log"))


def refuse_references(documents: DocumentSet, node: Node) -> None:
    """Say where a text refers to a secret that would be seen there."""
    if isinstance(node.value, str) and (references(node.value) or malformed(node.value)):
        message = "can't stand here, where it would be seen: use `headers`, `query`, `body` or `environment`"
        documents.say(e206_constraint.at(node, "reference to a secret", message))


def values(node: Node | None) -> list[Node]:
    """The values of a map."""
    return [value for _, _, value in node.pairs()] if node is not None else []


def texts(node: Node | None) -> Iterator[Node]:
    """All texts in a value, however deep."""
    if node is None:
        return
    if node.entries is not None:
        for _, _, value in node.pairs():
            yield from texts(value)
    elif node.items is not None:
        for item in node.items:
            yield from texts(item)
    else:
        yield node
