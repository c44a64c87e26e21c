"""Where a value comes from: each scalar of a call's input is looked for in everything that the session has been told.

A value that stands as a whole in some source has the origin of the most trusted one that holds it.  A composed one
is cut into parts, at spaces and commas, in a URL or a path also behind the longest beginning that some source holds;
each part has to stand somewhere as it is, and the least trusted one decides.  What a trusted tool's output only
repeats of that call's own input says nothing new, so that nothing gets trusted by being echoed.  The work is bounded;
what lies beyond the bounds counts as untrusted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.policy.arithmetic import is_number
from engine.policy.telling import Source, TooMuch, as_it_is, normal, number_written, scalars
from engine.policy.value import number_text

SESSION, CUSTOMER, TRUSTED, MODEL, UNTRUSTED = "session", "customer", "trusted", "model", "untrusted"

# from the one that vouches most to the one that vouches least
ORIGINS = (SESSION, CUSTOMER, TRUSTED, MODEL, UNTRUSTED)

# in characters: of all that was told, of one value, and of text that is gone through for one question
MAX_SOURCES = 300_000
MAX_VALUE = 4_000
MAX_WORK = 40_000_000
MAX_SCALARS = 500

# what looking into a source takes, however short it is
LOOK = 1_000

_APART = re.compile(r"[\s,;()\"|]+", re.ASCII)
_SEGMENTS = re.compile(r"[/?&=#\\]+")
_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:/+|mailto:)")
_WORD = re.compile(r"\w{3,}")
_DOTS = re.compile(r"\.+")
_BLANKS = " \t\r\n"
_EDGES = ".,;:!?'\"()"

# what joins parts and says nothing of where they are from
_GLUE = frozenset({"and", "or", "the", "for", "a", "an", "to", "of", "in", "on", "at", "by", "with", "&", "-", "+"})


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that the session was told: by whom, the value, and what it may only be repeating."""

    origin: str
    value: Any
    echoes: Any = None


class Origins:
    """The origins of values, judged by what a session was told."""

    def __init__(self, told: Iterable[Told]) -> None:
        self._sources, self._cut = _taken_in(told)
        self._work = 0
        self.gone_through = 0

    def origin(self, value: Any) -> str:
        """The origin of a value: of a list or a map that of the least trusted thing in it."""
        self._work = 0
        worst = None
        try:
            for count, scalar in enumerate(scalars(value)):
                if count >= MAX_SCALARS:
                    return UNTRUSTED
                worst = _worse(worst, self._of_scalar(scalar))
        except TooMuch:
            return UNTRUSTED
        return worst or (SESSION if _is_nothing(value) else MODEL)

    def said_by_customer(self, value: Any) -> bool:
        """Whether the customer's own messages hold the value, or all of its parts."""
        mine = Origins(())
        mine._sources = [(origin, source) for origin, source in self._sources if origin == CUSTOMER]
        said = mine.origin(value) == CUSTOMER
        self.gone_through += mine.gone_through
        return said

    def _of_scalar(self, scalar: Any) -> str:
        if is_number(scalar):
            return self._of_number(scalar)
        raw = str(scalar)
        text = as_it_is(raw) if len(raw) <= 2 * MAX_VALUE else raw
        if len(text) > MAX_VALUE:
            return UNTRUSTED
        bare = text.strip(_EDGES).strip(_BLANKS)
        return self._whole(bare or text) or self._parts(text)

    def _of_number(self, value: Any) -> str:
        found = self._where(lambda source: source.has_number(value))
        digits = number_text(value)
        if found is None and len(digits) >= 7 and digits.isdigit():
            found = self._where(lambda source: source.has_spread(digits))
        return found or self._nowhere()

    def _whole(self, text: str) -> str | None:
        """The most trusted origin of all the ways in which the whole value may be written."""
        # a host may have been told as the beginning of a URL
        host = "." in text and not _SEGMENTS.search(text)
        found = [self._where(lambda source: source.begins(text) if host else source.has(text))]
        written = number_written(text)
        if written is not None:
            number, counts = written
            found.append(self._where(lambda source: source.has_number(number, counts)))
        found.append(self._where(lambda source: source.has_spread(text)))
        return min((one for one in found if one is not None), key=ORIGINS.index, default=None)

    def _parts(self, text: str) -> str:
        """The least trusted of the value's parts; what none holds is the model's."""
        worst: str | None = None
        for part in _APART.split(text):
            bare = part.strip(_EDGES)
            if not bare or bare in _GLUE:
                continue
            worst = _worse(worst, self._whole(bare) or self._of_path(part.rstrip(_EDGES)) or self._unfound(bare))
        return worst or self._nowhere()

    def _of_path(self, part: str) -> str | None:
        """The origin of a URL or a path: of the longest beginning that some source holds, and of each segment after."""
        scheme = _SCHEME.match(part)
        if scheme is None and not _SEGMENTS.search(part):
            return None
        for start in (part, part[scheme.end() :]) if scheme is not None else (part,):
            for end in _ends(start, scheme.end() if scheme is not None and start is part else 0):
                found = self._where(lambda source, piece=start[:end]: source.begins(piece))  # type: ignore[misc]
                if found is not None:
                    return self._segments(start[end:], found)
        return None

    def _segments(self, rest: str, worst: str) -> str:
        for segment in _SEGMENTS.split(rest):
            if segment:
                held = None if _DOTS.fullmatch(segment) else self._whole(segment)
                worst = _worse(worst, held or self._unfound(segment))
        return worst

    def _unfound(self, part: str) -> str:
        """A part that nobody has told: made of words of strangers, or of nothing that was told."""
        # what vouches is judged as it is; what condemns is not escaped by spelling it otherwise
        words = {*_WORD.findall(_SCHEME.sub("", part)), *_WORD.findall(_SCHEME.sub("", normal(part)))}
        for word in sorted(words):
            if self._where(lambda source, word=word: source.mentions(word)) == UNTRUSTED:  # type: ignore[misc]
                return UNTRUSTED
        return self._nowhere()

    def _where(self, holds: Callable[[Source], bool]) -> str | None:
        """The most trusted origin among the sources that hold something; the sources stand in that order."""
        for origin, source in self._sources:
            before = source.work
            held = holds(source)
            took = source.work - before + LOOK
            self._work += took
            self.gone_through += took
            if self._work > MAX_WORK:
                raise TooMuch
            if held:
                return origin
        return None

    def _nowhere(self) -> str:
        """What was not found may stand in what was not looked at."""
        return UNTRUSTED if self._cut else MODEL


def _is_nothing(value: Any) -> bool:
    """Whether a value holds nothing that could be from anywhere."""
    if isinstance(value, Mapping | list | tuple):
        return all(map(_is_nothing, value.values() if isinstance(value, Mapping) else value))
    return value is None


def _worse(one: str | None, other: str) -> str:
    return other if one is None else max(one, other, key=ORIGINS.index)


def _ends(text: str, least: int) -> Iterator[int]:
    """Where a beginning of a path may end, the longest first."""
    ends = [match.start() for match in _SEGMENTS.finditer(text) if match.start() > least]
    yield from reversed([*ends, len(text)])


def _together(told: Iterable[Told]) -> list[Told]:
    """What was told, that of one origin as one thing where it repeats nothing."""
    alone, merged = list[Told](), dict[str, list[Any]]()
    for one in told:
        if one.echoes and one.origin == TRUSTED:
            alone.append(one)
        else:
            merged.setdefault(one.origin, []).append(one.value)
    return [*(Told(origin, values) for origin, values in merged.items()), *alone]


def _taken_in(told: Iterable[Told]) -> tuple[list[tuple[str, Source]], bool]:
    """The sources, most trusted first, up to the bound of all their text; whether some of it was left out."""
    found: list[tuple[str, Source]] = []
    left, cut = MAX_SOURCES, False
    for one in sorted(_together(told), key=lambda one: ORIGINS.index(one.origin)):
        echoes = Source(one.echoes, MAX_SOURCES) if one.echoes and one.origin == TRUSTED else None
        # a tool's keys may be data; those of the session are its author's
        source = Source(one.value, left, echoes, names=one.origin in (TRUSTED, UNTRUSTED))
        left -= source.size
        cut = cut or source.cut
        # whose input was not looked at as a whole may be repeating it
        origin = UNTRUSTED if echoes is not None and echoes.cut else one.origin
        if source.size:
            found.append((origin, source))
    return sorted(found, key=lambda pair: ORIGINS.index(pair[0])), cut
