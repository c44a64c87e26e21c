"""What policies say and read beside what is proved of them: a change of it lets no proof speak of what it does.

Conditions, effects and who is asked are compared by meaning.  A message is read by people who say yes by it, a fact's
input says whose data is read, and `disclose` what a model learns: of those two bundles differ in what is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.bundle.files import is_document
from engine.bundle.yaml_reader import read
from engine.diagnostic import SourceFile

POLICY, VOCABULARY = "Policy", "Vocabulary"
# what is compared by meaning, or means nothing; all else of a document is told, whatever it is
_COMPARED = frozenset({"kind", "name", "description", "params", "let", "rules", "guarantees", "accepted", "time"})
_COMPARED_OF_RULE = frozenset(
    {"id", "tools", "except", "effect", "when", "unless"}
    | {"approvers", "count", "distinct", "note", "second", "settle_delay", "remind", "escalate"}
)
# how old a fact may be is compared as a span, however that is spelt
_COMPARED_OF_FACT = frozenset({"max_age"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOCUMENTS_BESIDE = frozenset({POLICY, VOCABULARY, "Reviewers", "Fixture"})

Files = Mapping[str, bytes]


def policy_texts(files: Files) -> dict[str, dict[str, str]]:
    """By policy or vocabulary what of it is no matter of proofs: each part by its place in the document."""
    found: dict[str, dict[str, str]] = {}
    lets = _lets(files)
    for document in _documents(files):
        if document.get("kind") in (POLICY, VOCABULARY):
            told = found.setdefault(str(document.get("name")), {})
            told |= dict(_parts(document))
            told |= _words_read(told.values(), {**lets, **_flat_lets(document)}, document.get("params") or {})
    return found


def files_beside(old: Files, new: Files) -> list[str]:
    """The files that differ in what they say, and that nothing is compared of by meaning."""
    return [path for path in sorted({*old, *new}) if old.get(path) != new.get(path) and _is_beside(path, old, new)]


def _is_beside(path: str, old: Files, new: Files) -> bool:
    if not is_document(path) or not path.endswith((".yaml", ".yml")):
        return True
    was, now = (_document(path, files[path]) if path in files else None for files in (old, new))
    if was == now:
        return was is None  # nothing but how it is written, or nobody can read either
    # whichever folder it lies in, a document is what its kind says
    return any(one is not None and one.get("kind") not in _DOCUMENTS_BESIDE for one in (was, now))


def _documents(files: Files) -> Iterator[Mapping[str, Any]]:
    for path in sorted(files):
        if is_document(path) and path.endswith((".yaml", ".yml")):
            document = _document(path, files[path])
            if document is not None:
                yield document


def _document(path: str, content: bytes) -> Mapping[str, Any] | None:
    node = read(SourceFile(path, content.decode("utf-8", "replace")), lambda _: None)
    return node.plain if node is not None and isinstance(node.plain, dict) else None


def _parts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        if key == "facts" and isinstance(value, Mapping):
            for name, fact in value.items():
                yield from _leaves(f"facts.{name}", fact, _COMPARED_OF_FACT)
        elif key not in _COMPARED:
            yield from _leaves(key, value)
    for rule in document.get("rules") or ():
        if isinstance(rule, Mapping):
            yield from _leaves(f"rules.{rule.get('id')}", rule, _COMPARED_OF_RULE)


def _leaves(place: str, value: Any, but: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key not in but:
                yield from _leaves(f"{place}.{key}", one)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _leaves(f"{place}.{number}", one)
    else:
        yield place, str(value)


def _lets(files: Files) -> dict[str, str]:
    """The text of each word that a vocabulary gives to the policies that use it."""
    shared = [one for one in _documents(files) if one.get("kind") == VOCABULARY]
    return {name: text for document in shared for name, text in _flat_lets(document).items()}


def _flat_lets(document: Mapping[str, Any]) -> dict[str, str]:
    lets = document.get("let")
    return {name: str(value) for name, value in lets.items()} if isinstance(lets, Mapping) else {}


def _words_read(texts: Iterable[str], lets: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, str]:
    """What the words stand for that some texts read, in as many steps as it takes.

    A number that a text shows is a dial and compared where it decides something.
    """
    seen: dict[str, str] = {}
    left = {name for text in texts for name in _NAME.findall(text)}
    while left:
        name = left.pop()
        if name in lets and f"let.{name}" not in seen:
            seen[f"let.{name}"] = lets[name]
            left |= set(_NAME.findall(lets[name]))
        if isinstance(params.get(name), str):
            seen[f"params.{name}"] = params[name]
    return seen
