"""The forms in which programs write one text: in escapes, in escapes of escapes, and in the markup of a page."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from engine.language.provenance.markup import hidden, untagged
from engine.language.provenance.spelling import kindly

# how often a text is read that is escaped in itself, as `%2540` is an escape of an escape
MAX_ESCAPED = 4

# of programs (`\x40`, `\u{40}`, `\100`), of scripts (`%u0040`) and of pages (`&#64`), with a number of a character
_NUMBERED = re.compile(
    r"\\\\?(?:x([0-9a-fA-F]{2})|[xu]\{0*([0-9a-fA-F]{1,6})\}|U([0-9a-fA-F]{8}))|%u([0-9a-fA-F]{4})|\\\\?([0-3]?[0-7]{2})"
)
_OCTAL = 5
_ENTITY = re.compile(r"&#?\w{2,8};?")
# of mails: `=40`, and a line that goes on
_QUOTED = re.compile(r"(?:=[0-9a-fA-F]{2})+")
_GOES_ON = re.compile(r"=[ \t]*\r?\n")
# of names of hosts
_FOREIGN = re.compile(r"xn--([a-z0-9-]{1,59})(?![a-z0-9-])", re.IGNORECASE)


def forms(text: str) -> Iterator[str]:
    """A text as it is and as it is meant, each with what its markup hides and without all that looks like a tag."""
    for _ in range(MAX_ESCAPED):
        yield text
        yield from dict.fromkeys(one for one in (hidden(text), untagged(text)) if one and one != text)
        decoded = kindly(_unescaped(text))
        if decoded == text:
            break
        text = decoded


def _unescaped(text: str) -> str:
    text = _NUMBERED.sub(_character, _QUOTED.sub(_bytes, _GOES_ON.sub("", text)))
    return _FOREIGN.sub(_label, _ENTITY.sub(lambda found: html.unescape(found[0]), text))


def _character(found: re.Match[str]) -> str:
    number = int(found[found.lastindex or 0], 8 if found.lastindex == _OCTAL else 16)
    return chr(number) if number < 0xD800 or 0xDFFF < number <= 0x10FFFF else found[0]


def _bytes(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("=", "")).decode("utf-8", "replace")


def _label(found: re.Match[str]) -> str:
    try:
        return found[1].encode("ascii").decode("punycode")
    except UnicodeError:
        return found[0]
