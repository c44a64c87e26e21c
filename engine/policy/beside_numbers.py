"""What stands beside a number and belongs to it (sign, currency, unit), or makes it no number.

What is known to stand beside numbers is listed; beside anything else a number is a part of something.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from engine.policy.currencies import both, is_sign, of_country, of_sign, of_word, of_words
from engine.policy.scripts import MARKUP, beyond_markup, unspaced, wordy

_HYPHENS = frozenset("-\u2212")
DASHES = _HYPHENS | frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2796\u02d7")
_RULES = frozenset("\u2013\u2014\u2015")

_OPENING = frozenset('([{<>"“‘«|;:=#&!?≈≤≥/×→§¿¡、。・「『')
_CLOSING = frozenset(')]}<>"”»|;:=#&!?/×→、。・」』')
_BLANKS = frozenset(" \t\n\r")

_LABELS = frozenset({"no", "nr", "id", "p", "ref", "pos"})
_UNITS = frozenset(
    {"am", "pm", "h", "hr", "hrs", "min", "mins", "s", "sec", "secs", "d", "st", "nd", "rd", "th", "x", "kg", "g", "lb"}
    | {"lbs", "oz", "km", "cm", "mm", "mi", "ml", "l", "kb", "mb", "gb", "tb", "pcs", "px"}
)
_SCALES = {
    "hundred": 100, "dozen": 12, "thousand": 1_000, "grand": 1_000, "tausend": 1_000, "mille": 1_000, "mil": 1_000,
    "lakh": 100_000, "crore": 10_000_000, "million": 1_000_000, "millionen": 1_000_000, "millones": 1_000_000,
    "mio": 1_000_000, "mln": 1_000_000, "mn": 1_000_000, "billion": 1_000_000_000, "bn": 1_000_000_000,
    "mrd": 1_000_000_000, "trillion": 1_000_000_000_000, "千": 1_000, "万": 10_000, "萬": 10_000,
    "億": 100_000_000, "亿": 100_000_000,
}  # fmt: skip

# 480,- and 480.-- are 480 with no cents
_EVEN = re.compile(r"[.,][-\u2012-\u2015]{1,2}(?!\w)")
_WORD = r"[^\W\d_]{1,14}(?![^\W\d_])"
_WORDS = re.compile(rf"(?P<gap> ?\(?)(?P<first>U\.S|{_WORD})(?:\.?[ )-](?P<second>{_WORD})(?: (?P<third>{_WORD}))?)?")


@dataclass(frozen=True, slots=True)
class Side:
    """What stands on one side of a number and belongs to it, up to `at`; `clear` unless it makes it no number.

    A number that is `joined` to a unit or a word is a number still, and no id of its own.
    """

    at: int
    minus: bool = False
    clear: bool = True
    joined: bool = False
    counts: str = ""
    factor: int = 1
    bracket: bool = False
    plus: bool = False


def left_of(text: str, at: int) -> Side:
    """What stands before a number that begins at a place."""
    sign = _sign(text, at)
    counts, start = _currency_before(text, sign.at)
    if counts and not sign.minus and sign.clear:
        sign = _sign(text, start)
    start = min(start, sign.at)
    if sign.minus or sign.joined or not sign.clear:
        return Side(start, sign.minus, sign.clear, sign.joined, counts)
    before = _char(text, start - 1)
    clear = _opens(text, start)
    plus = clear and before == "+"
    at = start - 1 if plus or not clear else start
    return Side(at, counts=counts, clear=clear, bracket=before == "(", plus=plus)


def right_of(text: str, at: int) -> Side:
    """What stands behind a number that ends at a place."""
    even = _EVEN.match(text, at)
    if even is not None:
        return Side(even.end())
    end, factor = _scale(text, at)
    counts, end = _currency_behind(text, end)
    joined = False
    if not counts and factor == 1:
        end, joined = _unit(text, end)
    behind, next_ = _char(text, end), _char(text, end + 1)
    if behind in DASHES and behind:
        if (next_ and wordy(next_)) or (next_ and is_sign(next_)):
            return Side(end, joined=True, counts=counts, factor=factor)
        minus = behind in _HYPHENS and next_ not in DASHES
        return Side(end + 1, minus, minus or behind == "\u2014", joined, counts, factor)
    trailing = behind == " " and next_ in _HYPHENS and _char(text, end + 2) in ("", "\n") and bool(next_)
    clear = not trailing and _closes(text, end)
    return Side(end if clear else end + 1, False, clear, joined, counts, factor, bracket=behind == ")")


def _char(text: str, at: int) -> str:
    return text[at] if 0 <= at < len(text) else ""


def _sign(text: str, at: int) -> Side:
    """The sign that stands before a place: a dash, unless it is a bullet, or joins or parts."""
    spaced = _char(text, at - 1) == " "
    dash = at - 2 if spaced else at - 1
    mark, before = _char(text, dash), _char(text, dash - 1)
    if not mark or mark not in DASHES:
        return Side(at)
    if before and before in DASHES:
        return Side(dash - 1, clear=False)
    if not spaced:
        word = _word_before(text, dash)
        joined = bool(before) and wordy(before) and not of_word(word)
        return Side(at, joined=True) if joined else Side(dash, minus=True)
    further = _char(text, dash - 2)
    bullet = before in ("", "\n") or (before in _BLANKS and further in ("", "\n"))
    ahead = further if before == " " else before
    if bullet or mark in _RULES or ahead.isdigit():
        return Side(at)
    return Side(dash, clear=False) if wordy(ahead) else Side(dash, minus=True)


def _word_before(text: str, at: int) -> str:
    """The letters that end at a place, a few at most."""
    start = at
    while at - start < 15 and _char(text, start - 1).isalpha():
        start -= 1
    return text[start:at]


def _currency_before(text: str, at: int) -> tuple[str, int]:
    """The currency that stands before a number, and where it begins."""
    end = at
    while at - end < 2 and _char(text, end - 1) in (" ", ":", "="):
        end -= 1
    last = _char(text, end - 1)
    if last and is_sign(last):
        return _signed_currency(text, end)
    dot = last == "."
    word = _word_before(text, end - dot)
    start = end - dot - len(word)
    counts = of_word(word, ahead=True)
    return (counts, start) if counts and not _char(text, start - 1).isalnum() else ("", at)


def _signed_currency(text: str, end: int) -> tuple[str, int]:
    """The currency of a sign that ends at a place, with the letters or the word before it."""
    letters = _word_before(text, end - 1)
    start = end - 1 - len(letters) if len(letters) <= 3 else end - 1
    counts = _of_letters(letters, text[start:end])
    at = start
    while start - at < 2 and _char(text, at - 1) in (" ", ":"):
        at -= 1
    word = _word_before(text, at) if at < start else ""
    more = of_country(word, text[start:end]) or of_word(word, ahead=True)
    return (both(counts, more), at - len(word)) if more else (counts, start)


def _of_letters(letters: str, sign: str) -> str:
    """The currency of a sign with letters before it: `USD$` as `C$`."""
    return both(of_word(letters), sign[-1]) if of_word(letters) else of_sign(sign)


def _scale(text: str, at: int) -> tuple[int, int]:
    """Where a word ends by which a number is multiplied, and that."""
    found = _WORDS.match(text, at)
    if found is None or "(" in found["gap"]:
        return at, 1
    word = found["first"]
    factor = _SCALES.get(word.lower(), 0) or _SCALES.get(word.lower().removesuffix("s"), 0)
    if not factor and not found["gap"]:
        factor = _SCALES.get(word[0], 0)
        if factor:
            return at + 1, factor
        factor = 1_000 if word in ("k", "K") else 0
    return (found.end("first"), factor) if factor else (at, 1)


def _currency_behind(text: str, at: int) -> tuple[str, int]:
    """The currency that stands behind a number, and where it ends."""
    place = at + 1 if _char(text, at) == " " else at
    sign = _char(text, place)
    if sign and is_sign(sign) and not _char(text, place + 1).isdigit():
        found = _WORDS.match(text, place + 1)
        more = of_country(found["first"], sign) or of_word(found["first"]) if found is not None else ""
        return both(of_sign(sign), more), found.end("first") if found is not None and more else place + 1
    found = _WORDS.match(text, at)
    if found is None:
        return "", at
    first, second, third = found["first"], found["second"] or "", found["third"] or ""
    end = found.end("first")
    sign = _char(text, end)
    if sign and is_sign(sign) and len(first) <= 3 and not _char(text, end + 1).isdigit():
        return _of_letters(first, first + sign), end + 1
    counts = of_word(first)
    if counts:
        more = of_word(second)
        return both(counts, more), found.end("second") if more else end
    if of_words(first, second):
        return of_words(first, second), found.end("second")
    if of_words(first, second, third):
        return of_words(first, second, third), found.end("third")
    # in writing without spaces the currency is what the text goes on with
    if not found["gap"] and unspaced(first[0]):
        for length in (3, 2, 1):
            if of_word(first[:length]):
                return of_word(first[:length]), at + length
    return "", at


def _unit(text: str, at: int) -> tuple[int, bool]:
    """Where a unit ends that stands behind a number, and whether one does."""
    place = at + 1 if _char(text, at) == " " else at
    if _char(text, place) in ("%", "‰", "°"):
        return place + 1, True
    found = _WORDS.match(text, at)
    if found is None or found["first"].lower() not in _UNITS:
        return at, False
    # a letter alone is a unit only beside the number
    near = not found["gap"] or (found["gap"] == " " and len(found["first"]) > 1)
    return (found.end("first"), True) if near else (at, False)


def _opens(text: str, at: int) -> bool:
    """Whether a number may begin here, by what stands before it."""
    before, further = _char(text, at - 1), _char(text, at - 2)
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
        word = _word_before(text, at - (before == "."))
        return word.lower() in _LABELS or (before != "." and unspaced(before))
    return unicodedata.category(before) in ("So", "Ps", "Pi", "Zs")


def _closes(text: str, at: int) -> bool:
    """Whether a number may end here, by what stands behind it."""
    behind, next_ = _char(text, at), _char(text, at + 1)
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
