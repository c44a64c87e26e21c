"""Where a value comes from: each scalar of a call's input is looked for in everything that the session has been told.

A value that stands as a whole in some source has the origin of the most trusted one that holds it.  A composed one
is cut into the longest pieces that stand in some source, and has the origin of its least trusted piece.  What a
tool's output only repeats of that call's own input says nothing new, so that nothing gets trusted by being echoed.
The work is bounded; what lies beyond the bounds counts as untrusted.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.policy.arithmetic import is_number
from engine.policy.value import number_text

SESSION, CUSTOMER, TRUSTED, MODEL, UNTRUSTED = "session", "customer", "trusted", "model", "untrusted"

# from the one that vouches most to the one that vouches least
ORIGINS = (SESSION, CUSTOMER, TRUSTED, MODEL, UNTRUSTED)

# in characters: of all that was told, of one value, and of text that is gone through for one value
MAX_SOURCES = 300_000
MAX_VALUE = 4_000
MAX_WORK = 40_000_000
MAX_TRIES = 1_000
MAX_SCALARS = 500
MIN_SPREAD, MAX_SPREAD = 7, 64

_SPACE = re.compile(r"[\s\u200b-\u200f\u2028-\u202e\u2060\ufeff\u00ad]+")
_TOKEN = re.compile(r"\w+")
_NO_WORD = re.compile(r"[\W_]+")
_CURRENCY = "usd|eur|gbp|chf|jpy"
_PARTED = r"\d{1,3}(?:[ '’.,]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_WRITTEN = re.compile(_PARTED)
_NUMBER = re.compile(rf"(?:(?<={_CURRENCY.replace('|', ')|(?<=')})|(?<![\w.,]))(?:{_PARTED})(?={_CURRENCY}|(?!\w))")
_ESCAPES = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_ESCAPED = re.compile(r"%[0-9a-fA-F]{2}|&#?\w{2,8};")
_EDGES = " \t.,;:!?\"'`()[]{}<>*"

# what joins pieces and says nothing of where they are from
_GLUE = frozenset(["http", "https", "www", "mailto", "and", "the", "for"])
_SEPARATOR = "\0"


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that the session was told: by whom, the value, and what it may only be repeating."""

    origin: str
    value: Any
    echoes: Any = None


class Origins:
    """The origins of values, judged by what a session was told; `cut` says that some of it was not looked at."""

    def __init__(self, told: Iterable[Told]) -> None:
        self._sources, self._cut = _taken_in(told)
        self._work = 0

    def origin(self, value: Any) -> str:
        """The origin of a value: of a list or a map that of the least trusted thing in it."""
        worst = None
        for count, scalar in enumerate(_scalars(value)):
            if count >= MAX_SCALARS:
                return UNTRUSTED
            worst = _worse(worst, self._of_scalar(scalar))
        return worst or MODEL

    def said_by_customer(self, value: Any) -> bool:
        """Whether the customer's own messages hold the value, or all of its pieces."""
        mine = Origins(())
        mine._sources = [source for source in self._sources if source.origin == CUSTOMER]
        return mine.origin(value) == CUSTOMER

    def _of_scalar(self, scalar: Any) -> str:
        self._work = 0
        try:
            if is_number(scalar):
                return self._where(lambda source: source.has_number(scalar)) or self._nowhere()
            text = normal(str(scalar)[: 2 * MAX_VALUE])
            if len(text) > MAX_VALUE:
                return UNTRUSTED
            return self._whole(text.strip(_EDGES)) or self._pieces(text)
        except _TooMuch:
            return UNTRUSTED

    def _whole(self, text: str) -> str | None:
        if not text:
            return None
        found = self._where(lambda source: source.has(text))
        amount = _amount(text)
        if found is None and amount is not None:
            found = self._where(lambda source: source.has_number(amount))
        compact = _NO_WORD.sub("", text)
        if found is None and MIN_SPREAD <= len(compact) <= MAX_SPREAD and any(char.isdigit() for char in compact):
            found = self._where(lambda source: source.has_spread(compact))
        return found

    def _pieces(self, text: str) -> str:
        """The least trusted of the longest pieces that some source holds; what none holds is the model's."""
        words = [match.span() for match in _TOKEN.finditer(text)]
        worst, at = None, 0
        while at < len(words):
            found, end = self._longest(text, words, at)
            word = text[slice(*words[at])]
            if end - at > 1 or not _says_nothing(word):
                worst = _worse(worst, found or self._nowhere())
            at = end
        return worst or self._nowhere()

    def _longest(self, text: str, words: list[tuple[int, int]], at: int) -> tuple[str | None, int]:
        """The origin of the longest piece from a word on, and the word behind it."""
        best: tuple[str | None, int] = (None, at + 1)
        for end in range(at + 1, len(words) + 1):
            found = self._holder(text[words[at][0] : words[end - 1][1]])
            if found is None:
                break
            best = (found, end)
        return best

    def _holder(self, piece: str) -> str | None:
        return self._where(lambda source: source.has(piece))

    def _where(self, holds: Callable[[_Source], bool]) -> str | None:
        """The most trusted origin among the sources that hold something; the sources stand in that order."""
        for source in self._sources:
            self._work += source.size
            if self._work > MAX_WORK:
                raise _TooMuch
            if holds(source):
                return source.origin
        return None

    def _nowhere(self) -> str:
        """What was not found may stand in what was not looked at."""
        return UNTRUSTED if self._cut else MODEL


class _TooMuch(Exception):
    """The bound on the work for one value is reached."""


def _worse(one: str | None, other: str) -> str:
    return other if one is None else max(one, other, key=ORIGINS.index)


def _says_nothing(word: str) -> bool:
    return word in _GLUE or (len(word) == 1 and word.isalpha())


class _Source:
    """One thing that was told, in the forms that values are looked for in."""

    def __init__(self, origin: str, text: str, echo: _Source | None) -> None:
        self.origin = origin
        self.size = len(text)
        self._text = text
        self._echo = echo
        self._words: frozenset[str] | None = None
        self._letters: str | None = None
        self._numbers: frozenset[Decimal] | None = None

    def has(self, piece: str) -> bool:
        """Whether it holds a piece that no letter or digit runs into."""
        if self._words is None:
            self._words = frozenset(_TOKEN.findall(self._text))
        if not self._words.issuperset(_TOKEN.findall(piece)):
            return False
        start = self._text.find(piece)
        for _ in range(MAX_TRIES):
            if start < 0:
                return False
            end = start + len(piece)
            before, behind = self._text[start - 1 : start] if start else "", self._text[end : end + 1]
            if not (_joins(before, piece[0]) or _joins(piece[-1], behind)):
                return self._echo is None or not self._echo.repeats(piece)
            start = self._text.find(piece, start + 1)
        raise _TooMuch

    def has_spread(self, letters: str) -> bool:
        """Whether it holds letters and digits in this order, parted as people part long numbers."""
        pattern = r"(?<!\w)" + r"[ .\-_/()]{0,2}".join(letters) + r"(?!\w)"
        found = re.search(pattern, self._text) is not None
        return found and not (self._echo is not None and self._echo.repeats(letters))

    def repeats(self, piece: str) -> bool:
        """Whether its letters and digits hold those of a piece: what it was asked with is no evidence."""
        if self._letters is None:
            self._letters = _NO_WORD.sub("", self._text)
        return _NO_WORD.sub("", piece) in self._letters

    def has_number(self, value: Any) -> bool:
        """Whether it holds a number, however it is written."""
        if self._numbers is None:
            self._numbers = frozenset(n for found in _NUMBER.findall(self._text) for n in _readings(found))
        wanted = abs(Decimal(value))
        return wanted in self._numbers and not (self._echo is not None and self._echo.has_number(value))


def normal(text: str) -> str:
    """Text as it is compared: one form for each character, no case, escapes undone, one space between words."""
    if _ESCAPED.search(text):
        text = html.unescape(_ESCAPES.sub(_unescaped, text))
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _SPACE.sub(" ", text.casefold()).strip()


def _unescaped(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "replace")


def _taken_in(told: Iterable[Told]) -> tuple[list[_Source], bool]:
    """The sources, most trusted first, up to the bound of all their text."""
    found: list[_Source] = []
    left = MAX_SOURCES
    for one in sorted(told, key=lambda one: ORIGINS.index(one.origin)):
        text, whole = _text_of(one.value, left)
        left -= len(text)
        if text:
            echo = _Source(one.origin, _text_of(one.echoes, MAX_SOURCES)[0], None) if one.echoes else None
            found.append(_Source(one.origin, text, echo))
        if not whole:
            return found, True
    return found, False


def _text_of(value: Any, most: int) -> tuple[str, bool]:
    """All scalars and keys of a value as one text, and whether that is all of it."""
    parts: list[str] = []
    size = 0
    for scalar in _scalars(value, keys=True):
        part = number_text(scalar) if is_number(scalar) else normal(str(scalar)[: most + 1])
        size += len(part) + 1
        if size > most:
            return _SEPARATOR.join(parts), False
        parts.append(part)
    return _SEPARATOR.join(parts), True


def _scalars(value: Any, *, keys: bool = False) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if keys:
                yield key
            yield from _scalars(item, keys=keys)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _scalars(item, keys=keys)
    elif value is not None and not isinstance(value, bool):
        yield value


def _joins(one: str, other: str) -> bool:
    """Whether two characters beside each other belong to one word."""
    return (one.isalnum() or one == "_") and (other.isalnum() or other == "_")


def _amount(text: str) -> Decimal | None:
    """The number that a text is, if it is one, currency aside."""
    bare = re.sub(rf"^(?:{_CURRENCY}|[$€£¥])|(?:{_CURRENCY}|[$€£¥])$", "", text).strip()
    return next(_readings(bare)) if _WRITTEN.fullmatch(bare) else None


def _readings(written: str) -> Iterator[Decimal]:
    """What a written number may mean: a comma or a point may part the thousands or the cents."""
    parts = re.split(r"[ '’]", written)
    plain = "".join(parts)
    forms = {plain.replace(",", "")}
    if "," in plain:
        forms.add(plain.replace(".", "").replace(",", ".", 1).replace(",", ""))
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+", plain):
        forms.add(plain.replace(".", ""))
    forms |= set(parts) if len(parts) > 1 else set()
    yield from sorted(Decimal(form) for form in forms if re.fullmatch(r"\d+(?:\.\d+)?", form))
