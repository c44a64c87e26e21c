"""What stands near a number and bears on it, through blanks, markup, brackets and commas: a sign, a scale, a currency.

Beyond what stands right beside a number, the nearest thing on each side counts that says anything.  A sign or a scale
there makes the number another one; a currency is the number's, unless another number is nearer to it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from engine.language.provenance.adjacent_currencies import char_at, currency_behind, only_names, signed_before
from engine.language.provenance.currencies import in_country, is_sign, of_country, of_joined, of_letters, of_word
from engine.language.provenance.markup import BLOCKS
from engine.language.provenance.number_words import FILLERS, JOINERS, MARKS, negates, scale_of, scales, scales_money
from engine.language.provenance.scripts import wordy

HYPHENS = frozenset("-\u2212")
DASHES = HYPHENS | frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2796\u02d7")
RULES = frozenset("\u2013\u2014\u2015")

# how much a gap holds apart: nothing, blanks, markup and the like, brackets and the like, the end of a line
_NONE, _BLANK, _SOFT, _HARD, _LINE = range(5)
_WEIGHTS = {
    **dict.fromkeys(" \t", _BLANK),
    **dict.fromkeys("*_~`\\\"'’‘“”«»„‹›:=", _SOFT),
    **dict.fromkeys("()[]{}<>/,;|、،؛•·◦▪●", _HARD),
    "\n": _LINE,
}
_PLAIN = frozenset(" \t\n*_~`\\\"'’‘“”«»„‹›")

# of what a page is only its blocks are left, without their attributes
_TAG = re.compile(r"<([a-z][a-z0-9]{0,9})>")
_LONGEST_TAG = 12

# what is paid with, and no sign
_CARD = re.compile(r"(?:credit|debit)[ -]cards?(?![^\W_])", re.IGNORECASE)

_MAX_FILLERS = 3
_MAX_WORD = 24


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What stands near a number on one side; `clear` unless that makes it another number.

    The currency that it `counts` is not its own beyond a line if it has one already.  It is added to a `scale` before
    it, as 500 is to `2k 500`.  `marks` are those that part it, but for markup.
    """

    clear: bool = True
    counts: str = ""
    country: str = ""
    line: bool = False
    scale: int = 0
    marks: str = ""


@dataclass(frozen=True, slots=True)
class _Gap:
    """What a number is parted by from what is near it, up to `at`, where that begins."""

    at: int
    weight: int = _NONE
    marks: str = ""
    cell: bool = False
    attached: bool = True


NOTHING_NEAR = Neighbour()
_UNCLEAR = Neighbour(clear=False)


def _parted(marks: str) -> Neighbour:
    return Neighbour(marks=marks) if marks else NOTHING_NEAR


def before(text: str, at: int) -> Neighbour:
    """What stands near a number before it, where what is joined to it begins."""
    gap = _gap(text, at - 1, -1)
    marks, first = gap.marks, True
    for _ in range(_MAX_FILLERS + 1):
        char = char_at(text, gap.at)
        if char in DASHES:
            if first and _sign_before(text, gap):
                return _UNCLEAR
            # what it lists or rules off may stand under something
            gap, first = _further(gap, _gap(text, gap.at - 1, -1)), False
            continue
        if char in MARKS:
            return _UNCLEAR
        if char and is_sign(char):
            return _counted_before(text, gap, gap.at, marks)
        if first and _joined(gap, char):
            return _UNCLEAR
        ended = char == "."
        word = _word(text, gap.at - ended, -1)
        if word and negates(word):
            return _UNCLEAR
        scale = _scale_before(text, gap, word, gap.at - ended) if first else 0
        if scale:
            return Neighbour(scale=scale, marks=marks)
        if ended or not word:
            return _parted(marks)
        found = _counted_before(text, gap, gap.at, marks)
        if found.counts or word.lower() not in FILLERS:
            return found
        gap, first = _further(gap, _gap(text, gap.at - len(word), -1)), False
    return _parted(marks)


def after(text: str, at: int) -> Neighbour:
    """What stands near a number behind it, where what is joined to it ends."""
    gap = _gap(text, at, 1)
    marks, first = gap.marks, True
    for _ in range(_MAX_FILLERS + 1):
        char = char_at(text, gap.at)
        if char in DASHES:
            if (first and _sign_behind(text, gap)) or scales(_word(text, gap.at + 1, 1) or char, apart=True):
                return _UNCLEAR
            beyond = _gap(text, gap.at + 1, 1)
            if beyond.weight > _NONE:
                break
            # what is joined to it: 480-EUR
            gap, first = _further(gap, beyond), False
            continue
        if char and is_sign(char):
            return _counted_behind(text, gap, marks)
        if char and unicodedata.category(char) == "No" and gap.weight <= _SOFT:
            return _UNCLEAR
        if first and (_joined(gap, char) or (not marks and text.startswith("000", gap.at))):
            return _UNCLEAR
        word = _word(text, gap.at, 1)
        if not word:
            break
        if _multiplies(text, gap, word) or _negates_behind(text, gap, word):
            return _UNCLEAR
        found = _counted_behind(text, gap, marks)
        if found.counts or word.lower() not in FILLERS:
            return found
        gap, first = _further(gap, _gap(text, gap.at + len(word), 1)), False
    return _parted(marks)


def _gap(text: str, at: int, step: int) -> _Gap:
    """What is gone through from a place on, up to something that says anything."""
    weight, marks, cell, attached = _NONE, "", False, True
    while 0 <= at < len(text):
        char = text[at]
        found = _tag(text, at, step) if char == ("<" if step > 0 else ">") else None
        if found is not None:
            weight, cell = _LINE, True
            at = found.end() if step > 0 else found.start() - 1
            continue
        if char not in _WEIGHTS or (char == ">" and char_at(text, at - 1) in (*DASHES, "=")):
            break
        weight = max(weight, _WEIGHTS[char])
        attached = attached and char not in " \t\n"
        cell = cell or char == "|"
        marks += "" if char in _PLAIN else char
        at += step
    return _Gap(at, weight, marks, cell, attached)


def _tag(text: str, at: int, step: int) -> re.Match[str] | None:
    """The tag of a block that begins or ends at a place."""
    start = at if step > 0 else text.rfind("<", max(at - _LONGEST_TAG, 0), at)
    found = _TAG.match(text, start, start + _LONGEST_TAG) if start >= 0 else None
    if found is None or found[1] not in BLOCKS or not (step > 0 or found.end() == at + 1):
        return None
    return found


def _joined(gap: _Gap, char: str) -> bool:
    """Whether only markup parts a number from what it is a part of, as in `12<b>480</b>`."""
    return gap.weight == _SOFT and gap.attached and not (gap.marks or gap.cell) and bool(char) and wordy(char)


def _further(one: _Gap, other: _Gap) -> _Gap:
    return replace(other, weight=max(one.weight, other.weight, _SOFT), cell=one.cell or other.cell)


def _word(text: str, at: int, step: int) -> str:
    """The letters at a place and on, with their accents; empty if there are none, or far too many."""
    end = at
    while 0 <= end < len(text) and _letter(text[end]) and abs(end - at) <= _MAX_WORD:
        end += step
    word = text[at:end] if step > 0 else text[end + 1 : at + 1]
    return word if len(word) <= _MAX_WORD else ""


def _letter(char: str) -> bool:
    return char.isalpha() or (not char.isascii() and unicodedata.category(char)[0] == "M")


# -- signs


def _sign_before(text: str, gap: _Gap) -> bool:
    """Whether a dash before a number may be its sign: it is none that lists, rules, joins lines or stands in a cell."""
    start, close = gap.at, char_at(text, gap.at + 1)
    if gap.weight <= _BLANK and close != "\t":
        # nothing, or one space: that was looked at beside the number
        return False
    while char_at(text, start - 1) in DASHES:
        start -= 1
    spaced = char_at(text, start - 1) in ("", " ", "\t", "\n")
    if gap.cell or (start < gap.at and gap.weight == _LINE):
        return False
    line = text.rfind("\n", max(start - _MAX_WORD, 0), start) + 1
    begins = (line or start <= _MAX_WORD) and not text[line:start].strip(" \t>*_")
    if begins and gap.weight < _LINE and close in " \t":
        return False
    ahead = text[max(start - 3, 0) : start].rstrip()[-1:]
    if text[gap.at] in RULES and spaced and close in " \t\n" and ahead not in ":=":
        return False
    return not (spaced and ahead.isdigit() and gap.weight < _LINE)


def _sign_behind(text: str, gap: _Gap) -> bool:
    """Whether a dash behind a number may be its sign: it is none where something follows that it joins or rules off."""
    end = gap.at
    while char_at(text, end + 1) in DASHES:
        end += 1
    ahead, next_ = char_at(text, gap.at - 1), char_at(text, end + 1)
    if gap.weight == _LINE or gap.cell or next_ == ">" or ahead in (":", ";"):
        return False
    if not gap.attached and end > gap.at:
        return False
    if ahead not in " \t" and next_ and next_ not in " \t\n" and _WEIGHTS.get(next_) and not gap.attached:
        return True
    further = _gap(text, end + 1, 1)
    follows = further.weight < _LINE and further.at < len(text)
    return not (follows and (further.attached or not gap.attached))


def _negates_behind(text: str, gap: _Gap, word: str) -> bool:
    """Whether a word behind a number makes it negative; on another line only one that is nothing else."""
    if not negates(word, behind=True) or _CARD.match(text, gap.at):
        return False
    if gap.weight < _LINE:
        return True
    further = _gap(text, gap.at + len(word), 1)
    return negates(word) and not char_at(text, further.at).isdigit()


# -- scales


def _multiplies(text: str, gap: _Gap, word: str) -> bool:
    """Whether a word behind a number is a scale; a letter is none that lists what follows."""
    apart, next_ = gap.weight > _SOFT, char_at(text, gap.at + 1)
    if len(word) == 1 and ((apart and next_ in (".", ":")) or (next_ == ")" and (apart or word not in "kK"))):
        return False
    return scales(word, apart=apart) or bool(of_joined(word)) or multiplies_money(text, word, gap.at + len(word))


def multiplies_money(text: str, word: str, end: int) -> bool:
    """Whether a word that ends at a place is a scale because a currency stands behind it: `480 tr đồng`."""
    return scales_money(word) and bool(currency_behind(text, end + (char_at(text, end) == "."))[0])


def _scale_before(text: str, gap: _Gap, word: str, at: int) -> int:
    """By how much the number before is multiplied that this one is added to, as in `2k 500` or `two hundred and 80`."""
    if gap.weight > _SOFT:
        return 0
    if word.lower() in JOINERS:
        further = _gap(text, at - len(word), -1)
        word, at = (_word(text, further.at, -1), further.at) if further.weight <= _SOFT else ("", at)
    if not word or not scales(word):
        return 0
    if len(word) < 3 and word.isascii() and not char_at(text, at - len(word)).isdigit():
        return 0
    return scale_of(word) or (1_000 if word.lower() == "k" else 1_000_000)


# -- currencies


def _counted_before(text: str, gap: _Gap, at: int, marks: str) -> Neighbour:
    """The currency before a number that ends at a place."""
    sign = char_at(text, at)
    if is_sign(sign):
        counts, start = signed_before(text, at + 1)
    else:
        word = _word(text, at, -1)
        start = at + 1 - len(word)
        sign = char_at(text, start - 1)
        dollars = is_sign(char_at(text, at + 2)) if at + 2 < len(text) else False
        counts = "" if dollars and only_names(text, start, word, " ", at + 2) else of_word(word, ahead=True)
        if not counts and sign and is_sign(sign):
            counts = of_country(word, sign) or (of_letters(word, sign) if len(word) <= 3 and word.isupper() else "")
    return _owned(text, gap, _gap(text, start - 1, -1), counts, marks) if counts else _parted(marks)


def _counted_behind(text: str, gap: _Gap, marks: str) -> Neighbour:
    """The currency behind a number that begins where the gap ends."""
    counts, end = currency_behind(text, gap.at)
    if counts:
        return _owned(text, gap, _gap(text, end, 1), counts, marks)
    country = in_country(text[gap.at : gap.at + _MAX_WORD]) if gap.weight < _LINE else ""
    return Neighbour(country=country, marks=marks) if country else _parted(marks)


def _owned(text: str, gap: _Gap, beyond: _Gap, counts: str, marks: str) -> Neighbour:
    """A currency, unless it is parted less from another number."""
    others = char_at(text, beyond.at).isdigit() and beyond.weight < gap.weight
    return _parted(marks) if others else Neighbour(counts=counts, line=gap.weight == _LINE, marks=marks)
