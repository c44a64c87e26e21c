"""What a session was told, as text in which values are looked for: whole, as numbers, and as long numbers.

What was told is read as it stands, and kindly: with escapes and markup undone, in one form for look-alikes.  A value
is looked for as it is, but for case and composition: what only looks like what was told was not told.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from decimal import Decimal
from functools import cached_property
from itertools import accumulate, islice
from typing import Any

from engine.language.arithmetic import is_number
from engine.language.provenance.echoes import Echo
from engine.language.provenance.markup import hidden, untagged
from engine.language.provenance.near_numbers import DASHES
from engine.language.provenance.numerals import MIN_LONG, Numeral, numerals
from engine.language.provenance.scripts import MARKUP, beyond_markup, one_word, wordy
from engine.language.provenance.spelling import composed, flat, kindly
from engine.language.value import number_text

MAX_TRIES = 1_000
MAX_NUMBERS = 10_000

# what reading one number takes, and looking at one place where something may stand, in characters that are gone through
READING = 400
PLACE = 1_000

# how a number is asked for: as a number, as a text that says no currency, or by its currency, which ANY may be
NUMBER, TEXT, ANY = "number", "text", "any"

_TOKEN = re.compile(r"\w+", re.ASCII)
_BESIDE_DIGIT = re.compile(r"(?<=[0-9])[A-Za-z]++|(?<![A-Za-z])[A-Za-z]++(?=[0-9])")

# between the parts of what was told, so that nothing is found across them
_WALL = "\n\0\n"

# what goes on behind one of these belongs to the same address, name or number
_GOES_ON = frozenset(".@+'’%&#$") | MARKUP | (DASHES - frozenset("\u2013\u2014\u2015"))
_STROKES = frozenset("/\\")
_PATH_GOES_ON = frozenset(".-~%?#&=@+$/\\")
_BEFORE_PATHS = frozenset(" \t\n\"'“‘«([{<=,;|`")


class TooMuchText(Exception):
    """The bound on the work for one question is reached."""


class SourceText:
    """One reading of what was told: its text, and lazily its words and the numbers in it."""

    def __init__(self, parts: list[str], flatten: Callable[[str], str]) -> None:
        self.work = 0
        self._parts = parts
        self.text = _WALL.join(map(flatten, parts))

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of the text, as far as they are ASCII."""
        self.work += len(self.text)
        return frozenset(_TOKEN.findall(self.text))

    @cached_property
    def _tokens(self) -> Set[str]:
        """The words, and letters that digits are joined to, as in `480EUR`."""
        self.work += len(self.text)
        return self.words.union(_BESIDE_DIGIT.findall(self.text))

    @property
    def numbers(self) -> list[list[Numeral]]:
        """The numbers in each part; raises TooMuch where there are too many."""
        if self._numbers is None:
            raise TooMuchText
        return self._numbers

    @cached_property
    def _numbers(self) -> list[list[Numeral]] | None:
        found, left = list[list[Numeral]](), MAX_NUMBERS
        for part in self._parts:
            found.append(list(islice(numerals(part), left + 1)))
            left -= len(found[-1])
            if left < 0:
                break
        self.work += len(self.text) + READING * (MAX_NUMBERS - left)
        return found if left >= 0 else None

    @cached_property
    def _words(self) -> Set[tuple[int, int]]:
        """Where currencies and units stand that are beside a number."""
        return {(start, end) for at, one in self._placed() for start, end in ((at + a, at + b) for a, b in one.words)}

    def _placed(self) -> Iterator[tuple[int, Numeral]]:
        """Each number with the place at which its part begins."""
        at = 0
        for part, here in zip(self._parts, self.numbers, strict=True):
            yield from ((at, one) for one in here)
            at += len(part) + len(_WALL)

    @cached_property
    def _uncut(self) -> tuple[list[int], list[int]]:
        """Where stretches begin that can't be cut, and how far those up to each reach."""
        found = sorted((at + start, at + end) for at, one in self._placed() for start, end in one.whole)
        return [start for start, _ in found], list(accumulate((end for _, end in found), max))

    def stands(self, piece: str, ends: Callable[[str, int], bool], begins: Callable[[str, int], bool]) -> bool:
        """Whether a piece stands here where it begins a word and ends as it is to."""
        self.work += len(piece)
        if "\0" in piece or not self._tokens >= set(_TOKEN.findall(piece)):
            return False
        self.work += len(self.text)
        start = self.text.find(piece)
        for _ in range(MAX_TRIES):
            if start < 0:
                return False
            self.work += PLACE + len(piece)
            end = start + len(piece)
            apart = not _runs_in(piece, self.text, start) and begins(self.text, start) and ends(self.text, end)
            if apart and not (self._cuts(start) or self._cuts(end)):
                return True
            # a currency is told by `480 EUR` and `480EUR`
            if _beside_digit(self.text, start, end) and (start, end) in self._words:
                return True
            start = self.text.find(piece, start + 1)
        raise TooMuchText

    def mentions(self, word: str) -> bool:
        """Whether a word stands here, whatever stands around it."""
        if word.isascii():
            return word in self.words
        self.work += len(self.text)
        return word in self.text

    def _cuts(self, place: int) -> bool:
        """Whether a place is within a number, so that nothing begins or ends there."""
        starts, reach = self._uncut
        before = bisect_left(starts, place)
        return before > 0 and reach[before - 1] > place


class Source:
    """One thing that was told, or as much of it as there is room for; `echo` is what it may only be repeating."""

    def __init__(self, told: Iterable[Any], most: int, echo: Echo | None = None) -> None:
        """At most so many characters of texts and numbers."""
        self.cut = False
        self.size = 0
        self._echo = echo
        self._exact = dict[int, Any]()
        kind, plain, otherwise = list[str](), list[str](), list[str]()
        for scalar in told:
            if is_number(scalar):
                self._exact[len(kind)] = scalar
            raw = number_text(scalar) if is_number(scalar) else str(scalar)
            room = max(most - self.size, 0)
            part = kindly(raw[:room])
            self.cut = max(len(raw), len(part)) > room
            kind.append(part[:room])
            plain.append(composed(raw[:room]))
            otherwise.append(kindly(_otherwise(raw[:room])))
            self.size += len(kind[-1]) + 1
            if self.cut:
                break
        self._kind, as_told = SourceText(kind, flat), SourceText(plain, str.lower)
        self._otherwise = SourceText([one for one in otherwise if one], flat)
        self._readings = (self._kind,) if as_told.text == self._kind.text else (self._kind, as_told)

    @property
    def work(self) -> int:
        """The characters that were gone through."""
        echoed = 0 if self._echo is None else self._echo.work
        return echoed + self._otherwise.work + sum(reading.work for reading in self._readings)

    def has(self, piece: str) -> bool:
        """Whether it holds a piece that nothing around it belongs to."""
        return self._holds(piece, lambda text, end: not _runs_on(piece, text, end))

    def begins(self, piece: str, *, address: bool = False) -> bool:
        """Whether it holds a piece that a path may go on behind; an `address` stands there without a scheme."""

        def ends(text: str, end: int) -> bool:
            return text[end : end + 1] in "/?#&=\\" or not _runs_on(piece, text, end)

        return self._holds(piece, ends, lambda text, start: not (address and text[max(start - 3, 0) : start] == "://"))

    def mentions(self, word: str) -> bool:
        """Whether it holds a word, whatever stands around it, and where a reader does not see it."""
        held = any(reading.mentions(word) for reading in (*self._readings, self._otherwise))
        return held and not self._repeats(word)

    def mentions_number(self, value: Any) -> bool:
        """Whether it holds a number, whatever stands around it, its sign included."""
        size = abs(Decimal(value))
        held = any((one, NUMBER) in self._numbers for one in (size, -size)) or self._holds_otherwise(size)
        if held and not (self._echo is not None and self._echo.repeats_number(value)):
            return True
        return self.mentions(number_text(size))

    def _holds_otherwise(self, size: Decimal) -> bool:
        return any(abs(reading) == size for here in self._otherwise.numbers for one in here for reading in one.readings)

    def has_number(self, value: Any, counts: str = NUMBER) -> bool:
        """Whether it holds a number, however it is written: with its sign, and beside no other currency."""
        number = Decimal(value)
        held = (number, counts) in self._numbers or (counts not in (NUMBER, TEXT) and (number, ANY) in self._numbers)
        return held and not (self._echo is not None and self._echo.repeats_number(value))

    def has_currency(self, currency: str, piece: str) -> bool:
        """Whether it holds a number of a currency; `piece` is how that was asked for."""
        return any(one.counts == currency for one in self._written()) and not self._repeats(piece)

    def has_long(self, digits: str) -> bool:
        """Whether it holds a long number, parted in whatever way: an account, a phone number, a card."""
        return digits in self._long and not self._repeats(digits)

    @cached_property
    def _numbers(self) -> Set[tuple[Decimal, str]]:
        found = {(Decimal(one), how) for one in self._exact.values() for how in (NUMBER, TEXT, ANY)}
        for one in self._written():
            for reading in one.readings:
                found.add((reading, NUMBER))
                if one.alone:
                    found |= {(reading, TEXT), (reading, one.counts or ANY)}
        return found

    @cached_property
    def _long(self) -> Set[str]:
        found = {str(one) for one in self._exact.values() if isinstance(one, int) and one >= 10 ** (MIN_LONG - 1)}
        for one in self._written():
            if one.long:
                found |= {one.long, one.long.removeprefix("+")}
        return found

    def _written(self) -> Iterator[Numeral]:
        """The numbers in what was written; those that were numbers are exact."""
        for part, here in enumerate(self._kind.numbers):
            if part not in self._exact:
                yield from here

    def _holds(
        self,
        piece: str,
        ends: Callable[[str, int], bool],
        begins: Callable[[str, int], bool] = lambda text, start: True,
    ) -> bool:
        if not any(map(str.isalnum, piece)):
            return False
        held = any(reading.stands(piece, ends, begins) for reading in self._readings)
        return held and not self._repeats(piece)

    def _repeats(self, piece: str) -> bool:
        return self._echo is not None and self._echo.repeats(piece)


def scalars(value: Any, fields: Set[str] = frozenset()) -> Iterator[Any]:
    """The texts and numbers of a value, and its keys but for those that are `fields`: names that an author gave."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in fields:
                yield key
            yield from scalars(item, fields)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from scalars(item, fields)
    elif value not in (None, "") and not isinstance(value, bool):
        yield value


def _otherwise(text: str) -> str:
    """What a text holds out of sight, and what it is without its tags: nothing that vouches."""
    bare = untagged(text)
    return "\n".join((hidden(text), bare)) if bare != text else ""


def _beside_digit(text: str, start: int, end: int) -> bool:
    """Whether a digit stands right before a piece or right behind it, or beyond one mark."""
    return any(map(str.isdigit, text[max(start - 3, 0) : start] + text[end : end + 3]))


def _runs_in(piece: str, text: str, start: int) -> bool:
    """Whether what stands before a piece belongs to it."""
    if not start:
        return False
    first, before, further = piece[0], text[start - 1], text[start - 2 : start - 1]
    if one_word(before, first):
        return True
    if first in _STROKES:
        return before not in _BEFORE_PATHS and not (before == ":" and piece.startswith("//"))
    if wordy(before):
        return first in _GOES_ON
    if before in _STROKES:
        return text[start - 3 : start] != "://"
    if before == ".":
        return text[start - 3 : start] != "..."
    if before in MARKUP:
        further = beyond_markup(text, start - 1, -1)
    return before in _GOES_ON and bool(further) and wordy(further)


def _runs_on(piece: str, text: str, end: int) -> bool:
    """Whether what stands behind a piece belongs to it."""
    last, behind, further = piece[-1], text[end : end + 1], text[end + 1 : end + 2]
    if not behind:
        return False
    if one_word(last, behind):
        return True
    if wordy(behind):
        return last in _GOES_ON or last in _STROKES
    if not further:
        return False
    if behind in _STROKES:
        return wordy(further) or further in _PATH_GOES_ON
    if behind in "'’" and further == "s" and not wordy(text[end + 2 : end + 3] or " "):
        return False
    if behind in MARKUP:
        further = beyond_markup(text, end, 1)
    # an escape is of the word that it is in
    return text[end : end + 2] == "&#" or (behind in _GOES_ON and bool(further) and wordy(further))
