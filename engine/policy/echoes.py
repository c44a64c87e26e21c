"""What a call was given, compared loosely: what its output only repeats of it is no evidence.

Repeating something otherwise (in other letters, with other signs, in another notation) is repeating it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from engine.policy.arithmetic import is_number
from engine.policy.currencies import is_sign, of_code, of_sign, of_word, told
from engine.policy.numerals import numerals
from engine.policy.spelling import kindly, loosely, words
from engine.policy.value import number_text

# from how many letters on what is run together may stand within something longer
MIN_RUN = 7

# how often a text is read that is escaped in itself, as `%2540` is an escape of an escape
MAX_ESCAPED = 4

# numbers as programs write them, of letters that are small
_NOTATION = re.compile(
    r"(?<![\w.])(?:0x[0-9a-f]{1,16}|0b[01]{1,64}|0o[0-7]{1,22}|[0-9]{1,20}(?:[.,][0-9]{1,20})?e[+-]?[0-9]{1,2})(?!\w)"
)

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
        """Whether all of a piece is what was given: each of its words, or its letters run together."""
        self.work += len(piece)
        found = words(loosely(piece))
        letters = "".join(found)
        if self._words.issuperset(found) or letters in self._runs or of_code(piece) in self._currencies:
            return True
        self.work += len(self._letters)
        return len(letters) >= MIN_RUN and letters in self._letters

    def repeats_number(self, value: Any) -> bool:
        """Whether a number is what was given, whatever its sign and notation."""
        return _plain(number_text(abs(Decimal(value)))) in self._digits

    def _take_in(self, raw: str) -> str:
        """The letters of a text or a number; what it may be compared with is noted, and what it holds in escapes."""
        letters = list[str]()
        for _ in range(MAX_ESCAPED):
            letters.append(self._note(raw))
            decoded = kindly(raw)
            if decoded == raw:
                break
            raw = decoded
        return _WALL.join(letters)

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
        self._currencies.update(told(of_word(word)) for word in words(text))
        self._currencies.update(told(of_sign(char)) for char in text if is_sign(char))
        self._currencies.discard("")
        return letters


def _value(written: str) -> Decimal:
    """The value of a number in another notation: 4.8e2, 0x1e0."""
    return Decimal(int(written, 0)) if written[1] in "xbo" else Decimal(written.replace(",", "."))


def _plain(text: str) -> str:
    """The digits of a text that count, as those of a whole number."""
    digits = "".join(filter(str.isdecimal, text))
    return digits.lstrip("0") or digits[:1]
