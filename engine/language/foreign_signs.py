"""Signs and words that other languages have, found in an expression that is not one of ours: what is written here.

Only an expression that was refused is looked at, so that nothing of this bears on what is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from engine.language.provenance.numerals import plainly
from engine.language.suggestions import FILTERS, TIME_OF_DAY, for_filter, for_method
from engine.language.value import number_text


class Sign(NamedTuple):
    """A sign at the characters from `start` up to `end` that the language does not have, and what stands for it."""

    start: int
    end: int
    message: str
    help: str


# text keeps its quotes and its length, and loses what it says
_TEXT = re.compile(r"'(?:\\.|[^'\\])*+'?|\"(?:\\.|[^\"\\])*+\"?")
_BLANK = "\x01"

_PATH = r"(?<![\w.])(?!(?:and|or|not|in|if|else|for|is)\b)[A-Za-z_][\w.]*+(?:\[[^\[\]]*+\])?"
_VALUE = rf"(?:{_PATH}|-?\d[\d.]*+\w*|'{_BLANK}*+'|\"{_BLANK}*+\"|\[[^\[\]]*+\])"
_A, _B = rf"(?P<a>{_PATH})", rf"(?P<b>{_VALUE})"
_OPTIONAL_PATH = rf"(?:{_A}\s*+)?"

_GLOB = "write `glob(text, 'a*')`, `starts_with`, `ends_with` or `contains`: the language has no regular expressions"
_CHOICE = "write `b if a else c`"
_UNLESS_NULL = "write `b if a == null else a`"
_UNITS = {
    "ms": "ms",
    "s": "s",
    "sec": "s",
    "second": "s",
    "m": "m",
    "min": "m",
    "minute": "m",
    "h": "h",
    "hr": "h",
    "hour": "h",
    "d": "d",
    "day": "d",
}
_FILTERS = "|".join(FILTERS)
_UNIT = r"ms|[smhdw]|(?:sec(?:ond)?|min(?:ute)?|hr|hour|day|week|month|year)s?"
_SEPARATED = re.compile(r"(?<![\w.,])[0-9]+(?:,[0-9]+)+(?:\.[0-9]+)?(?![\w,])")

_Match = re.Match[str]
_Help = str | Callable[[_Match, str], str]


def _own(found: _Match, text: str, group: str) -> str:
    """What stands in a group, with what the texts in it say."""
    return text[found.start(group) : found.end(group)].strip()


def _with(form: str) -> Callable[[_Match, str], str]:
    """A form with `{a}` and `{b}` in it: the operands of the sign, or just letters where it has none."""

    def filled(found: _Match, text: str) -> str:
        given = {name: _own(found, text, name) for name, part in found.groupdict().items() if part is not None}
        return form.format(**{"a": "a", "b": "b", "c": "c", **given})

    return filled


def _like(found: _Match, text: str) -> str:
    pattern = _own(found, text, "b").replace("%", "*").replace("_", "?")
    negated = "not " if _own(found, text, "s")[:3].lower() == "not" else ""
    return f"write `{negated}glob({_own(found, text, 'a')}, {pattern})`"


def _span(found: _Match, text: str) -> str:
    number, unit = found["n"], found["s"].lower()
    unit = unit if len(unit) < 3 else unit.removesuffix("s")
    if unit in ("w", "week"):
        return f"write `duration('{number_text(Decimal(number) * 7)}d')`"
    if unit in ("month", "year"):
        return f"count in days: `duration('{30 if unit == 'month' else 365}d')`"
    return f"write `duration('{number}{_UNITS[unit]}')`"


def _share(found: _Match, text: str) -> str:
    number = found["n"]
    return f"write `{number}`, or `{number_text(Decimal(number) / 100)}` for the share"


def _plain_number(found: _Match, text: str) -> str:
    number = plainly(found["n"].rstrip(".,"))
    return f"write `{number}`" if number else "write it without separators: a point stands before its decimals"


def _day(found: _Match, text: str) -> str:
    year, month, day = found["n"].split("-")
    return f"write `datetime('{year}-{month:0>2}-{day:0>2}')`, or `date(...)` beside a day"


def _filter(found: _Match, text: str) -> str:
    return for_filter(_own(found, text, "a"), found["f"])


def _arrow(found: _Match, text: str) -> str:
    return for_method(found["o"], found["f"], [_own(found, text, "x")])


def _amount(found: _Match, text: str) -> str:
    return f"{_plain_number(found, text)}: its unit stands in the schema, as `x-unit`"


_NO_PART = "`{}` is not part of the language"
_NUMBER_ENDS = "a number ends where a name begins"

_SIGNS: tuple[tuple[str, str, _Help], ...] = (
    # loops
    (r"(?<![\w.])(?P<o>[A-Za-z_][\w.]*)(?P<s>\.(?P<f>\w+)\()(?P<x>\(?\w+\)?\s*+[=-]>[^()]++)\)", "", _arrow),
    (r"\b(?:any|all|count|sum|some|every)\(\s*+\w++\s*+(?P<s>[=-]>)", "", "write a loop: `any(x > 1 for x in list)`"),
    # comparing
    (r"(?P<s>!==|=!=|<>|≠|(?<![=!<>~])=!(?![=~])|(?<![=<>!])/=)", "", "write `!=`"),
    (r"(?P<s>===)", "", "write `==`"),
    (r"(?P<s>(?<![=!<>])=>|≥|⩾)", "", "write `>=`"),
    (r"(?P<s>(?<![=!<>])=<|≤|⩽)", "", "write `<=`"),
    (r"(?P<s>!~\*?)", "", _GLOB.replace("`glob(", "`not glob(")),
    (r"(?P<s>=~\*?|~=|(?<=\s)~(?=\s))", "", _GLOB),
    (r"(?P<s>:=)", "", "write `==`"),
    # logic
    (rf"{_A}\s*+(?P<s>\|)(?!\|)\s*+(?P<f>{_FILTERS})\b(?!\s*+[.\[])", "", _filter),
    (r"(?P<s>&&?|∧)", "", "write `and`"),
    (r"(?P<s>\|\|?|∨)", "", "write `or`"),
    (r"(?P<s>!(?![=~])|¬)", "", "write `not`"),
    (r"(?P<s>∉)", "", "write `not in`"),
    (r"(?P<s>∈)", "", "write `in`"),
    # counting
    (r"(?P<s>[×⋅·∗])", "", "write `*`"),
    (r"(?P<s>÷)", "", "write `/`"),
    (r"(?P<s>[−–—‐‑])", "", "write `-`"),
    # quotes and spaces
    (r"(?P<s>[‘’‚‛“”„‟«»‹›`´])", "", "text stands between `'` and `'`"),
    (
        r"(?P<s>[\u00a0\u2000-\u200f\u202f\u2060\u3000\ufeff])",
        "a character that can't be seen stands here",
        "write a space, or nothing",
    ),
    # what may be absent, and choices
    (r"(?P<s>\{\{|\$\{)", "", "an expression stands without braces"),
    (rf"{_OPTIONAL_PATH}(?P<s>\?\.)", "", _with("write `.`, and test it first: `{a} != null and ...`")),
    (rf"{_OPTIONAL_PATH}(?P<s>\?\?|\?:)\s*+{_B}", "", _with("write `{b} if {a} == null else {a}`")),
    (r"(?P<s>\?\?|\?:)", "", _UNLESS_NULL),
    # words of other languages
    (rf"{_A}\s++(?P<s>is\s++not\s++(?:empty|blank))\b", "", _with("write `len({a}) > 0`")),
    (rf"{_A}\s++(?P<s>is\s++(?:empty|blank))\b", "", _with("write `len({a}) == 0`")),
    (r"(?<![\w.])(?P<s>is\s++not\s++(?:null|nil|none|undefined|missing|absent))\b", "", "write `!= null`"),
    (
        r"(?<![\w.])(?P<s>is\s++(?:null|nil|none|undefined|missing|absent|not\s++(?:set|defined|present)))\b",
        "",
        "write `== null`",
    ),
    (rf"{_A}\s++(?P<s>(?:is\s++)?(?:set|defined|present|exists))\b", "", _with("write `is_set({a})`")),
    (r"(?<![\w.])(?P<s>is\s++not\s++in)\b", "", "write `not in`"),
    (r"(?<![\w.])(?P<s>is\s++in)\b", "", "write `in`"),
    (rf"{_A}\s++(?P<s>(?:not\s++)?i?like)\s++{_B}", "", _like),
    (rf"{_A}\s++(?P<s>(?:not\s++)?(?:matches|regex|rlike|regexp|similar\s++to|glob))\b", "", _GLOB),
    (rf"{_A}\s++(?P<s>between)\s++{_B}\s++and\s++(?P<c>{_VALUE})", "", _with("write `{b} <= {a} <= {c}`")),
    (rf"{_A}\s++(?P<s>contains|includes|has|contain)\s++{_B}", "", _with("write `contains({a}, {b})`")),
    (rf"{_A}\s++(?P<s>starts?_?\s*+with)\s++{_B}", "", _with("write `starts_with({a}, {b})`")),
    (rf"{_A}\s++(?P<s>ends?_?\s*+with)\s++{_B}", "", _with("write `ends_with({a}, {b})`")),
    (r"(?<![\w.])(?P<s>is\s++(?:greater|more|larger)\s++than)\b", "", "write `>`"),
    (r"(?<![\w.])(?P<s>is\s++(?:less|smaller)\s++than)\b", "", "write `<`"),
    (r"(?<=[\w)\]'\"]\s)(?P<s>(?:is\s++)?not\s++equals?(?:\s++to)?|neq?)\b", "", "write `!=`"),
    (r"(?<=[\w)\]'\"]\s)(?P<s>(?:is\s++)?equals?(?:\s++to)?|eq)\b", "", "write `==`"),
    (r"(?<=[\w)\]'\"]\s)(?P<s>xor)\b", "", "write `!=` between two booleans"),
    (r"(?<![\w.])(?P<s>is\s++not)\b", "", "write `!=`"),
    (r"(?<![\w.])(?P<s>is)\b", "", "write `==`"),
    # days and times
    (r"(?<![\w.-])(?P<s>(?P<n>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}))(?![\w.-])", "a day is no number", _day),
    (r"(?<![\w.:])(?P<s>[0-9]{1,2}:[0-9]{2})(?![\w:])", "the time of day is no value", TIME_OF_DAY),
    # numbers
    (rf"(?<![\w.])(?P<n>\d++(?:\.\d++)?)\s*+(?P<s>{_UNIT})\b", "a span of time is made by `duration`", _span),
    (
        r"(?:(?<=[<>=+*/-])|(?<=[<>=+*/-]\s))(?P<s>(?P<n>\d{1,3}(?:,\d{3})++))(?![\d,])",
        "a number has no separators",
        _plain_number,
    ),
    (r"(?P<s>[$€£¥])\s*+(?P<n>\d[\d.,]*+)", "", _amount),
    (r"(?<![\w.])(?P<n>\d++(?:\.\d++)?)\s*+(?P<s>[$€£¥]|(?!and|not|xor|for)[A-Z]{3}\b)", _NUMBER_ENDS, _amount),
    (r"(?<![\w.])(?P<n>\d++(?:\.\d++)?)\s*+(?P<s>%)(?!\s*+(?!(?:and|or|if|else)\b)[\w(.'\"\[-])", "", _share),
    # reaching
    (r"(?P<s>->|::)", "", "write `.`"),
    (r"(?P<s>\$)(?=[A-Za-z_])", "", "write the name alone"),
    (r"(?P<s>;)", "", "a condition is one expression: join its parts by `and`"),
)
# letters of these are told apart from our own words by their case alone
_CAPITALS = (
    (r"(?P<s>NOT\s++IN)\b", "", "write `not in`"),
    (r"(?P<s>IN)\b", "", "write `in`"),
    (r"(?P<s>AND|And)\b", "", "write `and`"),
    (r"(?P<s>OR|Or)\b", "", "write `or`"),
    (r"(?P<s>NOT|Not)\b", "", "write `not`"),
)
_EQUALS = re.compile(r"(?<![=!<>~:*/%+\-&|^])=(?![=~!<>])")
_NAMED = re.compile(r"(?:\brecord\(|,)\s*\w+\s*\Z")


@cache
def _table() -> list[tuple[re.Pattern[str], str, _Help]]:
    """The signs as patterns, made when the first expression is refused."""
    return [
        *((re.compile(f"(?i:{form})"), message, help_) for form, message, help_ in _SIGNS),
        *((re.compile(rf"(?<![\w.]){form}"), message, help_) for form, message, help_ in _CAPITALS),
    ]


def foreign_sign(text: str) -> Sign | None:
    """The first sign of another language in a refused expression, outside of its texts."""
    masked = _TEXT.sub(_emptied, text)
    first: Sign | None = None
    for pattern, message, help_ in _table():
        found = pattern.search(masked)
        if found is not None and (first is None or found.start("s") < first.start):
            start, end = found.span("s")
            said = message or _NO_PART.format(text[start:end])
            first = Sign(start, end, said, help_ if isinstance(help_, str) else help_(found, text))
    return _choice(masked, text, first) or first or _equals(masked)


def written_with_commas(text: str) -> str | None:
    """A number with separators in a text, as it is written here; None where there is none."""
    found = _SEPARATED.search(_TEXT.sub(_emptied, text))
    return plainly(found[0]) or None if found else None


def _emptied(found: _Match) -> str:
    quote = found[0][0]
    closed = len(found[0]) > 1 and found[0].endswith(quote)
    return quote + _BLANK * (len(found[0]) - 1 - closed) + quote * closed


def _choice(masked: str, text: str, first: Sign | None) -> Sign | None:
    """`a ? b : c`, and `if a then b else c`: told before what stands within them."""
    at = masked.find("?")
    if at >= 0 and masked[at + 1 : at + 2] not in (".", "?", ":") and (first is None or at < first.start):
        colon = masked.find(":", at)
        plain = colon > 0 and not re.search(r"[?()]", masked[:at] + masked[at + 1 :])
        parts = text[:at].strip(), text[at + 1 : colon].strip(), text[colon + 1 :].strip()
        help_ = f"write `{parts[1]} if {parts[0]} else {parts[2]}`" if plain and all(parts) else _CHOICE
        return Sign(at, at + 1, _NO_PART.format("?"), help_)
    then, other = re.search(r"(?<![\w.])then\b", masked), re.search(r"(?<![\w.])else\b", masked)
    if masked.lstrip().startswith("if ") and then is not None and other is not None and other.start() > then.end():
        asked = text[text.index("if") + 2 : then.start()].strip()
        chosen, rest = text[then.end() : other.start()].strip(), text[other.end() :].strip()
        return Sign(*then.span(), _NO_PART.format("then"), f"write `{chosen} if {asked} else {rest}`")
    return None


def _equals(masked: str) -> Sign | None:
    """A single `=` that names no field of a record."""
    for found in _EQUALS.finditer(masked):
        if not _NAMED.search(masked[: found.start()]):
            return Sign(found.start(), found.end(), "`=` compares nothing", "write `==`")
    return None
