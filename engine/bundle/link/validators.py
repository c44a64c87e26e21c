"""Validators of users' schemas: they never raise, end in linear time, and never say a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

from engine.bundle.link.misfits import misfit_text
from engine.bundle.link.patterns import linear
from engine.language.value import is_encodable, whole_text
from engine.session.sensitivity import marked_at
from engine.spec.bundle import Validator

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# the formats that JSON Schema names, all of which are checked; any other one is a remark for people
FORMATS = frozenset(
    {
        "date",
        "date-time",
        "time",
        "duration",
        "email",
        "idn-email",
        "hostname",
        "idn-hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uri-reference",
        "iri",
        "iri-reference",
        "uri-template",
        "uuid",
        "json-pointer",
        "relative-json-pointer",
        "regex",
    }
)

MOST_SAID = 10

T = TypeVar("T")


def checker(schema: Any) -> Any:
    """What judges values under a schema; raises ValueError or its kin for what is no schema, or has no linear pattern.

    A dialect that the schema names itself would be fetched, and is not looked at.
    """
    from jsonschema_rs import Draft202012Validator

    plain = {**schema, "$schema": DIALECT} if isinstance(schema, Mapping) and "$schema" in schema else schema
    return Draft202012Validator(plain, pattern_options=linear(), validate_formats=True, offline=True)


def validator(schema: Mapping[str, Any] | None) -> Validator:
    """Says what is wrong with a value under a schema, a line each; without a schema everything fits.

    A line tells the path, the keyword and what the schema asks for, and never what the value was; of one that is marked
    sensitive it tells the path and the keyword.  A schema that can't be checked by fits nothing.
    """
    if not schema:
        return lambda value: []
    made = lazily(lambda: _validator(schema))

    def check(value: Any) -> list[str]:
        found = made()
        if isinstance(found, str):
            return [found]
        try:
            return [] if found.is_valid(value) else list(_lines(found, value, schema))
        except UnicodeEncodeError:
            value = without_surrogates(value)
            return [] if found.is_valid(value) else list(_lines(found, value, schema))
        except ValueError:
            return ["it is nested too deep to be checked, or holds what JSON does not have"]

    return check


def input_validator(schema: Mapping[str, Any] | None) -> Validator:
    """The same for what a tool is given, which may hold no text that can't be written."""
    fits = validator(schema)

    def check(value: Any) -> list[str]:
        return fits(value) if is_encodable(value) else ["a text holds half of a surrogate pair, which is no text"]

    return check


def _validator(schema: Mapping[str, Any]) -> Any:
    try:
        return checker(schema)
    except ValueError:
        return "its schema can't be checked in bounded time (`engine validate` tells the place)"


def _lines(found: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    named = frozenset(names(schema))
    errors = sorted(found.iter_errors(value), key=lambda e: (list(map(str, e.instance_path)), str(e.schema_path)))
    for error in errors[:MOST_SAID]:
        yield misfit_text(error, named=named, hides=lambda path: marked_at(schema, path))


def names(schema: Any) -> Iterator[str]:
    """The names of fields that a schema speaks of: they are the bundle's words, any other key is a value."""
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        yield from properties if isinstance(properties, Mapping) else ()
        required = schema.get("required")
        yield from (one for one in required if isinstance(one, str)) if isinstance(required, list) else ()
        for inner in schema.values():
            yield from names(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from names(inner)


def without_surrogates(value: Any) -> Any:
    """A copy of a value with a mark for each half of a surrogate pair, which the checker can't take; as long as it."""
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, Mapping):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return [without_surrogates(item) for item in value] if isinstance(value, list | tuple) else value


def lazily(make: Callable[[], T]) -> Callable[[], T]:
    """What `make` makes, made when it is first asked for."""
    return cache(make)
