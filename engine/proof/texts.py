"""Texts that fit a schema, as far as one is found among few: of its form, of its pattern, or one that it lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.bundle.link.validators import checker, validator
from engine.language.schema_types import subschemas
from engine.proof.patterns import matching

LONGEST = 2000

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

# each form with a place for further characters, the usual one first
_WORDY: Mapping[str, tuple[str, ...]] = {
    "email": ("somebody{}@mail.example", "a{}@b.cd"),
    "idn-email": ("somebody{}@mail.example", "a{}@b.cd"),
    "uri": ("https://somewhere.example/{}", "a:{}"),
    "iri": ("https://somewhere.example/{}", "a:{}"),
    "uri-reference": ("/{}", "{}"),
    "iri-reference": ("/{}", "{}"),
    "uri-template": ("/{{a}}{}", "{}"),
    "hostname": ("somewhere{}.example", "a{}"),
    "idn-hostname": ("somewhere{}.example", "a{}"),
    "json-pointer": ("/a{}", ""),
    "regex": ("a{}", ""),
}
_COUNTED: Mapping[str, Callable[[int], str]] = {
    "date": lambda n: (_BEGIN + timedelta(days=n)).date().isoformat(),
    "date-time": lambda n: f"{_BEGIN + timedelta(seconds=n):%Y-%m-%dT%H:%M:%SZ}",
    "time": lambda n: f"{_BEGIN + timedelta(hours=12, seconds=n):%H:%M:%SZ}",
    "duration": lambda n: f"P{n + 1}D",
    "uuid": lambda n: f"00000000-0000-4000-8000-{n:012d}",
    "ipv4": lambda n: f"192.0.2.{(n + 1) % 256}",
    "ipv6": lambda n: f"2001:db8::{n + 1:x}",
    "relative-json-pointer": str,
}
# what has the form, and is none that the language can read
_UNREADABLE = {"date": "0000-01-01", "date-time": "0000-01-01T00:00:00Z"}


def fits(schema: Any) -> Callable[[Any], bool] | None:
    """What tells whether a value fits a schema, as the runtime does; None for what can't be checked by itself."""
    if not isinstance(schema, Mapping):
        return None
    try:
        checker(schema)
    except ValueError:
        return None
    check = validator(schema)
    return lambda value: not check(value)


def texts(schema: Any, word: str = "", number: int = 0, length: int | None = None) -> Iterator[str]:
    """Texts that may fit: number `number` of each form, with a word in it and as long as asked, where it can be."""
    wanted = _longest_least(schema) if length is None else min(length, LONGEST)
    for part in _within(schema):
        yield from _listed(part)
        yield from _of_format(str(part.get("format")), word, number, wanted)
        pattern = part.get("pattern")
        if isinstance(pattern, str):
            yield from _of_pattern(pattern, number, wanted)
    yield from (text[:wanted].ljust(wanted, "x") for text in (word, "text") if wanted)


def around(text: str) -> Iterator[str]:
    """A text with what the forms of addresses want in front of it."""
    yield from (f"{start}{text}" for start in ("somebody", "somebody@", "https://", "https://somewhere.example/"))


def _within(schema: Any) -> Iterator[Mapping[str, Any]]:
    """The schemas that speak of the same value."""
    if isinstance(schema, Mapping):
        yield schema
        for path, inner in subschemas(schema):
            if path[0] in ("allOf", "anyOf", "oneOf", "then", "else"):
                yield from _within(inner)


def _longest_least(schema: Any) -> int:
    return max((min(part.get("minLength", 0), LONGEST) for part in _within(schema)), default=0)


def _listed(schema: Mapping[str, Any]) -> Iterator[str]:
    for key in ("enum", "examples"):
        yield from (one for one in schema.get(key) or () if isinstance(one, str))
    yield from (schema[key] for key in ("const", "default") if isinstance(schema.get(key), str))


def _of_format(name: str, word: str, number: int, length: int) -> Iterator[str]:
    if name in _COUNTED:
        yield _COUNTED[name](number)
    if name in _UNREADABLE and number == 1:
        # behind what is usual
        yield _UNREADABLE[name]
    for template in _WORDY.get(name, ()):
        short = template.format("")
        for inner in dict.fromkeys((word, str(number) if number else "")):
            yield template.format(inner)
            yield template.format(inner.ljust(length - len(short), "x"))


def _of_pattern(pattern: str, number: int, length: int) -> Iterator[str]:
    shortest = matching(pattern, number)
    if shortest is None:
        return
    yield shortest
    yield from around(shortest)
    left = length - len(shortest)
    if left > 0:
        further = (matching(pattern, number, more=left // parts) for parts in (1, 2, 3, 4))
        yield from (text for text in further if text is not None)
        yield from (shortest.ljust(length, "x"), shortest.rjust(length, "x"))
