"""What stands beside a number and belongs to it (sign, currency, unit), or makes it no number.

What is known to stand beside numbers is listed; beside anything else a number is a part of something.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from engine.language.provenance.adjacent_currencies import WORDS, char_at, currency_before, currency_behind, word_before
from engine.language.provenance.currencies import is_code, is_sign, of_word
from engine.language.provenance.near_numbers import (
    DASHES,
    HYPHENS,
    NOTHING_NEAR,
    RULES,
    Neighbour,
    after,
    before,
    multiplies_money,
)
from engine.language.provenance.number_words import LABELS, SCALES, SUFFIXES, UNITS, scale_of, scales
from engine.language.provenance.scripts import MARKUP, beyond_markup, unspaced, wordy

_OPENING = frozenset('([{<>"“”„‟‘‚«»‹›|;:=#&!?≈≤≥/×→§¿¡、。・「『')
_CLOSING = frozenset(')]}<>"“”„‟‘‚«»‹›|;:=#&!?/×→、。・」』')
_BLANKS = frozenset(" \t\n\r")

# 480,- and 480.-- and 480:- and 480/- are 480 with no cents
_EVEN = re.compile(r"(?:[.,][-\u2012-\u2015]{1,2}|[:/]-)(?![\w)])")
# markup between the digits of a number and its point, or between that and what goes on: `<x>480</x>.99`, `1,**480**`
_MARKED = r"(?:[*_~`]|<[^<>]{1,60}>|\]\([^()]{0,60}\))"
_CUT_BEHIND = re.compile(rf"(?:{_MARKED}++[.,]{_MARKED}*+|[.,](?:(?!<){_MARKED})++)[0-9]")
_CUT_BEFORE = re.compile(rf"[0-9](?:{_MARKED}++[.,]{_MARKED}*+|[.,](?:(?!<){_MARKED})++)\Z")
_LONGEST_CUT = 150
_CUTTING = frozenset("*_~`>).,")
# what a number goes on with: `2k 500`, `2 and a half`, `480 euros and 5 cents`
_AND = r"(?:(?:and|und|et|y|e|en|og|och|и|і|та|й)[ \t]+)"
_REST = re.compile(rf"[ \t*_~`]+{_AND}?(?P<rest>[0-9]+)(?![0-9.,])")
_HALF = re.compile(rf"[ \t]+{_AND}(?:an?[ \t]+)?(?:half|quarter|halb|halbe|demie?|medi[ao]|mezz[ao])(?!\w)")
_CENT = "cents?|ct|¢|pence|p|pennies|rappen|centimes|centavos|c[ée]ntimos|øre|öre|groszy|копе[а-я]*"
_CENTS = re.compile(rf"[ \t,]+{_AND}?[0-9]{{1,2}}[ \t]?(?:{_CENT})(?!\w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Side:
    """What stands on one side of a number and belongs to it, up to `at`; `clear` unless it makes it no number.

    A number that is `joined` to a unit or a word is a number still, and no id of its own.  A currency or a unit stands
    where `word` is; `near` is what stands beyond all that.
    """

    at: int
    minus: bool = False
    clear: bool = True
    joined: bool = False
    counts: str = ""
    factor: int = 1
    bracket: bool = False
    plus: bool = False
    word: tuple[int, int] | None = None
    near: Neighbour = NOTHING_NEAR


def left_of(text: str, at: int) -> Side:
    """What stands before a number that begins at a place."""
    if char_at(text, at - 1) in _CUTTING and _CUT_BEFORE.search(text, max(at - _LONGEST_CUT, 0), at):
        return Side(at, clear=False)
    side = _left_side(text, at)
    if not side.clear:
        return side
    near = before(text, side.at)
    return side if near is NOTHING_NEAR else replace(side, near=near, clear=near.clear)


def right_of(text: str, at: int) -> Side:
    """What stands behind a number that ends at a place."""
    if _CUT_BEHIND.match(text, at):
        return Side(at, clear=False)
    even = _EVEN.match(text, at)
    at = at if even is None else even.end()
    side = _right(text, at, even=even is not None)
    if not side.clear:
        return side
    near = after(text, side.at)
    # a scale stands before the currency too: 480 k€
    clear = near.clear and (side.factor != 1 or not side.counts or after(text, at).clear)
    clear = clear and not _goes_on(text, side)
    return side if near is NOTHING_NEAR and clear else replace(side, near=near, clear=clear)


def _goes_on(text: str, side: Side) -> bool:
    """Whether a number is only a part of what is written."""
    rest = _REST.match(text, side.at) if side.factor != 1 else None
    if rest is not None and len(rest["rest"]) < len(str(side.factor)):
        word = WORDS.match(text, rest.end())
        return word is None or not scales(word["first"])
    return bool(_HALF.match(text, side.at) or _CENTS.match(text, side.at))


def _left_side(text: str, at: int) -> Side:
    sign = _sign(text, at)
    counts, start = currency_before(text, sign.at)
    word = _stripped(text, start, sign.at) if counts else None
    if counts and not sign.minus and sign.clear:
        sign = _sign(text, start)
    start = min(start, sign.at)
    if sign.minus or sign.joined or not sign.clear:
        return Side(start, sign.minus, sign.clear, sign.joined, counts, word=word)
    ahead = char_at(text, start - 1)
    clear = _opens(text, start)
    plus = clear and ahead == "+"
    at = start - 1 if plus or not clear else start
    return Side(at, counts=counts, clear=clear, bracket=ahead == "(", plus=plus, word=word)


def _right(text: str, at: int, *, even: bool) -> Side:
    if even:
        counts, end = currency_behind(text, at)
        return Side(end, counts=counts, word=_stripped(text, at, end) if counts else None)
    scaled, factor = _scale(text, at)
    counts, end = currency_behind(text, scaled)
    joined, word = False, _stripped(text, scaled, end) if counts else None
    if not counts and factor == 1:
        end, joined = _unit(text, end)
        word = _stripped(text, scaled, end) if joined else None
        word = None if word is None or text[slice(*word)].lower() in SUFFIXES else word
    next_, further = char_at(text, end), char_at(text, end + 1)
    if next_ in DASHES and next_:
        if further and _dashed_money(text, end + 1):
            # 480,00-EUR may be below zero
            return Side(end, clear=False)
        if further and (wordy(further) or is_sign(further)):
            return Side(end, joined=True, counts=counts, factor=factor, word=word)
        minus = next_ in HYPHENS and further not in DASHES
        return Side(end + 1, minus, minus or next_ == "\u2014", joined, counts, factor, word=word)
    trailing = next_ == " " and further in HYPHENS and char_at(text, end + 2) in ("", "\n") and bool(further)
    clear = not trailing and _closes(text, end)
    return Side(end if clear else end + 1, False, clear, joined, counts, factor, bracket=next_ == ")", word=word)


def _dashed_money(text: str, at: int) -> bool:
    """Whether the sign or the code of a currency stands at a place, and joins nothing on: `480-€-Schein` is no sign."""
    word = WORDS.match(text, at)
    end = at + 1 if is_sign(text[at]) else word.end("first") if word is not None and is_code(word["first"]) else at
    behind, further = char_at(text, end), char_at(text, end + 1)
    joins = (behind in DASHES and further.isalpha()) or behind.isdigit() or (behind == " " and further.isdigit())
    return end > at and not joins


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    """Where something stands without the blanks and marks that part it from a number."""
    while start < end and text[start] in " (":
        start += 1
    while start < end and text[end - 1] in " :=.":
        end -= 1
    return start, end


def _sign(text: str, at: int) -> Side:
    """The sign that stands before a place: a dash, unless it is a bullet, or joins or parts."""
    spaced = char_at(text, at - 1) == " "
    dash = at - 2 if spaced else at - 1
    mark, before = char_at(text, dash), char_at(text, dash - 1)
    if not mark or mark not in DASHES:
        return Side(at)
    if before and before in DASHES:
        return Side(dash - 1, clear=False)
    if not spaced:
        word = word_before(text, dash)
        joined = bool(before) and wordy(before) and not of_word(word)
        return Side(at, joined=True) if joined else Side(dash, minus=True)
    further = char_at(text, dash - 2)
    bullet = before in ("", "\n") or (before in _BLANKS and further in ("", "\n"))
    ahead = further if before == " " else before
    if bullet or (mark in RULES and ahead not in (":", "=")) or (ahead and ahead.isdigit()):
        return Side(at)
    return Side(dash, clear=False) if wordy(ahead) else Side(dash, minus=True)


def _scale(text: str, at: int) -> tuple[int, int]:
    """Where a word ends by which a number is multiplied, and that."""
    found = WORDS.match(text, at)
    if found is None or "(" in found["gap"]:
        return at, 1
    word = found["first"]
    factor = scale_of(word)
    if not factor and not found["gap"]:
        factor = SCALES.get(word[0], 0)
        if factor:
            return at + 1, factor
        factor = 1_000 if word in ("k", "K") else 0
    return (found.end("first"), factor) if factor else (at, 1)


def _unit(text: str, at: int) -> tuple[int, bool]:
    """Where a unit ends that stands behind a number, and whether one does."""
    place = at + 1 if char_at(text, at) == " " else at
    if char_at(text, place) in ("%", "‰", "°"):
        return place + 1, True
    found = WORDS.match(text, at)
    # millions are written MM
    if found is None or found["first"] == "MM" or found["first"].lower() not in UNITS | SUFFIXES:
        return at, False
    if multiplies_money(text, found["first"], found.end("first")):
        return at, False
    # a letter alone is a unit only beside the number
    near = not found["gap"] or (found["gap"] == " " and len(found["first"]) > 1)
    return (found.end("first"), True) if near else (at, False)


def _opens(text: str, at: int) -> bool:
    """Whether a number may begin here, by what stands before it."""
    before, further = char_at(text, at - 1), char_at(text, at - 2)
    if not before or before in _BLANKS or before in _OPENING:
        return True
    if before in MARKUP:
        beyond = beyond_markup(text, at - 1, -1)
        return not beyond or not wordy(beyond)
    if before in "'’":
        return not further or not wordy(further)
    if before == ",":
        return bool(further) and not further.isdigit() and further not in _BLANKS
    if before == "+":
        return not further or further in _BLANKS or further == "("
    if before == "." or before.isalpha():
        word = word_before(text, at - (before == "."))
        return word.lower() in LABELS or (before != "." and unspaced(before))
    return unicodedata.category(before) in ("So", "Ps", "Pi", "Zs")


def _closes(text: str, at: int) -> bool:
    """Whether a number may end here, by what stands behind it."""
    behind, next_ = char_at(text, at), char_at(text, at + 1)
    if not behind or behind in _BLANKS or behind in _CLOSING:
        return True
    if behind in MARKUP:
        beyond = beyond_markup(text, at, 1)
        return not beyond or not wordy(beyond)
    if behind in ".'’":
        return not next_ or not wordy(next_)
    if behind == ",":
        return next_ not in DASHES
    if behind == "+":
        return not next_.isdigit()
    return unspaced(behind) or unicodedata.category(behind) in ("So", "Pe", "Pf", "Zs")
