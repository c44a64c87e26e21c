"""What a call was given, compared loosely: what its output only repeats of it is no evidence.

Repeating something otherwise (in other letters, with other signs, in another notation, in escapes, with a scheme before
it or without its markup) is repeating it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from engine.language.arithmetic import is_number
from engine.language.provenance.currencies import currency_word, is_sign, of_code, of_sign, of_word
from engine.language.provenance.escapes import forms
from engine.language.provenance.numerals import numerals
from engine.language.provenance.spelling import kindly, loosely, words
from engine.language.value import number_text

# from how many letters on what is run together may stand within something longer
MIN_RUN = 7

# how many addresses and long numbers within one value are compared
MOST_PARTS = 100

# what reading one number takes, and each character of a text in one form, in characters that are gone through
READING, FORM = 400, 5

# numbers as programs write them, of letters that are small
_NOTATION = re.compile(
    r"(?<![\w.])(?:0x[0-9a-f]{1,16}|0b[01]{1,64}|0o[0-7]{1,22}|[0-9]{1,20}(?:[.,][0-9]{1,20})?e[+-]?[0-9]{1,2})(?!\w)"
)

# what stands before an address and says nothing of whose it is, and the port that is meant anyhow
_SCHEMES = re.compile(
    r"(?:[a-z][a-z0-9+.-]{0,20}:/+|(?:mailto|tel|sms|smsto|callto|sips?|xmpp|skype|view-source):)+", re.IGNORECASE
)
_WWW = re.compile(r"www[0-9]?\.", re.IGNORECASE)
_PORT = re.compile(r":(?:80|443)(?![0-9])")
# a host with a path behind it, and whom it is asked as
_URL = re.compile(r"(?:[^\s/?#@\\]*@)?(?P<host>[^\s/?#@:\\]+\.[^\s/?#@:\\]+)(?::[0-9]+)?[/?#\\]")
# what parts an address from words beside it, and what looks like one
_APART = re.compile(r"[\s,;()<>\"|]+")
_ADDRESS = re.compile(r"[^\W_]@[^\W_]|[^\W_]\.[^\W\d_]{2}|://")

_WALL = "\0"


class Echo:
    """The texts and numbers that a call was given, or as much of them as there is room for."""

    def __init__(self, scalars: Iterable[Any], most: int) -> None:
        self.work = 0
        self.cut = False
        self.size = 0
        self._words = set[str]()
        self._runs = set[str]()
        self._digits = set[str]()
        self._currencies = set[str]()
        letters: list[str] = []
        for scalar in scalars:
            raw = number_text(scalar) if is_number(scalar) else str(scalar)
            room = max(most - self.size, 0)
            raw, self.cut = raw[:room], len(raw) > room
            self.size += len(raw) + 1
            letters.append(self._take_in(raw))
            if self.cut:
                break
        self._letters = _WALL.join(letters)

    def repeats(self, piece: str) -> bool:
        """Whether a piece is what was given: its words, its letters run together, or the address within it.

        A scheme before an address is nothing new.
        """
        parts = [one for one in _APART.split(piece) if _ADDRESS.search(one) or _SCHEMES.match(one)]
        longs = [one.long for one in numerals(piece) if one.long]
        self.work += READING * len(longs)
        # so much of addresses is not looked at, and vouches for nothing
        return len(parts) + len(longs) > MOST_PARTS or any(
            map(self._was_input, [piece, *longs, *map(_addressed, parts)])
        )

    def repeats_number(self, value: Any) -> bool:
        """Whether a number is what was given, whatever its sign and notation."""
        return _plain(number_text(abs(Decimal(value)))) in self._digits

    def _was_input(self, piece: str) -> bool:
        """Whether each word of a text was given, or its letters run together, in whatever escapes."""
        return any(map(self._holds, forms(piece)))

    def _holds(self, form: str) -> bool:
        self.work += FORM * len(form)
        found = words(loosely(form))
        letters = "".join(found)
        if not letters:
            return of_code(form) in self._currencies
        if self._words.issuperset(found) or letters in self._runs or of_code(form) in self._currencies:
            return True
        self.work += len(self._letters)
        return len(letters) >= MIN_RUN and letters in self._letters

    def _take_in(self, raw: str) -> str:
        """The letters of a text or a number; what it may be compared with is noted, and what it holds in escapes."""
        return _WALL.join(map(self._note, forms(raw)))

    def _note(self, raw: str) -> str:
        text = loosely(raw)
        self._words.update(words(text))
        letters = "".join(words(text))
        for run in (letters, *("".join(words(chunk)) for chunk in text.split())):
            self._runs.add(run)
            self._digits.add(_plain(run))
        for one in numerals(kindly(raw)):
            self._digits.update(_plain(number_text(abs(reading))) for reading in one.readings)
            self._digits.add(_plain(one.long))
            self._currencies.add(one.counts)
        self._digits.update(_plain(number_text(_value(found[0]))) for found in _NOTATION.finditer(text))
        self._currencies.update(currency_word(of_word(word)) for word in words(text))
        self._currencies.update(currency_word(of_sign(char)) for char in text if is_sign(char))
        self._currencies.discard("")
        return letters


def hosts(text: str) -> Iterator[str]:
    """The hosts of the URLs in a text that have a path behind it."""
    for part in _APART.split(text):
        found = _URL.match(_without_scheme(part))
        if found is not None:
            yield found["host"]


def _addressed(part: str) -> str:
    """What an address names, without a scheme."""
    bare = _without_scheme(part)
    www = _WWW.match(bare)
    return _PORT.sub("", bare if www is None else bare[www.end() :])


def _without_scheme(part: str) -> str:
    scheme = _SCHEMES.match(part)
    return part if scheme is None else part[scheme.end() :]


def _value(written: str) -> Decimal:
    """The value of a number in another notation: 4.8e2, 0x1e0."""
    return Decimal(int(written, 0)) if written[1] in "xbo" else Decimal(written.replace(",", "."))


def _plain(text: str) -> str:
    """The digits of a text that count, as those of a whole number."""
    digits = "".join(filter(str.isdecimal, text))
    return digits.lstrip("0") or digits[:1]
