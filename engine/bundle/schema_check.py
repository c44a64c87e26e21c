"""A document against the schema of its kind: each violation as a diagnostic at the smallest place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

from engine.bundle.checks import (
    e201_unknown_key,
    e202_wrong_type,
    e203_missing_key,
    e204_value,
    e205_not_available,
    e206_constraint,
    e207_kind,
    e317_kind,
)
from engine.bundle.foreign_words import key_instead
from engine.bundle.installed_kinds import kinds_here, names_in, problem_of, schema_with, what_is_of
from engine.bundle.node import Node
from engine.bundle.not_available import KINDS as LATER_KINDS
from engine.bundle.not_available import is_later_key, is_later_value
from engine.bundle.schema_files import KINDS
from engine.bundle.value_suggestions import SPAN, of_wrong_form, of_wrong_type
from engine.bundle.yaml_reader import read
from engine.diagnostic import Diagnostic, Place, SourceFile, nearest

Path = tuple[str | int, ...]

# in a document's schema: the keywords that a stored document was not held against
ON_ENTRY = "x-on-entry"

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
    "null": "empty",
}


def check_kind(node: Node, say: Callable[[Diagnostic], None], kinds: Sequence[str] = KINDS) -> str | None:
    """The kind of a document, one of those, or None after saying what is wrong with it."""
    if node.entries is None:
        say(e202_wrong_type.at(node, "document", "a map"))
        return None
    kind = node.get("kind")
    if kind is None:
        say(e207_kind.at(node, None, kinds))
        return None
    if not isinstance(kind.value, str):
        say(e202_wrong_type.at(kind, "kind", "text"))
        return None
    if kind.value in LATER_KINDS:
        say(e205_not_available.at(kind.place, f"kind `{kind.value}` is not available in this version"))
        return None
    if kind.value not in kinds:
        say(e207_kind.at(kind, kind.value, kinds))
        return None
    return kind.value


def check_shape(node: Node, kind: str) -> list[Diagnostic]:
    """What is wrong with the shape of a document of this kind."""
    names = names_in(node, kind)
    if _fits(kind, names)(node.plain):
        return []
    found: list[Diagnostic] = []
    for error in _validator(kind, names).iter_errors(node.plain):
        found += _explain(node, kind, error, tuple(error.absolute_path))
    return found


@cache
def _fits(kind: str, names: frozenset[str]) -> Callable[[Any], bool]:
    """Whether a document has the shape of its kind, found out fast; what is wrong with one is told by the slow way."""
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(schema_with(kind, names)).is_valid


@cache
def _validator(kind: str, names: frozenset[str]) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema_with(kind, names))


def _explain(root: Node, kind: str, error: Any, path: Path) -> Iterator[Diagnostic]:
    if error.validator == "not" and not isinstance(error.instance, str):
        return  # `not` is about what a text may say: that this is none is said by its type
    node = root.at(*path)
    what = _named(path, kind)
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(node, kind, error, path)
        case "required":
            # an unknown key is told, and may be meant for one that is missing, or would have brought it
            closed = error.schema.get("additionalProperties") is False
            unknown = [key for key in error.instance if closed and key not in error.schema.get("properties", {})]
            if e201_unknown_key.MERGE in unknown:
                return
            missing = [
                key
                for key in error.validator_value
                if key not in error.instance
                and not any(nearest(other, [key]) or key_instead(other, [key]) for other in unknown)
            ]
            # jsonschema says one error for each missing key; the message names the one
            yield from (e203_missing_key.at(node, key) for key in missing if f"'{key}'" in error.message)
        case "type":
            yield _wrong_type(root, kind, path, [error.validator_value], schemas=[error.schema])
        case "enum" | "const":
            wordy = error.schema.get("type") == "string" and not isinstance(error.instance, str)
            if wordy or (isinstance(error.instance, list | dict) and "type" in error.schema):
                return  # its type is wrong, and said to be
            known = error.validator_value if error.validator == "enum" else [error.validator_value]
            if is_later_value(kind, path, error.instance):
                yield e205_not_available.at(node.place, f"`{what}: {error.instance}` is not available in this version")
            else:
                yield e204_value.at(node, what, [str(value) for value in known])
        case "oneOf" | "anyOf":
            yield from _alternatives(root, kind, error, path, what)
        case _:
            pattern = str(error.validator_value) if error.validator == "pattern" else ""
            help_ = of_wrong_form(str(node.value), pattern, _fits_in_place(root, kind, node))
            since = error.validator in error.schema.get(ON_ENTRY, ())
            yield replace(e206_constraint.at(node, what, _bound(error), help_), on_entry=since)


def _named(path: Path, kind: str) -> str:
    """What a value is called: by its key, or that of the list that it stands in."""
    return next((str(part) for part in reversed(path) if isinstance(part, str)), kind)


def _unknown_keys(node: Node, kind: str, error: Any, path: Path) -> Iterator[Diagnostic]:
    known = error.schema.get("properties", {})
    for name, key, _ in node.pairs():
        if name in known:
            continue
        if is_later_key(kind, (*path, name)):
            yield e205_not_available.at(key.place, f"key `{name}` is not available in this version")
        else:
            yield e201_unknown_key.at(key, known, node.plain)


def _wrong_type(
    root: Node,
    kind: str,
    path: Path,
    types: list[Any],
    words: Sequence[str] = (),
    schemas: Sequence[Any] = (),
) -> Diagnostic:
    node, what = root.at(*path), _named(path, kind)
    flat = [name for type_ in types for name in (type_ if isinstance(type_, list) else [type_])]
    forms = [*(_TYPES.get(t, t) for t in flat), *(f"`{word}`" for word in words)]
    if node.value is None and node.entries is None and node.items is None:
        help_ = "give it a value" if _is_required(root, kind, path) else "give it a value, or remove it"
    else:
        spans = any(SPAN in str(schema.get("pattern", "")) for schema in schemas)
        listed = [*words, *(str(word) for schema in schemas for word in schema.get("enum", ()))]
        listed += [str(schema["const"]) for schema in schemas if "const" in schema]
        help_ = of_wrong_type(node, what, listed, _fits_in_place(root, kind, node), spans=spans)
    return e202_wrong_type.at(node, what, " or ".join(dict.fromkeys(forms)), help_)


class _AlternativeTrial(SourceFile):
    """A document in which an offer stands: nothing is offered for it in turn."""


def _fits_in_place(root: Node, kind: str, node: Node) -> Callable[[str], bool]:
    """Whether a text of YAML may stand in the place of a value of a document."""
    source = node.source

    def fits(text: str) -> bool:
        found: list[Diagnostic] = []
        trial = _AlternativeTrial(source.file, source.text[: node.start] + text + source.text[node.end :])
        made = read(trial, found.append)
        if made is None:
            return False
        found += check_shape(made, kind)
        here = trial.place(node.start, node.start + len(text))
        return not any(one.place <= here <= _end(one.place) or here <= one.place <= _end(here) for one in found)

    return (lambda text: False) if isinstance(source, _AlternativeTrial) else fits


def _end(place: Place) -> Place:
    return Place(place.file, place.end_line, place.end_column)


def _is_required(root: Node, kind: str, path: Path) -> bool:
    """Whether a key may not be left out where it stands."""
    plain = deepcopy(root.plain)
    owner = plain
    for part in path[:-1]:
        owner = owner[part]
    if not path or not isinstance(owner, dict):
        return True
    del owner[path[-1]]
    errors = list(_validator(kind, names_in(root, kind)).iter_errors(plain))
    while errors:
        error = errors.pop()
        errors += error.context or ()
        if error.validator == "required" and f"'{path[-1]}'" in error.message:
            return True
    return False


def _alternatives(root: Node, kind: str, error: Any, path: Path, what: str) -> Iterator[Diagnostic]:
    """Of several forms, the one that was meant: by its `kind`, else by the type of the value."""
    node = root.at(*path)
    discriminator = error.schema.get("discriminator")
    if discriminator is not None and isinstance(error.instance, dict):
        name = discriminator["propertyName"]
        chosen = error.instance.get(name)
        if name not in error.instance:
            yield e203_missing_key.at(node, name)
        elif not isinstance(chosen, str):
            yield _wrong_type(root, kind, (*path, name), ["string"])
        elif is_later_value(kind, (*path, name), chosen):
            yield e205_not_available.at(node.at(name).place, f"`{name}: {chosen}` is not available in this version")
        elif chosen not in discriminator["mapping"]:
            yield _unknown_choice(node.at(name), kind, path, name, discriminator["mapping"])
        else:
            index = [s["$ref"] for s in error.validator_value].index(discriminator["mapping"][chosen])
            for inner in error.context or ():
                if inner.schema_path[0] == index:
                    yield from _explain(root, kind, inner, (*path, *inner.relative_path))
        return
    deeper = _likely_errors(error)
    if deeper:
        for inner in deeper:
            yield from _explain(root, kind, inner, (*path, *inner.relative_path))
        return
    types, words = _forms_of(error)
    if isinstance(error.instance, str) and words and not types:
        yield e204_value.at(node, what, words)
    else:
        yield _wrong_type(root, kind, path, types, words, [inner.schema for inner in error.context or ()])


def _unknown_choice(node: Node, kind: str, path: Path, name: str, known: Mapping[str, Any]) -> Diagnostic:
    """What is wrong with a `kind` that is none: mistyped, not installed, or brought by a package that is broken."""
    what, chosen = what_is_of(kind, path), str(node.plain)
    if what is None:
        return e204_value.at(node, _named((*path, name), kind), known)
    if problem := problem_of(kind, chosen):
        return e317_kind.unusable(node, problem)
    here = kinds_here(kind)
    if nearest(chosen, here):
        return replace(e204_value.at(node, "kind", here), on_entry=True)
    return e317_kind.at(node, what, here)


def _forms_of(error: Any) -> tuple[list[Any], list[str]]:
    """The types and the words that the alternatives of a value have."""
    here = [inner for inner in error.context or () if not inner.relative_path]
    listed = [i.validator_value for i in here if i.validator == "enum"]
    words = [str(i.validator_value) for i in here if i.validator == "const"]
    words += [str(word) for values in listed for word in values]
    wordy = {i.schema_path[0] for i in here if i.validator in ("const", "enum")}
    types = [i.validator_value for i in here if i.validator == "type" and i.schema_path[0] not in wordy]
    return types, words


def _likely_errors(error: Any) -> list[Any]:
    """The errors of the one form whose type the value has, if there is just one."""
    branches: dict[Any, list[Any]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    fitting = [
        found
        for found in branches.values()
        if not any(i.validator in ("type", "const", "enum") and not i.relative_path for i in found)
    ]
    return fitting[0] if len(fitting) == 1 else []


def _bound(error: Any) -> str:
    value = error.validator_value
    match error.validator:
        case "minimum":
            return f"must be at least {value}"
        case "maximum":
            return f"must be at most {value}"
        case "minLength" | "minItems" | "minProperties":
            one, more = ("character", "characters") if error.validator == "minLength" else ("entry", "entries")
            return f"must have at least {value} {one if value == 1 else more}"
        case "maxLength":
            return f"must have at most {value} characters"
        case "not":
            return "must be more than 0"
        case "pattern":
            return f"must look like {_form(str(value))}"
        case _:
            return f"breaks `{error.validator}: {value}`"


_FORMS = (
    ("secret:", "`${secret:NAME}`: a bundle names its secrets and never holds them"),
    ("T[0-9]{2}", "a moment with its zone, such as `2026-01-31T09:00:00Z`"),
    ("://", "a URL that begins with `https://` or `http://`"),
    ("[A-Za-z][A-Za-z0-9_-]*", "a name: a letter, then letters, digits, `_` and `-`"),
    ("[a-z][a-z0-9_]*", "a name: a small letter, then small letters, digits and `_`"),
    (SPAN, "a duration such as `30s`, `24h` or `200ms`, of six digits at most"),
    (r"\.db$", "a path that ends in `.db`"),
    ("(Z|UTC|", "an offset from UTC such as `-05:00` or `Z`"),
    ("[A-Za-z_][A-Za-z0-9_]*", "a name of letters, digits and `_`"),
)


def _form(pattern: str) -> str:
    return next((form for part, form in _FORMS if part in pattern), pattern)
