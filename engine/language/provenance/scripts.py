"""Which characters make up words, and which are of writing that has no spaces between them."""

from __future__ import annotations

import unicodedata

# what makes a word bold, or part of one, so that what stands beside it may go on
MARKUP = frozenset("*~`")

# Han and kana: where one word ends there is told by nothing
_UNSPACED = (
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3041, 0x312F),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x3FFFF),
)
_KATAKANA = ((0x30A1, 0x30FA), (0x30FC, 0x30FE), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))


def wordy(char: str) -> bool:
    """Whether a character belongs to a word with its neighbours: letters, accents, digits, and what can't be seen."""
    if char.isascii():
        return char.isalnum() or char == "_"
    kind = unicodedata.category(char)
    return kind[0] == "M" or kind == "Cf" or (kind[0] in "LN" and not unspaced(char))


def unspaced(char: str) -> bool:
    """Whether a character is of writing without spaces, in which a word may begin and end anywhere."""
    return unicodedata.category(char)[0] == "L" and _within(char, _UNSPACED)


def one_word(first: str, second: str) -> bool:
    """Whether two characters beside one another are of one word."""
    if wordy(first):
        return wordy(second)
    # an accent is of the letter before it, whatever that is; loanwords stand apart in writing without spaces
    return unicodedata.category(second)[0] == "M" or (_within(first, _KATAKANA) and _within(second, _KATAKANA))


def beyond_markup(text: str, at: int, step: int) -> str:
    """The nearest character before or behind a place that is no mark of a markup; behind many, one that goes on."""
    for place in range(at, at + 4 * step, step):
        if not 0 <= place < len(text):
            return ""
        if text[place] not in MARKUP:
            return text[place]
    return "_"


def _within(char: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(low <= ord(char) <= high for low, high in ranges)
