"""The currency that a text tells right before a place, or right behind one: a sign, a word, or some words."""

from __future__ import annotations

import re
import unicodedata

from engine.language.provenance.currencies import both, is_sign, is_word_too, of_country, of_sign, of_word, of_words
from engine.language.provenance.languages import words
from engine.language.provenance.number_words import FILLERS
from engine.language.provenance.scripts import unspaced

# vowels and tones of scripts that write them above or below a letter are no letters to a pattern
_MARKS = "".join(chr(code) for code in range(0x300, 0x2000) if unicodedata.category(chr(code))[0] == "M")
_LETTER = rf"(?:[^\W\d_]|[{_MARKS}])"
_WORD = rf"[^\W\d_]{_LETTER}{{0,13}}+(?!{_LETTER})"
WORDS = re.compile(rf"(?P<gap> ?\(?)(?P<first>U\.S|{_WORD})(?:\.?[ )-](?P<second>{_WORD})(?: (?P<third>{_WORD}))?)?")
# behind a word, as in `480 канадских $`
_SIGN_BEHIND = re.compile(r"\.? ?([$\u00a3\u00a5\u20a0-\u20cf])(?![0-9])")
# where no blanks part words, whose money it is stands before these; by the first ones anything is counted
_RUN_ON = re.compile(
    "(?P<whose>[\u30a1-\u30fc\u3400-\u9fff]{0,8}?)(?P<name>ドル|ポンド|フラン|ペソ|ルピー|クローナ|クローネ|ユーロ|ウォン|美元|元|円|块|塊)"
)
_COUNTED = frozenset({"", "个", "個"})

# what is told apart by a letter, and what stands behind an amount that has an article
_LETTERED = words("""
plan option class size grade room type group vitamin variant version item part section zone gate seat tier model level
category block unit hall tarif klasse größe typ gruppe zimmer
""")
_NOUN = re.compile(r" ?[0-9][0-9.,]*+ ([a-z]{3,})")
_NO_NOUNS = words("""
and are but can did each for from had has have into not now off only per please than that then this today tomorrow
until via was were when which will with yesterday
""")
_ENDED = re.compile(r"[.!?] \Z")
_NEXT = re.compile(r" ([^\W\d_]{2,15})")


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
    if only_names(text, at - len(word), word, text[at:end], end):
        return counts, start
    more = of_country(word, text[start:end], ahead=True) or of_word(word, ahead=True)
    return (both(counts, more), at - len(word)) if more else (counts, start)


def only_names(text: str, start: int, word: str, parting: str, end: int) -> bool:
    """Whether a word before a sign says nothing of it: `Plan C: $480`, `A $480 charge`, `SEND BOB $480`."""
    ahead = word_before(text, start - 1) if char_at(text, start - 1) == " " else ""
    if len(word) > 1:
        return is_word_too(word) and len(ahead) > 1 and ahead.isupper()
    if word and (":" in parting or ahead.lower() in _LETTERED):
        return True
    begins = not start or text[start - 1] == "\n" or _ENDED.search(text, max(start - 3, 0), start)
    noun = _NOUN.match(text, end) if word == "A" and begins else None
    return noun is not None and noun[1] not in _NO_NOUNS


def begins_anew(text: str, start: int, end: int) -> bool:
    """Whether a word behind `$480` is no currency, but the next word of a sentence: `TRY AGAIN`, `Real problem`."""
    further = _NEXT.match(text, end)
    word = text[start:end]
    return further is not None and (
        (is_word_too(word) and word.isupper() and further[1].isupper()) or (word == "Real" and further[1].islower())
    )


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
    counts, end = _run_on(text, place)
    if counts:
        return counts, end
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
    sign_behind = _SIGN_BEHIND.match(text, end)
    if sign_behind is not None and first.lower() not in FILLERS:
        sign = sign_behind[1]
        return of_words(first, "dollar") if sign == "$" else f"{first} {sign}".lower(), sign_behind.end()
    return "", at


def _run_on(text: str, at: int) -> tuple[str, int]:
    """The currency that a text goes on with where it has no spaces, and where that ends."""
    found = _RUN_ON.match(text, at)
    if found is None or not unspaced(text[at]):
        return "", at
    own = "" if found["whose"] in _COUNTED else found["whose"]
    said = own + found["name"]
    return of_word(said) or said, found.end()
