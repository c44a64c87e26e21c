"""How a text may be spelt: as it is, read kindly, and loosely.

As it is: but for its case, and accents composed with their letters.  Kindly: escapes and markup undone, look-alikes in
one form, nothing that can't be seen.  Loosely: its letters and digits alone, for what condemns or only repeats.
All of it is linear in the length of a text, whatever the text.
"""

from __future__ import annotations

import html
import re
import unicodedata

from engine.language.provenance.markup import visible_text

# what can't be seen; where a line ends is a blank
_UNSEEN = re.compile(
    "[\0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
_BLANKS = re.compile(r"\s+")
_WRITTEN_OUT = re.compile(r"\\u([0-9a-fA-F]{4})")
_LINE_ENDS = re.compile(r"\\([nrt])")
_ESCAPES = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_ENTITY = re.compile(r"&#?\w{2,8};")
_MARKUP = re.compile(r"[_*`~]+")
_MARK_ESCAPED = re.compile(r"\\([_*`~.,-])")
# what a keyboard writes for an apostrophe and a hyphen, and dashes that join
_TYPED = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201b": "'", "\u2010": "-"})
_JOINS = re.compile(r"(?<=[^\W_])[\u2012\u2013](?=[^\W_])")
_OTHER_DIGITS = re.compile(r"(?![0-9])\d")
_WORDS = re.compile(r"[^\W_]+")

# how many accents on one letter are put in order; what goes on is put in order by itself
_MOST_MARKS = 30
_JOINER = "\u034f"


def composed(text: str) -> str:
    """A text with its accents composed; `lower` keeps its length."""
    return _normalized("NFC", text).replace("\u0130", "i\u0307")


def kindly(text: str) -> str:
    """What was told, read kindly, with its case: blanks are one character each, a line end, a gap or a space.

    Of a page it is what a reader sees.  Apostrophes and hyphens are those of a keyboard.
    """
    if "\\" in text:
        text = _WRITTEN_OUT.sub(lambda found: chr(int(found[1], 16)), _LINE_ENDS.sub(_line_end, text))
        text = _MARK_ESCAPED.sub(r"\1", text)
    if "%" in text:
        text = _ESCAPES.sub(_unescaped, text)
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    if not text.isascii():
        text = _OTHER_DIGITS.sub(lambda found: str(unicodedata.decimal(found[0])), _compatible(text))
        text = _JOINS.sub("-", text.replace("\u0130", "i\u0307").translate(_TYPED))
    return _BLANKS.sub(_blank, _without_markup(_UNSEEN.sub(_visible, visible_text(text)))).strip()


def normal(text: str) -> str:
    """What was told, read kindly, without its case and with single spaces."""
    return flat(kindly(text))


def flat(text: str) -> str:
    """A text read kindly in which values are looked for: of the same length, without case, each blank a space."""
    return text.lower().replace("\n", " ").replace("\t", " ")


def loosely(text: str) -> str:
    """What was told, read kindly and without accents: its `words` are all that is compared of it."""
    text = kindly(text)
    if not text.isascii():
        text = "".join(char for char in _normalized("NFKD", text) if not unicodedata.combining(char))
    return text.casefold()


def words(text: str) -> list[str]:
    """The letters and digits of a text, word for word, without all that parts them."""
    return _WORDS.findall(text)


def _normalized(form: str, text: str) -> str:
    """A text in a form of Unicode; a long run of accents is cut, as putting one in order takes its square."""
    if text.isascii():
        return text
    if any(map(unicodedata.combining, text)):
        parts, run = list[str](), 0
        for char in text:
            run = run + 1 if unicodedata.combining(char) else 0
            parts.append(char + _JOINER if run and run % _MOST_MARKS == 0 else char)
        text = "".join(parts)
    return unicodedata.normalize(form, text)  # type: ignore[arg-type]


def _compatible(text: str) -> str:
    """One form for look-alikes, but for what would become a digit without being one: 10² is not 102, nor 2½ 21/2."""
    odd = {char for char in set(text) if not (char.isascii() or char.isdecimal()) and _holds_digit(char)}
    if not odd:
        return _normalized("NFKC", text)
    parts = re.split(f"([{''.join(sorted(odd))}])", text)
    return "".join(part if part in odd else _normalized("NFKC", part) for part in parts)


def _holds_digit(char: str) -> bool:
    return any(map(str.isdecimal, unicodedata.normalize("NFKC", char)))


def _line_end(found: re.Match[str]) -> str:
    return "\t" if found[1] == "t" else "\n"


def _unescaped(found: re.Match[str]) -> str:
    told = bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "replace")
    # 5%30 are two numbers
    return found[0] if told[0].isdigit() and found.string[found.start() - 1 : found.start()].isdigit() else told


def _visible(found: re.Match[str]) -> str:
    """Nothing, but between two digits what stands there: they are no number."""
    around = found.string[found.start() - 1 : found.start()], found.string[found.end() : found.end() + 1]
    return found[0][0] if all(map(str.isdecimal, around)) else ""


def _blank(found: re.Match[str]) -> str:
    blank = found[0]
    if any(map("\n\r\x85\u2028\u2029".__contains__, blank)):
        return "\n"
    return " " if blank == " " else "\t"


def _without_markup(text: str) -> str:
    """A text without the marks that open before a word and, in the same way, close behind one."""
    runs = [(found.start(), found.end()) for found in _MARKUP.finditer(text)]
    gone, opened = set[tuple[int, int]](), dict[str, tuple[int, int]]()
    for start, end in runs:
        before, behind = text[start - 1 : start] if start else "", text[end : end + 1]
        mark, word_before, word_behind = text[start:end], before.isalnum(), behind.isalnum()
        if word_behind and not word_before:
            opened[mark] = start, end
        elif word_before and not word_behind and mark in opened:
            gone |= {opened.pop(mark), (start, end)}
    return _without(text, gone) if gone else text


def _without(text: str, gone: set[tuple[int, int]]) -> str:
    kept, at = list[str](), 0
    for start, end in sorted(gone):
        kept.append(text[at:start])
        at = end
    return "".join([*kept, text[at:]])
