"""What policies promise, and the loosenings that somebody answers for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from engine.bundle.corpus import Corpus, Document
from engine.bundle.link.expressions import Scope
from engine.bundle.link.words import Linker
from engine.bundle.rules import e206_constraint
from engine.policy import types as t
from engine.policy.flip_names import FLIP_WORDS, BadFlip, flip_name
from engine.policy.rule import Effect, Guarantee
from engine.session.bundle import Accepted

GUARANTEED: Scope = {
    "verdict": t.Text(frozenset(effect.value for effect in Effect)),
    "approvers": t.SetOf(t.TEXT),
}


def guarantees(corpus: Corpus, document: Document, linker: Linker) -> tuple[Guarantee, ...]:
    """The promises of a policy as they are typed for one tool."""
    promises = document.node.get("guarantees")
    found = []
    for item in (promises.items or ()) if promises is not None else ():
        linker.need(item.at("never"))
        said = len(corpus.diagnostics)
        never = linker.expression(item.at("never"), {**linker.scope, **GUARANTEED}, condition=True)
        whose = f"guarantee `{item.at('id').value}`: "
        corpus.diagnostics[said:] = [replace(d, message=whose + d.message) for d in corpus.diagnostics[said:]]
        if never is not None:
            place = f"{item.source.file}:{item.at('id').place.line}"
            found.append(Guarantee(str(item.at("id").value), document.name, never, place))
    return tuple(found)


def accepted(corpus: Corpus, document: Document) -> Iterator[Accepted]:
    """The loosenings that a policy says are meant."""
    listed = document.node.get("accepted")
    for item in (listed.items or ()) if listed is not None else ():
        plain = item.plain
        try:
            yield Accepted(flip_name(f"{plain['rule']}:{plain['flip']}"), plain["author"], plain["reason"])
        except BadFlip:
            known = ", ".join(FLIP_WORDS)
            corpus.say(e206_constraint.at(item.at("flip"), "flip", f"is written as `deny->allow`, between {known}"))
