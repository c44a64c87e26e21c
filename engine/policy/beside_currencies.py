"""The currency that a text tells right before a place, or right behind one: a sign, a word, or some words."""

from __future__ import annotations

import re

from engine.policy.currencies import both, is_sign, of_country, of_sign, of_word, of_words
from engine.policy.scripts import unspaced

_WORD = r"[^\W\d_]{1,14}(?![^\W\d_])"
WORDS = re.compile(rf"(?P<gap> ?\(?)(?P<first>U\.S|{_WORD})(?:\.?[ )-](?P<second>{_WORD})(?: (?P<third>{_WORD}))?)?")


def char_at(text: str, at: int) -> str:
    """The character at a place; empty beyond the text."""
    return text[at] if 0 <= at < len(text) else ""


def word_before(text: str, at: int) -> str:
    """The letters that end at a place, a few at most."""
    start = at
    while at - start < 15 and char_at(text, start - 1).isalpha():
        start -= 1
    return text[start:at]


def currency_before(text: str, at: int) -> tuple[str, int]:
    """The currency that stands before a number, and where it begins."""
    end = at
    while at - end < 2 and char_at(text, end - 1) in (" ", ":", "="):
        end -= 1
    last = char_at(text, end - 1)
    if last and is_sign(last):
        return signed_before(text, end)
    dot = last == "."
    word = word_before(text, end - dot)
    start = end - dot - len(word)
    counts = of_word(word, ahead=True)
    return (counts, start) if counts and not char_at(text, start - 1).isalnum() else ("", at)


def signed_before(text: str, end: int) -> tuple[str, int]:
    """The currency of a sign that ends at a place, with the letters or the word before it."""
    letters = word_before(text, end - 1)
    start = end - 1 - len(letters) if len(letters) <= 3 else end - 1
    counts = _of_letters(letters, text[start:end])
    at = start
    while start - at < 2 and char_at(text, at - 1) in (" ", ":"):
        at -= 1
    word = word_before(text, at) if at < start else ""
    more = of_country(word, text[start:end], ahead=True) or of_word(word, ahead=True)
    return (both(counts, more), at - len(word)) if more else (counts, start)


def _of_letters(letters: str, sign: str) -> str:
    """The currency of a sign with letters before it: `USD$` as `C$`."""
    return both(of_word(letters), sign[-1]) if of_word(letters) else of_sign(sign)


def currency_behind(text: str, at: int) -> tuple[str, int]:
    """The currency that stands behind a number, and where it ends."""
    place = at + 1 if char_at(text, at) == " " else at
    sign = char_at(text, place)
    if sign and is_sign(sign) and not char_at(text, place + 1).isdigit():
        found = WORDS.match(text, place + 1)
        more = of_country(found["first"], sign) or of_word(found["first"]) if found is not None else ""
        return both(of_sign(sign), more), found.end("first") if found is not None and more else place + 1
    found = WORDS.match(text, at)
    if found is None:
        return "", at
    first, second, third = found["first"], found["second"] or "", found["third"] or ""
    end = found.end("first")
    sign = char_at(text, end)
    if sign and is_sign(sign) and len(first) <= 3 and not char_at(text, end + 1).isdigit():
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
        for length in (5, 3, 2, 1):
            if of_word(first[:length]):
                return of_word(first[:length]), at + length
    return "", at
