"""The words that a policy document declares, its own and those of its vocabularies, as nodes."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from engine.bundle.checks import (
    e301_duplicate_name,
    e314_vocabulary,
)
from engine.bundle.document_set import Document, DocumentSet
from engine.bundle.link.expressions import PARAMS
from engine.bundle.node import Node
from engine.language.expression import loop_variables
from engine.language.syntax import SyntaxProblem, parse
from engine.language.value import duration

FACT, LET, ESTABLISHED = "facts", "let", "established"

# how many parts the type of a let may have to be known
MOST_PARTS = 5_000

RESERVED = frozenset(
    {
        "input",
        "params",
        "session",
        "now",
        "messages",
        "call",
        "step",
        "budget",
        "meters",
        "calls",
        "seen",
        "denied",
        "verdict",
        "approvers",
        "people_asked",
        "output",
        "decision",
        "results",
        "true",
        "false",
        "null",
    }
)


@dataclass(slots=True)
class WordNodes:
    """Where each word of a policy is written, whichever document says it."""

    params: dict[str, Node] = field(default_factory=dict)
    words: dict[str, tuple[str, Node, Node]] = field(default_factory=dict)
    session: dict[str, Node] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)
    time: Node | None = None
    whole: bool = True


def entries(document: Document, key: str) -> list[tuple[str, Node, Node]]:
    """The entries of a map of a document: name, key and value."""
    node = document.node.get(key)
    return list(node.pairs()) if node is not None else []


def vocabularies(documents: DocumentSet, document: Document, *, say: bool = False) -> list[Document]:
    """The vocabularies that a policy uses."""
    listed = document.node.get("uses")
    found = []
    for item in (listed.items or ()) if listed is not None else ():
        vocabulary = documents.of("Vocabulary").get(str(item.value))
        if vocabulary is None and say and not documents.has("Vocabulary", item.value):
            documents.say(e314_vocabulary.at(item.place, str(item.value), documents.of("Vocabulary")))
        if vocabulary is not None and vocabulary.well_formed:
            found.append(vocabulary)
    return found


def words_of(documents: DocumentSet, document: Document, *, say: bool = False) -> WordNodes:
    """All words of a policy; with `say`, what is defined twice is said."""
    found = WordNodes()
    listed = document.node.get("uses")
    used = vocabularies(documents, document, say=say)
    # of a vocabulary that can't be read any word may be
    found.whole = len(used) == len(listed.items or () if listed is not None else ())
    for source in (*used, document):
        for name, key, value in entries(source, PARAMS):
            if name in found.params and say:
                documents.say(e301_duplicate_name.at(key, "param", found.params[name].place))
            found.params[name] = value
        for kind in (FACT, LET, ESTABLISHED):
            for name, key, value in entries(source, kind):
                if name in RESERVED:
                    continue
                if name in found.words:
                    found.twice.add(name)
                    if say:
                        documents.say(e301_duplicate_name.at(key, "word", found.words[name][1].place))
                found.words.setdefault(name, (kind, key, value))
        for name, _, value in entries(source, "session"):
            found.session[name] = value
        time = source.node.get("time")
        if time is not None and found.time is not None and time.plain != found.time.plain and say:
            documents.say(e301_duplicate_name.at(source.node.key("time") or time, "", found.time.place))
        found.time = found.time or time
    return found


def names_in(node: Node) -> set[str]:
    """The names that a scalar's expression, or the expressions in its text, read."""
    if not isinstance(node.value, str):
        return set()
    texts = _holes(node.value) or [node.value]
    found: set[str] = set()
    for text in texts:
        try:
            tree = parse(text)
            found |= {part.id for part in ast.walk(tree) if isinstance(part, ast.Name)} - loop_variables(tree)
        except SyntaxProblem:
            continue  # said when it is compiled
    return found


def _holes(text: str) -> list[str]:
    return [part.split("}}")[0] for part in text.split("{{")[1:]]


def param(node: Node) -> Any:
    """A param's value: text that is written plainly and reads as a duration is one."""
    if node.entries is not None:
        return {key: param(value) for key, _, value in node.pairs()}
    if node.items is not None:
        return [param(item) for item in node.items]
    if isinstance(node.value, str) and not node.style:
        span = duration(node.value)
        return node.value if span is None else span
    return node.value
