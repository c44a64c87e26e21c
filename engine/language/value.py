"""JSON values as the engine holds them: numbers exact, text canonical.

Numbers are `int` or `Decimal`, made from their text; a binary float that a driver or a Python tool
hands over becomes the decimal of its shortest form.  Money never meets a float.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import Any

import orjson

from engine.diagnostic.visible import escaped

MAX_DIGITS = 60
MAX_DEPTH = 64

_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,4})?\Z")
_HALF = re.compile("[\ud800-\udfff]")
_DURATION = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s{0,9}(ms|s|m|h|d)\Z")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


class NotJson(ValueError):
    """A value that JSON cannot hold, or that is larger than the engine accepts."""


def number(text: str) -> int | Decimal:
    """The exact number that `text` writes; raises NotJson if it is none, or beyond 60 digits of magnitude."""
    if not _NUMBER.match(text):
        raise NotJson(f"`{text[:40]}` is not a number")
    return _bounded(Decimal(text))


def _whole(text: str) -> int | Decimal:
    """What JSON's grammar has found to be a whole number: most of them are small."""
    return int(text) if len(text) < _SMALL else number(text)


_SMALL = 18

_AS_IT_IS = frozenset({str, bool, type(None)})


def exact(value: Any, depth: int = 0) -> Any:
    """A copy of `value` with only JSON's types and exact numbers; raises NotJson on anything else."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int or isinstance(value, int):
        return _bounded(Decimal(value)) if abs(value) > 2**63 else value
    if isinstance(value, float):
        return _bounded(Decimal(repr(value)))
    if isinstance(value, Decimal):
        return _bounded(value)
    if isinstance(value, str):
        return value
    if depth >= MAX_DEPTH:
        raise NotJson(f"nested deeper than {MAX_DEPTH} levels")
    # what is no text, truth or null takes a call of its own; most of what planners and tools say is
    if isinstance(value, list | tuple):
        return [item if type(item) in _AS_IT_IS else exact(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return {
            key if type(key) is str else _key(key): item if type(item) in _AS_IT_IS else exact(item, depth + 1)
            for key, item in value.items()
        }
    raise NotJson(f"a value of type {type(value).__name__} is not JSON")


def loads(text: str | bytes) -> Any:
    """Parse JSON with exact numbers; raises NotJson on bad text, NaN, duplicate keys or excess size."""
    try:
        _check_depth(text)
        return json.loads(
            text, parse_float=number, parse_int=_whole, parse_constant=_no_constant, object_pairs_hook=_pairs
        )
    except NotJson:
        raise
    except ValueError as error:
        raise NotJson(f"not valid JSON: {error}") from None


# a text that never ends is gone through once: it reaches to the end
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def _check_depth(text: str | bytes) -> None:
    """Refuse what is nested too deep, before anything that recurses sees it."""
    plain = text if isinstance(text, str) else text.decode("utf-8")
    if plain.count("[") + plain.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for found in _BRACKETS.finditer(plain):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > MAX_DEPTH:
            raise NotJson(f"nested deeper than {MAX_DEPTH} levels")


def canonical(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, equal numbers printed equally, ASCII only."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def canonical_of_exact(value: Any) -> str:
    """The same text, several times faster, for a value that holds no float: one that `exact` made, or the core.

    Text beyond ASCII, a delete character, and what the fast encoder does not know go the other way.
    """
    try:
        raw = orjson.dumps(value, _decimal, _LIKE_CANONICAL)
    except TypeError:
        return canonical(value)
    return raw.decode() if raw.isascii() and b"\x7f" not in raw else canonical(value)


_LIKE_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def _decimal(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(number_text(value).encode())
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def is_encodable(value: Any) -> bool:
    """Whether all texts of a JSON value can be written: one that holds half of a surrogate pair, keys too, can't."""
    try:
        json.dumps(value, ensure_ascii=False, default=_plain_of).encode()
    except UnicodeEncodeError:
        return False
    return True


def whole_text(text: str) -> str:
    """A text with a mark in the place of each half of a surrogate pair, which is no character."""
    return _HALF.sub("\ufffd", text)


def _plain_of(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def loads_own(text: str) -> Any:
    """What `canonical` wrote, read back: faster than `loads`, since it holds nothing that has to be refused."""
    return json.loads(text, parse_float=Decimal)


def loads_of_small(text: str) -> Any:
    """What `canonical` wrote of a value without fractions and without numbers beyond 53 bits, several times faster."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # half of a character, which other parsers take
        return json.loads(text)


def number_of(value: Decimal) -> int | Decimal:
    """A decimal as JSON holds it: whole ones as integers; raises NotJson beyond 60 digits."""
    return _bounded(value)


def digest(value: Any) -> str:
    """The SHA-256 of the canonical text of a value without floats, in hex."""
    return sha256(canonical_of_exact(value).encode("ascii")).hexdigest()


def pretty(value: Any, indent: int = 2) -> str:
    """JSON for people: indented, keys in their order, numbers exact."""
    return _pretty(value, "\n", " " * indent)


def one_line(value: Any) -> str:
    """JSON for people on one line, keys in their order, numbers exact."""
    return _line(value, ", ", ": ")


def _line(value: Any, comma: str, colon: str) -> str:
    if isinstance(value, Mapping):
        return "{" + comma.join(f"{_quoted(k)}{colon}{_line(v, comma, colon)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + comma.join(_line(v, comma, colon) for v in value) + "]"
    return _pretty(value, "", "")


def compact(value: Any) -> str:
    """JSON for programs, keys in their order, numbers exact; what can't be seen is escaped, as for people.

    Text beyond ASCII, and what the fast encoder does not know, goes the slow way.
    """
    try:
        raw = orjson.dumps(value, _decimal, _LIKE_CANONICAL & ~orjson.OPT_SORT_KEYS)
    except TypeError:
        return _line(value, ",", ":")
    return raw.decode() if raw.isascii() and b"\x7f" not in raw else _line(value, ",", ":")


def number_text(value: int | Decimal) -> str:
    """A number in plain notation without idle zeros: 250.00 is `250`."""
    if isinstance(value, int):
        return str(int(value))
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


@lru_cache(1024)
def duration(text: str) -> timedelta | None:
    """The duration that `90s`, `24h`, `1.5m`, `200ms` or `7d` writes, or None."""
    found = _DURATION.match(text)
    if not found:
        return None
    try:
        return timedelta(microseconds=int(Decimal(found[1]) * (_UNITS[found[2]] // timedelta(microseconds=1))))
    except OverflowError:
        return None


def span(text: str) -> timedelta:
    """The duration of a text that was checked before; raises ValueError."""
    found = duration(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration")
    return found


def duration_text(value: timedelta) -> str:
    """A duration in its largest whole unit: `90s`, `24h`."""
    micros = value // timedelta(microseconds=1)
    for unit in ("d", "h", "m", "s", "ms"):
        size = _UNITS[unit] // timedelta(microseconds=1)
        if micros % size == 0 and (micros or unit == "s"):
            return f"{micros // size}{unit}"
    return f"{number_text(Decimal(micros) / 1000)}ms"


def timestamp(value: datetime) -> str:
    """A moment as ISO 8601 in UTC with microseconds, which sorts as text."""
    return value.isoformat(timespec="microseconds")[:26] + "Z"


_PLAIN = frozenset({str, int, bool, Decimal, type(None)})


def jsonable(value: Any) -> Any:
    """A value of the expression language as JSON: moments and durations become their text."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    # most of what is no plain value is a dict, and to ask for a mapping takes longer
    if kind is dict or isinstance(value, Mapping):
        return {key: item if type(item) in _PLAIN else jsonable(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, frozenset | set):
        return sorted((jsonable(item) for item in value), key=canonical)
    if isinstance(value, list | tuple):
        return [item if type(item) in _PLAIN else jsonable(item) for item in value]
    return value


def _bounded(value: Decimal) -> int | Decimal:
    if not value.is_finite():
        raise NotJson("a number must be finite")
    if value and (abs(value.adjusted()) > MAX_DIGITS or len(value.as_tuple().digits) > MAX_DIGITS):
        raise NotJson(f"a number may have at most {MAX_DIGITS} digits")
    return int(value) if value == value.to_integral_value() else value


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise NotJson("an object's keys must be text")
    return key


def _no_constant(text: str) -> Any:
    raise NotJson(f"`{text}` is not JSON")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("an object has the same key twice")
    return found


def _scalar(value: Any) -> str | None:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return number_text(value)
    return None


def _write(value: Any, put: Any) -> None:
    text = _scalar(value)
    if text is not None:
        put(text)
    elif isinstance(value, Mapping):
        put("{")
        for index, key in enumerate(sorted(value)):
            put("," if index else "")
            put(encode_basestring_ascii(key))
            put(":")
            _write(value[key], put)
        put("}")
    elif isinstance(value, list | tuple):
        put("[")
        for index, item in enumerate(value):
            put("," if index else "")
            _write(item, put)
        put("]")
    else:
        raise NotJson(f"a value of type {type(value).__name__} is not JSON")


def _pretty(value: Any, lead: str, step: str) -> str:
    if isinstance(value, Mapping) and value:
        inner = lead + step
        items = (f"{_quoted(k)}: {_pretty(v, inner, step)}" for k, v in value.items())
        return "{" + inner + ("," + inner).join(items) + lead + "}"
    if isinstance(value, list | tuple) and value:
        inner = lead + step
        return "[" + inner + ("," + inner).join(_pretty(v, inner, step) for v in value) + lead + "]"
    if isinstance(value, str):
        return _quoted(value)
    return canonical(value)


def _quoted(text: str) -> str:
    # what can't be seen is escaped: the value is the same, and nobody who reads it is steered
    return escaped(json.dumps(text, ensure_ascii=False))
