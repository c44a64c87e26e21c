"""Where a value comes from: each scalar of a call's input is looked for in everything that the session has been told.

A value that stands as a whole in some source has the origin of the most trusted one that holds it.  A composed one
is cut into parts, at spaces and commas but within no number, in a URL or a path also behind the longest beginning that
some source holds; each part has to stand somewhere as it is, and the least trusted one decides.  What a trusted tool's
output only repeats of that call's own input says nothing new, so that nothing gets trusted by being echoed.  The work
is bounded; what lies beyond the bounds counts as untrusted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import chain
from typing import Any

from engine.language.arithmetic import is_number
from engine.language.provenance.currencies import of_code
from engine.language.provenance.echoes import Echo, hosts
from engine.language.provenance.near_numbers import DASHES
from engine.language.provenance.numerals import MIN_LONG, Numeral, covering, numerals
from engine.language.provenance.sources import TEXT, Source, TooMuchText, scalars
from engine.language.provenance.spelling import composed, normal
from engine.language.value import number_text

SESSION, CUSTOMER, TRUSTED, MODEL, UNTRUSTED = "session", "customer", "trusted", "model", "untrusted"

# from the one that vouches most to the one that vouches least
ORIGINS = (SESSION, CUSTOMER, TRUSTED, MODEL, UNTRUSTED)

# in characters: of all that was told, of one value, and of text that is gone through for one question
MAX_SOURCES = 300_000
MAX_VALUE = 4_000
MAX_WORK = 40_000_000
MAX_SCALARS = 500

# what looking into a source takes, however short it is, and what each character of a value takes to be read
LOOK = 1_000
READ = 50

_APART = re.compile(r"[\s,;()\"|]", re.ASCII)
_SEPARATOR = re.compile(r"[/?&=#\\]")
_STROKE = re.compile(r"[/\\]")
_SCHEME = re.compile(r"\A(?:[a-z][a-z0-9+.-]*:/+|mailto:)")
# what may stand before an address that was told without it, by how that looks
_ASSUMED = {"https://": re.compile(r"[^@]*\.[^@]*"), "mailto:": re.compile(r"[^@]+@[^@]+")}
_WORD = re.compile(r"\w{3,}")
_DOTS = re.compile(r"\.+")
_BLANKS = " \t\r\n"
_QUOTES = "'‘’“”"
# the marks that end a sentence, but for dots that are a step in a path; one thing alone may end with a stop
_ENDING = re.compile(r"(?<=[^\s.,;:!?/\\~])[.,;:!?]{1,3}\Z")
_STOP = re.compile(r"(?<=[^\s.,;:!?/\\~])\.\Z")

# what joins parts and says nothing of where they are from
_GLUE = frozenset({"and", "or", "the", "for", "a", "an", "to", "of", "in", "on", "at", "by", "with", "&", *DASHES})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that the session was told: by whom, the value, what it may only repeat, and keys that tell nothing."""

    origin: str
    value: Any
    echoes: Any = None
    fields: Set[str] = frozenset()


class Origins:
    """The origins of values, judged by what a session was told; keys of a value that are not `fields` are data."""

    def __init__(self, told: Iterable[Evidence], fields: Set[str] = frozenset()) -> None:
        self._sources, self._cut = _taken_in(told)
        self._fields = fields
        self._work = 0
        self._wholes = dict[str, str | None]()
        self.gone_through = 0

    def origin(self, value: Any) -> str:
        """The origin of a value: of a list or a map that of the least trusted thing in it."""
        self._work, self._wholes = 0, {}
        worst = None
        try:
            for count, scalar in enumerate(scalars(value, self._fields)):
                if count >= MAX_SCALARS:
                    return UNTRUSTED
                worst = _worse(worst, self._of_scalar(scalar))
        except TooMuchText:
            return UNTRUSTED
        return worst or (SESSION if _is_nothing(value) else MODEL)

    def said_by_customer(self, value: Any) -> bool:
        """Whether the customer's own messages hold the value, or all of its parts."""
        mine = Origins((), self._fields)
        mine._sources = [(origin, source) for origin, source in self._sources if origin == CUSTOMER]
        said = mine.origin(value) == CUSTOMER
        self.gone_through += mine.gone_through
        return said

    def _of_scalar(self, scalar: Any) -> str:
        if is_number(scalar):
            return self._of_number(scalar)
        text = str(scalar)
        if len(text) > 2 * MAX_VALUE:
            return UNTRUSTED
        text = composed(text).strip(_BLANKS)
        if not text:
            return SESSION
        text = (_ENDING if " " in text else _STOP).sub("", text)
        if len(text) > MAX_VALUE:
            return UNTRUSTED
        self._take(READ * len(text))
        return self._whole(text) or self._parts(text)

    def _of_number(self, value: Any) -> str:
        found = self._where(lambda source: source.has_number(value))
        digits = number_text(value)
        if found is None and len(digits) >= MIN_LONG and digits.isdigit():
            found = self._where(lambda source: source.has_long(digits))
        # in another notation, or with another sign, it vouches for nothing, and condemns
        strangers = found is None and self._where(lambda source: source.mentions_number(value)) == UNTRUSTED
        return found or (UNTRUSTED if strangers else self._nowhere())

    def _whole(self, text: str) -> str | None:
        """The most trusted origin of all the ways in which the whole value may be written, looked for once."""
        if text not in self._wholes:
            self._wholes[text] = self._origin_of_text(text)
        return self._wholes[text]

    def _origin_of_text(self, text: str) -> str | None:
        written = covering(text)
        found = [self._as_number(one) for one in written]
        # a number is never found as a text: what stands around it may say another one
        if not any(one.alone for one in written):
            piece = text.lower()
            # a host may have been told as the beginning of a URL
            host = "." in text and not _SEPARATOR.search(text)
            found.append(self._where(lambda source: source.begins(piece) if host else source.has(piece)))
        currency = of_code(text)
        if currency:
            found.append(self._where(lambda source: source.has_currency(currency, text)))
        return self._hosted(text, min((one for one in found if one is not None), key=ORIGINS.index, default=None))

    def _hosted(self, text: str, found: str | None) -> str | None:
        """An origin no better than that of the host: a tool that adds a path does not vouch for where it leads."""
        if found == TRUSTED:
            for host in sorted(set(hosts(text))):
                found = _worse(found, self._whole(host) or self._unfound(host))
        return found

    def _as_number(self, written: Numeral) -> str | None:
        """The origin of a number that a text is, beside its own currency, or with the digits of a long one."""
        if written.alone:
            number, counts = written.readings[0], written.counts or TEXT
            found = self._where(lambda source: source.has_number(number, counts))
            if found is not None:
                return found
        return self._where(lambda source: source.has_long(written.long)) if written.long else None

    def _parts(self, text: str) -> str:
        """The least trusted of the value's parts; what none holds is the model's."""
        tokens = _tokens(text)
        # what stands around a single part belongs to it
        parts = [part for part in _content_words(tokens) if part] if tokens == [text] or len(tokens) > 1 else []
        worst: str | None = None
        for part in parts:
            worst = _worse(worst, self._whole(part) or self._of_path(part) or self._unfound(part))
        return worst or self._unfound(text)

    def _of_path(self, part: str) -> str | None:
        """The origin of a URL or a path: of the longest beginning that some source holds, and of each segment after."""
        part = part.lower()
        scheme = _SCHEME.match(part)
        if scheme is None and not _STROKE.search(part[:-1]):
            return None
        least = 0 if scheme is None else scheme.end()
        assumed = _ASSUMED.get(part[:least])
        for at in (0, least) if assumed is not None and assumed.fullmatch(part[least:]) else (0,):
            end, found = self._longest(part, at, _ends(part, max(at, least)))
            found = self._hosted(part, found)
            if found is not None:
                return self._segments(part[end:], found)
        return None

    def _longest(self, part: str, at: int, ends: list[int]) -> tuple[int, str | None]:
        """Where the longest beginning ends that some source holds, and its origin.

        A source that holds one holds the shorter ones, so that halving finds it; the whole is looked for by itself.
        """

        def begins_at(end: int) -> str | None:
            return self._where(lambda source: source.begins(part[at:end], address=at > 0))

        *shorter, whole = ends
        best = whole, begins_at(whole)
        low, high = 0, len(shorter) if best[1] is None else 0
        while low < high:
            middle = (low + high) // 2
            found = begins_at(shorter[middle])
            if found is None:
                high = middle
            else:
                low, best = middle + 1, (shorter[middle], found)
        return best

    def _segments(self, rest: str, worst: str) -> str:
        segments = _SEPARATOR.split(rest.removesuffix("/"))[1:]
        for segment in segments:
            held = None if not segment or _DOTS.fullmatch(segment) else self._whole(segment)
            worst = _worse(worst, held or self._unfound(segment))
        return worst

    def _unfound(self, part: str) -> str:
        """A part that nobody has told: made of words of strangers, or of nothing that was told."""
        # what vouches is judged as it is; what condemns is not escaped by spelling it otherwise
        texts = (part.lower(), normal(part))
        words = sorted({word for text in texts for word in _WORD.findall(_SCHEME.sub("", text))})
        for word in words:
            if self._where(lambda source, word=word: source.mentions(word)) == UNTRUSTED:  # type: ignore[misc]
                return UNTRUSTED
        return self._nowhere()

    def _where(self, holds: Callable[[Source], bool]) -> str | None:
        """The most trusted origin among the sources that hold something; the sources stand in that order."""
        for origin, source in self._sources:
            before = source.work
            try:
                held = holds(source)
            finally:
                self._take(source.work - before + LOOK)
            if held:
                return origin
        return None

    def _take(self, work: int) -> None:
        """Count what was gone through; raises TooMuch beyond the bound."""
        self._work += work
        self.gone_through += work
        if self._work > MAX_WORK:
            raise TooMuchText

    def _nowhere(self) -> str:
        """What was not found may stand in what was not looked at."""
        return UNTRUSTED if self._cut else MODEL


def _is_nothing(value: Any) -> bool:
    """Whether a value holds nothing that could be from anywhere."""
    if isinstance(value, Mapping | list | tuple):
        return all(map(_is_nothing, value.values() if isinstance(value, Mapping) else value))
    return value in (None, "")


def _worse(one: str | None, other: str) -> str:
    return other if one is None else max(one, other, key=ORIGINS.index)


def _ends(text: str, least: int) -> list[int]:
    """Where a beginning of a path may end, the shortest first."""
    return [*(match.start() for match in _SEPARATOR.finditer(text) if match.start() > least), len(text)]


def _tokens(text: str) -> list[str]:
    """The parts of a composed text, cut at spaces and commas, but within no number."""
    uncut = {place for one in numerals(text) if one.whole for place in range(one.start, one.end)}
    cuts = [found.start() for found in _APART.finditer(text) if found.start() not in uncut]
    parts = [text[first + 1 : last] for first, last in zip([-1, *cuts], [*cuts, len(text)], strict=True)]
    return [part for part in parts if part]


def _content_words(tokens: list[str]) -> Iterator[str]:
    """The parts that have to be told: without the marks of a sentence, and without what only joins."""
    for at, token in enumerate(tokens):
        part = token if len(tokens) == 1 else _ENDING.sub("", token.strip(_QUOTES))
        # a dash before a number, or at the end, may be a sign
        sign = part in DASHES and any(map(str.isdigit, "".join(tokens[at + 1 : at + 2]) or "0"))
        if sign or part.lower() not in _GLUE:
            yield part


def _taken_in(told: Iterable[Evidence]) -> tuple[list[tuple[str, Source]], bool]:
    """The sources, most trusted first, up to the bound of all their text; whether some of it was left out."""
    found: list[tuple[str, Source]] = []
    left, room, cut = MAX_SOURCES, MAX_SOURCES, False
    for of_one in sorted(_together(told), key=lambda ones: ORIGINS.index(ones[0].origin)):
        origin, echoes = of_one[0].origin, of_one[0].echoes
        echo = Echo(scalars(echoes), room) if echoes and origin == TRUSTED else None
        room -= echo.size if echo is not None else 0
        source = Source(chain.from_iterable(scalars(one.value, one.fields) for one in of_one), left, echo)
        left -= source.size
        cut = cut or source.cut
        if source.size:
            # whose input was not looked at as a whole may be repeating it
            found.append((UNTRUSTED if echo is not None and echo.cut else origin, source))
    return sorted(found, key=lambda pair: ORIGINS.index(pair[0])), cut


def _together(told: Iterable[Evidence]) -> list[list[Evidence]]:
    """What was told, that of one origin as one thing where it repeats nothing."""
    alone, merged = list[list[Evidence]](), dict[str, list[Evidence]]()
    for one in told:
        if one.echoes and one.origin == TRUSTED:
            alone.append([one])
        else:
            merged.setdefault(one.origin, []).append(one)
    return [*merged.values(), *alone]
