"""Text of others where people and programs read it: on terminals, in tables, in files for CI, Markdown and HTML.

What can't be seen, or steers whoever shows it, is shown as a mark: control characters, escapes, marks of direction,
characters without a width, selectors that choose nothing, halves of surrogate pairs.  Nothing is left out, and nothing
that a text holds begins a line, a cell, a tag or a command of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html import escape

# what is of no width, or blank, and yet counts as a letter or a symbol
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# chooses how the character before it is drawn, and is drawn as nothing itself: a row of them can carry a text
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0x180B, 0x180E), 0x180F)))
_UNSEEN = _BLANK | _SELECTORS

# a line that begins so is a command to the runner of a workflow
_COMMAND = re.compile(r"^(\s*)::", re.MULTILINE)


def line(text: str) -> str:
    """A text on one line: line ends and tabs are marks as well."""
    if text.isprintable() and _UNSEEN.isdisjoint(text):
        return text
    return "".join(_mark(char) if _is_hidden(char, before) else char for before, char in _pairs(text))


def block(text: str) -> str:
    """A text of several lines, which keeps its line ends and is on guard against commands of workflows."""
    return _COMMAND.sub(r"\1\\::", "\n".join(map(line, text.split("\n"))))


def escaped(json_text: str) -> str:
    """JSON with every such character escaped: the values are the same, and nobody is steered."""
    if json_text.isprintable() and _UNSEEN.isdisjoint(json_text):
        return json_text
    return "".join(
        _escape(char) if char not in "\n" and _is_hidden(char, before) else char for before, char in _pairs(json_text)
    )


def html(text: str) -> str:
    """A text within a page or an attribute of one."""
    return escape("\n".join(map(line, text.split("\n"))))


def code(text: str) -> str:
    """A text as code within a line of Markdown."""
    shown = line(text)
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def fenced(text: str) -> str:
    """A text of several lines as a block of code of Markdown, which nothing in it ends."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{block(text)}\n{fence}"


def markdown(text: str) -> str:
    """A text within a line or a cell of Markdown, none of it markup."""
    return _MARKUP.sub(r"\\\1", line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


_MARKUP = re.compile(r"([\\`*_\[\]#|~@!])")


def _longest_run(text: str) -> int:
    return max((len(found) for found in re.findall("`+", text)), default=0)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Each character with the one before it."""
    return zip("\0" + text, text, strict=False)


def _is_hidden(char: str, before: str) -> bool:
    if char in _SELECTORS:
        return not _is_chosen(before)
    return char in _BLANK or (not char.isprintable() and unicodedata.category(char) in _HIDDEN)


def _is_chosen(before: str) -> bool:
    """Whether there are several forms of a character, of which a selector behind it may choose one."""
    if before.isascii():
        # keycaps
        return before in "0123456789#*"
    return unicodedata.category(before) in ("So", "Sm", "Lo", "Po", "Sk", "Nd") and before not in _UNSEEN


def _mark(char: str) -> str:
    return _SHORT.get(char) or f"<U+{ord(char):04X}>"


def _escape(char: str) -> str:
    number = ord(char)
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
