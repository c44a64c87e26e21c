"""Spans of time as people write them: `48 hours`, `2w`, `1h30m`, `P2D`."""

from __future__ import annotations

import re
from datetime import timedelta

from engine.language.value import duration_text

_PART = re.compile(r"\s*(\d{1,6})\s*([A-Za-z]+)[\s,]*")
_UNITS = {
    "ms": "milliseconds",
    "millisecond": "milliseconds",
    "s": "seconds",
    "sec": "seconds",
    "second": "seconds",
    "m": "minutes",
    "min": "minutes",
    "minute": "minutes",
    "h": "hours",
    "hr": "hours",
    "hour": "hours",
    "d": "days",
    "day": "days",
    "w": "weeks",
    "week": "weeks",
}
_ISO = re.compile(
    r"P(?=[\dT])(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,6})S)?)?"
)


def span_text(text: str) -> str:
    """A span of time as it is written here; empty where it is none, or nobody knows how long it is."""
    plain = text.strip()
    total = _of_iso(plain) or _of_parts(plain)
    return duration_text(total) if total else ""


def _of_iso(text: str) -> timedelta | None:
    found = _ISO.fullmatch(text.upper())
    return timedelta(**{unit: int(number or 0) for unit, number in found.groupdict().items()}) if found else None


def _of_parts(text: str) -> timedelta | None:
    total, at = timedelta(0), 0
    while found := _PART.match(text, at):
        # a capital M alone is of months as well
        word = "" if found[2] == "M" else found[2].lower()
        unit = _UNITS.get(word, "") or _UNITS.get(word.removesuffix("s"), "")
        if not unit:
            return None
        total, at = total + timedelta(**{unit: int(found[1])}), found.end()
    return total if at == len(text) else None
