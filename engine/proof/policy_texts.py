"""What policies say and read beside what is proved of them: a change of it lets no proof speak of what it does.

Conditions, effects and who is asked are compared by meaning.  A message is read by people who say yes by it, a fact's
input says whose data is read, and `disclose` what a model learns: of those two bundles differ in what is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine.bundle.files import PROMPT_FOLDER, is_document
from engine.bundle.yaml_reader import read
from engine.diagnostic import SourceFile
from engine.language.arithmetic import is_number
from engine.language.value import jsonable, one_line

POLICY, VOCABULARY = "Policy", "Vocabulary"
# what is compared by meaning, or means nothing, or, as `urgent`, how it is deployed; all else of a document is told,
# whatever it is
_COMPARED = frozenset(
    {"kind", "name", "description", "params", "let", "rules", "guarantees", "accepted", "time", "urgent"}
)
_COMPARED_OF_RULE = frozenset(
    {"id", "tools", "except", "effect", "when", "unless"}
    | {"approvers", "count", "distinct", "note", "second", "settle_delay", "remind", "escalate"}
)
# how old a fact may be is compared as a span, however that is spelt
_COMPARED_OF_FACT = frozenset({"max_age"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = re.compile(r"'(?:[^'\\\\]|\\\\.)*'|\"(?:[^\"\\\\]|\\\\.)*\"")
_DOCUMENTS_BESIDE = frozenset({POLICY, VOCABULARY, "Reviewers", "Fixture"})

Files = Mapping[str, bytes]


def policy_texts(files: Files) -> dict[str, dict[str, str]]:
    """By policy or vocabulary what of it is no matter of proofs: each part by its place in the document."""
    return {name: told | _words_read(told.values(), scope)[0] for name, told, scope in _told(files)}


def dial_conditions(files: Files) -> dict[str, dict[str, str]]:
    """By policy or vocabulary the conditions that compare a number which a text shows, each by its place.

    Such a number is a dial, and compared by meaning.  That holds as long as what compares it is written as it was: how
    else would a reader's "above 9000" be kept to what is asked above 250?
    """
    return {name: _words_read(told.values(), scope)[1] for name, told, scope in _told(files)}


def _told(files: Files) -> Iterator[tuple[str, dict[str, str], list[Mapping[str, Any]]]]:
    """Each policy and vocabulary by its name, with its own parts, and the documents whose words it can read."""
    documents = [one for one in _documents(files) if one.get("kind") in (POLICY, VOCABULARY)]
    shared = {str(one.get("name")): one for one in documents if one.get("kind") == VOCABULARY}
    for document in documents:
        used = document.get("uses") if document.get("kind") == POLICY else None
        scope = [document, *(shared[str(name)] for name in used or () if str(name) in shared)]
        label = "" if document.get("kind") == POLICY else f"{VOCABULARY.lower()} "
        yield f"{label}{document.get('name')}", dict(_parts(document)), scope


def dials(files: Files) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The numbers among the `params` of each policy and vocabulary."""
    return {
        (str(one.get("kind")), str(one.get("name"))): {
            name: value for name, value in _entries(one, "params").items() if is_number(value)
        }
        for one in _documents(files)
        if one.get("kind") in (POLICY, VOCABULARY)
    }


def files_beside(old: Files, new: Files) -> list[str]:
    """The files that differ in what they say, and that nothing is compared of by meaning."""
    return [path for path in sorted({*old, *new}) if old.get(path) != new.get(path) and _is_beside(path, old, new)]


def _is_beside(path: str, old: Files, new: Files) -> bool:
    if not _is_yaml(path):
        return True
    was, now = (_document(path, files[path]) if path in files else None for files in (old, new))
    if was == now:
        return was is None  # nothing but how it is written, or nobody can read either
    # whichever folder it lies in, a document is what its kind says
    return any(one is not None and one.get("kind") not in _DOCUMENTS_BESIDE for one in (was, now))


def _documents(files: Files) -> Iterator[Mapping[str, Any]]:
    for path in sorted(files):
        if _is_yaml(path):
            document = _document(path, files[path])
            if document is not None:
                yield document


def _is_yaml(path: str) -> bool:
    """Whether it is a document and no prompt."""
    return is_document(path) and not path.startswith(f"{PROMPT_FOLDER}/")


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
    for rule in _rules(document):
        yield from _leaves(f"rules.{rule.get('id')}", rule, _COMPARED_OF_RULE)
        if rule.get("effect") == "require_approval":
            if "reason" not in rule:
                # what people are asked by then
                yield f"rules.{rule.get('id')}.reason", str(rule.get("id"))
            # people read the condition too, and what is quoted in it may mean nothing to it
            quoted = [word for key in ("when", "unless") for word in _QUOTED.findall(str(rule.get(key, "")))]
            if quoted:
                yield f"rules.{rule.get('id')}.quoted", " ".join(quoted)


def _rules(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [rule for rule in document.get("rules") or () if isinstance(rule, Mapping)]


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


def _words_read(texts: Iterable[str], scope: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], dict[str, str]]:
    """What the words stand for that some texts read, in as many steps as it takes: of a document and those it uses.

    Numbers among them that a condition compares are no part of it; the second are those conditions.
    """
    lets = {name: str(value) for one in scope for name, value in _entries(one, "let").items()}
    params = {name: value for one in scope for name, value in _entries(one, "params").items()}
    conditions = {place: text for one in scope for place, text in _conditions(one)}
    compared = {name for text in conditions.values() for name in _NAME.findall(text)}
    seen: dict[str, str] = {}
    comparing: dict[str, str] = {}
    left = {name for text in texts for name in _NAME.findall(text)}
    while left:
        name = left.pop()
        if name in lets and f"let.{name}" not in seen:
            seen[f"let.{name}"] = lets[name]
            left |= set(_NAME.findall(lets[name]))
        if name in params and is_number(params[name]) and name in compared:
            comparing |= _reading(name, conditions)
        elif name in params:
            seen[f"params.{name}"] = one_line(jsonable(params[name]))
    return seen, comparing


def _reading(name: str, conditions: Mapping[str, str]) -> dict[str, str]:
    """The conditions that read a name, themselves or by what they are made of."""
    names, found = {name}, dict[str, str]()
    while True:
        more = {at: text for at, text in conditions.items() if at not in found and names & set(_NAME.findall(text))}
        if not more:
            return found
        found |= {at: " ".join(text.split()) for at, text in more.items()}
        names |= {at.removeprefix("let.") for at in more if at.startswith("let.")}


def _entries(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, Mapping) else {}


def _conditions(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is compared by meaning, and reads words, by its place."""
    for rule in _rules(document):
        yield from ((f"rules.{rule.get('id')}.{key}", str(rule[key])) for key in ("when", "unless") if key in rule)
    for one in document.get("guarantees") or ():
        if isinstance(one, Mapping):
            yield f"guarantees.{one.get('name')}", str(one.get("never"))
    yield from ((f"let.{name}", str(value)) for name, value in _entries(document, "let").items())
