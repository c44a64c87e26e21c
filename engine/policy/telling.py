"""What a session was told, as text in which values are looked for: whole, as numbers, and parted as people do.

What was told is read as it stands, and kindly: with escapes and markup undone, in one form for look-alikes.  A value
is looked for as it is, but for case and composition: what only looks like what was told was not told.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

from engine.policy.arithmetic import is_number
from engine.policy.value import number_text

MAX_TRIES = 1_000
MAX_NUMBERS = 20_000
MIN_SPREAD, MAX_SPREAD = 7, 64
MAX_DIGITS = 40
SIGNS = frozenset("-\u2212")

_NOTHING = re.compile("[\0\u200b-\u200f\u2028-\u202e\u2060\ufeff\u00ad]")
_SPACE = re.compile(r"\s+")
_WRITTEN_OUT = re.compile(r"\\u([0-9a-fA-F]{4})")
_LINE_ENDS = re.compile(r"\\[nrt]")
_ESCAPES = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_ENTITY = re.compile(r"&#?\w{2,8};")
_MARKUP = re.compile(r"(?<!\w)[_*`~]+(?=\w)|(?<=[^\W_])[_*`~]+(?!\w)")
_TOKEN = re.compile(r"\w+")
_PARTING = re.compile(r"[ .\-()/]")
_LETTERS = re.compile(r"[^\W\d_]{5,}")
_DIGITS = r"\d{1,3}(?:[ '’]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*"
_CODES = "usd|eur|gbp|jpy|inr|cny|cad|aud|nzd|chf|sek|nok|dkk|pln|czk|huf|brl|mxn|krw|sgd|hkd|zar|try"
_CURRENCY = f"[$€£¥₹]|(?:{_CODES})(?![a-z])"
_SYMBOLS = {"$": "usd", "€": "eur", "£": "gbp", "¥": "jpy", "₹": "inr"}

# what a number counts that stands beside no currency
ANY = "any"
_NUMBER = re.compile(rf"(?:(?<!\w)(?<!\d[.,])[a-z]{{1,3}}\.?|(?<!\w)(?<!\d[.,]))({_DIGITS})(?=[a-z]{{1,3}}\b|\b)")
_AMOUNT = re.compile(rf"(?:([-\u2212])? ?({_CURRENCY})? ?|({_CURRENCY})? ?([-\u2212])?)({_DIGITS}) ?({_CURRENCY})?")
# what stands before a number: a sign, unless the dash joins it to something; and what it counts
_BEFORE = re.compile(rf"(?:(?<!\w)([-\u2212]))?({_CURRENCY})? ?(?:(?<!\w)([-\u2212]))?\Z")
_BEHIND = re.compile(rf" ?({_CURRENCY})(?!\w)")
_NAME = re.compile(r"[A-Za-z_]\w*\Z")

# between the parts of what was told, so that nothing is found across them
_WALL = "\n\0\n"

# what goes on behind one of these belongs to the same address, name or number
_GOES_ON = ".-+@_\\'’"


class TooMuch(Exception):
    """The bound on the work for one question is reached."""


class Source:
    """One thing that was told, or as much of it as there is room for; `echo` is what it may only be repeating."""

    def __init__(self, value: Any, most: int, echo: Source | None = None, *, names: bool = False) -> None:
        """At most so many characters of a value, and with `names` also the keys that look like names of fields."""
        self.work = 0
        self.cut = False
        self._echo = echo
        self._parts: list[str] = []
        plain: list[str] = []
        self.size = 0
        for scalar in scalars(value, names=names):
            raw = number_text(scalar) if is_number(scalar) else str(scalar)
            raw, self.cut = raw[: most - self.size], self.cut or len(raw) > most - self.size
            part = normal(raw)
            self._parts.append(part)
            plain.append(as_it_is(raw))
            self.size += len(part) + 1
            if self.cut:
                break
        self._text = _WALL.join(self._parts)
        as_told = _WALL.join(plain)
        self._texts = (self._text,) if as_told == self._text else (self._text, as_told)
        self._words: dict[str, frozenset[str]] = {}
        self._numbers: frozenset[tuple[Decimal, str]] | None = None
        self._bare: tuple[str, list[int]] | None = None

    def has(self, piece: str) -> bool:
        """Whether it holds a piece that nothing around it belongs to."""
        return self._holds(piece, lambda text, end: not _runs_on(piece, text, end)) and not self._repeats(piece)

    def begins(self, piece: str) -> bool:
        """Whether it holds a piece that a path may go on behind."""

        def ends(text: str, end: int) -> bool:
            return text[end : end + 1] in "/?#&=\\" or not _runs_on(piece, text, end)

        return self._holds(piece, ends) and not self._repeats(piece)

    def mentions(self, word: str) -> bool:
        """Whether it holds a word, whatever stands around it."""
        return any(word in self._words_of(text) for text in self._texts)

    def has_spread(self, value: str) -> bool:
        """Whether it holds a long number, parted in another way: an account, a phone number, a card."""
        if value[:1] in SIGNS:
            return False
        wanted = _PARTING.sub("", value)
        if not (MIN_SPREAD <= len(wanted) <= MAX_SPREAD and wanted.isalnum()) or _LETTERS.search(wanted):
            return False
        if 5 * sum(char.isdigit() for char in wanted) < 3 * len(wanted):
            return False
        bare, places = self._bare_text()
        self.work += len(bare)
        start = bare.find(wanted)
        for _ in range(MAX_TRIES):
            if start < 0:
                return False
            first, last = places[start], places[start + len(wanted) - 1]
            if not (_number_before(self._text, first) or _number_after(self._text, last + 1)):
                return not self._repeats(wanted)
            start = bare.find(wanted, start + 1)
        raise TooMuch

    def has_number(self, value: Any, counts: str = "") -> bool:
        """Whether it holds a number, however it is written: with its sign, and if it `counts` something, that."""
        if self._numbers is None:
            self.work += self.size
            found = list(islice(_NUMBER.finditer(self._text), MAX_NUMBERS + 1))
            if len(found) > MAX_NUMBERS:
                raise TooMuch
            self._numbers = frozenset(told for one in found for told in _told(self._text, one))
        held = (Decimal(value), counts) in self._numbers or (bool(counts) and (Decimal(value), ANY) in self._numbers)
        return held and not (self._echo is not None and self._echo.has_number(value))

    def _holds(self, piece: str, ends: Callable[[str, int], bool]) -> bool:
        """Whether a piece stands here where it begins a word and ends as it is to."""
        tokens = _TOKEN.findall(piece)
        # writing without spaces has no words to look for first
        return bool(tokens) and any(
            self._stands(piece, text, ends)
            for text in self._texts
            if not piece.isascii() or self._words_of(text).issuperset(tokens)
        )

    def _stands(self, piece: str, text: str, ends: Callable[[str, int], bool]) -> bool:
        self.work += self.size
        start = text.find(piece)
        for _ in range(MAX_TRIES):
            if start < 0:
                return False
            if not _runs_in(piece, text, start) and ends(text, start + len(piece)):
                return True
            start = text.find(piece, start + 1)
        raise TooMuch

    def _repeats(self, piece: str) -> bool:
        """Whether all of a piece is what the call was given: that is no evidence."""
        echo = self._echo
        if echo is None:
            return False
        piece = normal(piece)
        letters = _letters(piece)
        run_together = len(letters) >= MIN_SPREAD and any(letters in _letters(part) for part in echo._parts)
        return run_together or echo._words_of(echo._text).issuperset(_TOKEN.findall(piece))

    def _words_of(self, text: str) -> frozenset[str]:
        if text not in self._words:
            self.work += self.size
            self._words[text] = frozenset(_TOKEN.findall(text))
        return self._words[text]

    def _bare_text(self) -> tuple[str, list[int]]:
        """The text without what parts numbers, and where each of its characters stands."""
        if self._bare is None:
            places = [at for at, char in enumerate(self._text) if char not in " .-()/"]
            self._bare = "".join([self._text[at] for at in places]), places
        return self._bare


def scalars(value: Any, *, names: bool = False) -> Iterator[Any]:
    """The texts and numbers of a value, and its keys: those that look like names of fields only where asked for."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if names or not _NAME.match(key):
                yield key
            yield from scalars(item, names=names)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from scalars(item, names=names)
    elif value not in (None, "") and not isinstance(value, bool):
        yield value


def as_it_is(text: str) -> str:
    """A value, or what was told, as it stands: without its case, and accents composed with their letters."""
    return unicodedata.normalize("NFC", text).lower()


def normal(text: str) -> str:
    """What was told, read kindly: one form for look-alikes, no case, escapes and markup undone, single spaces."""
    if "\\" in text:
        text = _WRITTEN_OUT.sub(lambda found: chr(int(found[1], 16)), _LINE_ENDS.sub(" ", text))
    if "%" in text:
        text = _ESCAPES.sub(_unescaped, text)
    if "&" in text and _ENTITY.search(text):
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = _NOTHING.sub("", text.lower())
    if "_" in text or "*" in text or "`" in text or "~" in text:
        text = _MARKUP.sub("", text)
    return _SPACE.sub(" ", text).strip()


def number_written(text: str) -> tuple[Decimal, str] | None:
    """The number that a text is, if it is one, and what it says that it counts."""
    found = _AMOUNT.fullmatch(text) if len(text) <= MAX_DIGITS else None
    number = next(_readings(found[5]), None) if found is not None else None
    if found is None or number is None:
        return None
    counts = {_SYMBOLS.get(one, one) for one in (found[2], found[3], found[6]) if one}
    signed = -number if found[1] or found[4] else number
    # of two things that it counts nobody has told both
    return signed, next(iter(counts), "") if len(counts) < 2 else " ".join(sorted(counts))


def _told(text: str, found: re.Match[str]) -> Iterator[tuple[Decimal, str]]:
    """What a number in a text may mean, with its sign: alone, and with each thing that it may count."""
    before = _BEFORE.search(text, max(found.start(1) - 6, 0), found.start(1))
    behind = _BEHIND.match(text, found.end(1))
    sign = -1 if before is not None and (before[1] or before[3]) else 1
    near = (before[2] if before is not None else None, behind[1] if behind is not None else None)
    counts = {_SYMBOLS.get(one, one) for one in near if one} or {ANY}
    for number in _readings(found[1]):
        for one in ("", *counts):
            yield sign * number, one


def _unescaped(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "replace")


def _readings(written: str) -> Iterator[Decimal]:
    """What a written number may mean, the likeliest first: a comma or a point may part the thousands or the cents."""
    if len(written) > MAX_DIGITS:
        return
    groups = re.split(r"[ '’]", written)
    plain = "".join(groups)
    commas, points = plain.count(","), plain.count(".")
    if commas and points:
        last = max(plain.rfind(","), plain.rfind("."))
        yield Decimal(re.sub(r"[.,]", "", plain[:last]) + "." + plain[last + 1 :])
    elif commas + points == 0:
        yield Decimal(plain)
    else:
        mark = "," if commas else "."
        parts = plain.split(mark)
        thousands = all(len(part) in (2, 3) for part in parts[1:]) and len(parts[-1]) == 3 and len(parts[0]) <= 3
        if mark == "." and points == 1:
            yield Decimal(plain)
        if thousands:
            yield Decimal("".join(parts))
        if mark == "," and commas == 1:
            yield Decimal(plain.replace(",", "."))
        if commas > 1 and not thousands:
            yield from (Decimal(part) for part in parts)
    if len(groups) > 1:
        yield from (Decimal(group) for group in groups if group.isdigit())


def _letters(text: str) -> str:
    return "".join(_TOKEN.findall(text))


def _wordy(char: str) -> bool:
    """Whether a character belongs to a word with its neighbours; writing without spaces has no such words."""
    return char == "_" or (char.isalnum() and (char.isascii() or char.isdigit() or char.lower() != char.upper()))


def _runs_in(piece: str, text: str, start: int) -> bool:
    """Whether what stands before a piece belongs to it."""
    if not start:
        return False
    before, further = text[start - 1], text[start - 2 : start - 1]
    if before in SIGNS and piece[0].isdigit() and not (further and _wordy(further)):
        return True
    if _wordy(before):
        return _wordy(piece[0]) or piece[0] in "/\\."
    parts = before in _GOES_ON or (before == "/" and piece[0] != "/") or (before in ",." and piece[0].isdigit())
    if not parts or not further or not _wordy(further):
        return False
    return further.isdigit() if before == "," else True


def _runs_on(piece: str, text: str, end: int) -> bool:
    """Whether what stands behind a piece belongs to it."""
    if end >= len(text):
        return False
    behind, further = text[end], text[end + 1 : end + 2]
    if _wordy(behind):
        return _wordy(piece[-1])
    parts = behind in _GOES_ON or behind in "/\\" or (behind == "," and piece[-1].isdigit() and further.isdigit())
    return parts and bool(further) and _wordy(further)


def _number_before(text: str, start: int) -> bool:
    """Whether a long number begins before this place."""
    before, further = text[max(start - 1, 0) : start], text[max(start - 2, 0) : max(start - 1, 0)]
    if before and before in SIGNS and not further.isalnum():
        return True
    return bool(before) and (before.isalnum() or (before in " .-/" and further.isdigit()))


def _number_after(text: str, end: int) -> bool:
    before, further = text[end : end + 1], text[end + 1 : end + 2]
    return bool(before) and (before.isalnum() or (before in " .-/" and further.isdigit()))
