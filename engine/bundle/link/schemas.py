"""JSON Schemas of users: checked at load, and turned into validators that never raise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

from engine.bundle.corpus import Corpus
from engine.bundle.node import Node
from engine.bundle.rules import e208_schema
from engine.policy.schema import resolve_reference
from engine.session.bundle import Validator
from engine.session.sensitive import unreached

_DECIMAL = re.compile(r"Decimal\('([^']*)'\)")
_MAX_PROBLEM = 300

T = TypeVar("T")


def schema(corpus: Corpus, node: Node | None, *, about_object: bool = True) -> tuple[dict[str, Any] | None, bool]:
    """A user's schema and whether it is usable; what is wrong with it is said."""
    if node is None:
        return None, True
    plain: dict[str, Any] = node.plain
    error = _schema_error(plain)
    if error is not None:
        # the deepest error says best what is meant
        deeper: list[Any] = [*(error.context or ())]
        best = min(deeper or [error], key=lambda e: -len(e.absolute_path))
        corpus.say(e208_schema.at(node.at(*best.absolute_path), _shown(best.message)))
        return None, False
    problems = list(_problems(plain, plain, ()))
    if unreached(plain):
        where = "properties, items, additionalProperties, $defs and what combines them"
        problems.append(((), f"`x-sensitive` can stand under {where} only"))
    if about_object and plain.get("type") != "object":
        problems.append(((), "it must have `type: object`"))
    for path, problem in problems:
        corpus.say(e208_schema.at(node.at(*path), problem))
    return (None, False) if problems else (plain, True)


def _schema_error(plain: Any) -> Any:
    """What keeps it from being a schema, or None: found out by the fast checker, told by the slow one."""
    # ten times as fast, which is a fifth of the time that validating a bundle takes; a dialect that the schema names
    # itself would be fetched
    from jsonschema_rs import meta

    if meta.is_valid({**plain, "$schema": DIALECT} if isinstance(plain, dict) else plain):
        return None
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(plain)
    except SchemaError as error:
        return error
    return None


def _slow(schema: Mapping[str, Any]) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema)


DIALECT = "https://json-schema.org/draft/2020-12/schema"

# what both checkers were shown to judge alike, over the JSON-Schema-Test-Suite; any other keyword goes the slow way
AGREED = frozenset(
    {
        "type", "enum", "const", "properties", "required", "additionalProperties", "propertyNames", "minProperties",
        "maxProperties", "items", "prefixItems", "contains", "minContains", "maxContains", "minItems", "maxItems",
        "uniqueItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "allOf",
        "anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "$defs",
        "title", "description", "default", "examples", "$comment", "deprecated", "readOnly", "writeOnly",
    }
)  # fmt: skip
_NAMED = frozenset({"properties", "dependentSchemas", "$defs"})
_VALUES = frozenset({"enum", "const", "default", "examples", "required", "dependentRequired", "type"})


def validator(schema: Mapping[str, Any] | None) -> Validator:
    """Says what is wrong with a value under a schema, a line each; without a schema everything fits.

    A value that fits is found to by the fast checker, where it can be trusted; what is wrong with any other is told
    by the slow one, whose words are the better ones.
    """
    if not schema:
        return lambda value: []
    slow, fast = lazily(lambda: _slow(schema)), lazily(lambda: fast_checker(schema))

    def check(value: Any) -> list[str]:
        fits = fast()
        if fits is not None and fits(value):
            return []
        try:
            found = sorted(slow().iter_errors(value), key=lambda e: list(map(str, e.path)))
            return [_line(error) for error in found][:10]
        except RecursionError:
            return ["it is nested too deep to be checked"]

    return check


def fast_checker(schema: Any) -> Callable[[Any], bool] | None:
    """Whether a value fits, in Rust; None for a schema with a keyword that the two checkers may see differently."""
    if not _agreed(schema):
        return None
    from jsonschema_rs import Draft202012Validator as Fast

    return Fast(schema).is_valid


def _agreed(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return not isinstance(schema, list) or all(map(_agreed, schema))
    for key, value in schema.items():
        if key == "$schema" and value == DIALECT:
            continue
        if key not in AGREED and not key.startswith("x-"):
            return False
        inner = value.values() if key in _NAMED and isinstance(value, Mapping) else [value]
        if key not in _VALUES and not key.startswith("x-") and not all(map(_agreed, inner)):
            return False
    return True


def lazily(make: Callable[[], T]) -> Callable[[], T]:
    """What `make` makes, made when it is first asked for."""
    return cache(make)


def _line(error: Any) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    return f"{where}: {_shown(error.message)}" if where else _shown(error.message)


def _shown(message: str) -> str:
    return _DECIMAL.sub(r"\1", message)[:_MAX_PROBLEM]


def _problems(schema: Any, root: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What the metaschema lets through and a check would stumble over."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _problems(item, root, (*path, index))
        return
    if not isinstance(schema, Mapping):
        return
    for key, value in schema.items():
        here = (*path, key)
        if key in ("const", "enum", "default", "examples"):
            continue
        if key in ("$ref", "$dynamicRef") and isinstance(value, str):
            if not value.startswith("#"):
                yield here, f"`{value}` refers to something outside of it"
            elif resolve_reference(root, value) is None:
                yield here, f"`{value}` refers to nothing"
        elif key == "pattern" and isinstance(value, str):
            yield from _bad_pattern(value, here)
        elif key == "patternProperties" and isinstance(value, Mapping):
            for pattern in value:
                yield from _bad_pattern(pattern, (*here, pattern))
            yield from _problems(value, root, here)
        else:
            yield from _problems(value, root, here)


def _bad_pattern(pattern: str, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    try:
        re.compile(pattern)
    except re.error as error:
        yield path, f"`{pattern}` is no regular expression: {error}"
