"""What policies promise, and the loosenings that somebody answers for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from engine.bundle.checks import e206_constraint, e307_reviewers
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.approvers import named_groups
from engine.bundle.link.expressions import Scope
from engine.bundle.link.words import Linker
from engine.bundle.node import Node
from engine.language import types
from engine.language.syntax import SyntaxProblem, parse, span
from engine.policy.flip_names import FLIP_WORDS, BadFlip, flip_name
from engine.policy.rule import CUSTOMER, Effect, Guarantee
from engine.spec.bundle import AcceptedLoosening

GUARANTEED: Scope = {
    "verdict": types.Text(frozenset(effect.value for effect in Effect)),
    "approvers": types.SetOf(types.TEXT),
    "people_asked": types.NUMBER,
}


def guarantees(documents: DocumentSet, document: Document, linker: Linker) -> tuple[Guarantee, ...]:
    """The promises of a policy as they are typed for one tool."""
    promises = document.node.get("guarantees")
    found = []
    for item in (promises.items or ()) if promises is not None else ():
        linker.need(item.at("never"))
        said = len(documents.diagnostics)
        _check_groups(documents, item.at("never"))
        never = linker.expression(item.at("never"), {**linker.scope, **GUARANTEED}, condition=True)
        whose = f"guarantee `{item.at('id').value}`: "
        documents.diagnostics[said:] = [replace(d, message=whose + d.message) for d in documents.diagnostics[said:]]
        if never is not None:
            place = f"{item.source.file}:{item.at('id').place.line}"
            found.append(Guarantee(str(item.at("id").value), document.name, never, place))
    return tuple(found)


def _check_groups(documents: DocumentSet, node: Node) -> None:
    """The groups that a promise names exist."""
    try:
        tree = parse(node.value) if isinstance(node.value, str) and documents.readable("Reviewers") else None
    except SyntaxProblem:
        return  # said where it is compiled
    groups = {*documents.of("Reviewers"), *named_groups(documents), CUSTOMER}
    for found in ast.walk(tree) if tree is not None else ():
        sides = [found.left, *found.comparators] if isinstance(found, ast.Compare) else []
        if any(isinstance(side, ast.Name) and side.id == "approvers" for side in sides):
            for word in (word for side in sides for word in ast.walk(side) if isinstance(word, ast.Constant)):
                if isinstance(word.value, str) and word.value not in groups:
                    start, end = span(word)
                    place = node.within(start + 1, end - 1)
                    documents.say(replace(e307_reviewers.at(place, word.value, groups), on_entry=True))


def accepted(documents: DocumentSet, document: Document) -> Iterator[AcceptedLoosening]:
    """The loosenings that a policy says are meant."""
    listed = document.node.get("accepted")
    for item in (listed.items or ()) if listed is not None else ():
        plain = item.plain
        try:
            yield AcceptedLoosening(flip_name(f"{plain['rule']}:{plain['flip']}"), plain["author"], plain["reason"])
        except BadFlip:
            known = ", ".join(FLIP_WORDS)
            documents.say(e206_constraint.at(item.at("flip"), "flip", f"is written as `deny->allow`, between {known}"))
