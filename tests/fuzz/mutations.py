"""Changes of texts, bytes and JSON that keep most of what they had, so that they reach far into what reads them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

# what has a meaning somewhere, and what is large, deep, empty or can't be seen
NASTY = (
    "", "0", "-1", "1e999", "9" * 61, "9" * 5000, "null", "true", "~", "nan", "[]", "{}", "'", '"', "\\", "{{", "}}",
    "{%", "%}", "${secret:X}", "${secret:", "&a", "*a", "<<", "!!python/object", "---", "...", "\t", "\r\n", "\x00",
    "\x1b[2J", "\u202e", "\u200b", "\ufeff", "\ud800", "\U0001f600", "a" * 3000, "(" * 300, "[" * 300, "a.b.c",
    "input.n", "session.tenant", "calls.look[-1]", "x for x in x", "1 if 2 else 3", "and or not", "== != <=", "**",
    "date('2026-13-01')", "duration('1h')", "^(a+)+$", "(?=a)", "\\p{L}", "#/$defs/a", "https://a.example/b", "$ref",
    "type: object", "- {id: a}", "x-sensitive: true", "SELECT 1; DROP TABLE a", "[sensitive]", "sealed:1:AAAA",
)  # fmt: skip


def of_text(random: Random, text: str, others: Sequence[str]) -> str:
    """A text with one to six changes."""
    for _ in range(random.randint(1, 6)):
        text = random.choice(_OF_TEXT)(random, text, random.choice(others))
        if len(text) > 400_000:
            return text[:400_000]
    return text


def of_bytes(random: Random, raw: bytes) -> bytes:
    """Bytes with one to eight changes."""
    found = bytearray(raw)
    for _ in range(random.randint(1, 8)):
        at = random.randrange(len(found) + 1)
        match random.randrange(4):
            case 0 if found:
                found[at % len(found)] ^= 1 << random.randrange(8)
            case 1:
                found[at:at] = random.randbytes(random.randint(1, 9))
            case 2:
                del found[at : at + random.randint(1, 40)]
            case _:
                found[at:at] = random.choice(NASTY).encode("utf-8", "surrogatepass")
    return bytes(found)


def of_json(random: Random, value: Any) -> Any:
    """A JSON value with some of its parts changed, dropped, doubled or put elsewhere."""
    parts = list(_parts(value))

    def changed(item: Any, depth: int) -> Any:
        if random.random() < 0.04:
            return random.choice([*_VALUES, random.choice(parts), random.choice(NASTY)])
        if isinstance(item, dict):
            told = {
                random.choice(NASTY) if random.random() < 0.02 else key: changed(v, depth + 1)
                for key, v in item.items()
            }
            if told and random.random() < 0.03:
                told.pop(random.choice(list(told)))
            return told
        if isinstance(item, list):
            told_ = [changed(v, depth + 1) for v in item]
            return told_ + told_ if random.random() < 0.03 else told_
        return item

    return changed(value, 0)


def _parts(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(part for item in inner for part in _parts(item))]


def _nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**60, 1e308, 0.1, "", [], {}, [[]], {"a": {}}, _nested(90), "2026-01-01T00:00:00Z", "x" * 9000,
)  # fmt: skip


# -- of text


def _inserted(random: Random, text: str, other: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(NASTY) + text[at:]


def _without(random: Random, text: str, other: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + text[at + random.randint(1, 30) :]


def _word(random: Random, text: str, other: str) -> str:
    """A word in the place of another, of this text or of another one."""
    words, theirs = text.split(" "), other.split(" ")
    words[random.randrange(len(words))] = random.choice([*theirs[:400], random.choice(NASTY)])
    return " ".join(words)


def _lines(random: Random, text: str, other: str) -> str:
    """Lines that are doubled, dropped, put elsewhere, or come from another text."""
    lines, theirs = text.split("\n"), other.split("\n")
    at, to = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            lines[to:to] = lines[at : at + random.randint(1, 4)] * random.choice((1, 1, 2, 60))
        case 1:
            del lines[at : at + random.randint(1, 3)]
        case 2:
            lines[at], lines[to] = lines[to], lines[at]
        case 3:
            start = random.randrange(len(theirs))
            lines[at:at] = theirs[start : start + random.randint(1, 5)]
        case _:
            lines[at] = " " * random.randrange(9) + lines[at].lstrip()
    return "\n".join(lines)


_OF_TEXT: tuple[Callable[[Random, str, str], str], ...] = (_inserted, _without, _word, _word, _lines, _lines)


def dumped(value: Any) -> str:
    """JSON, also of what JSON can't say."""
    return json.dumps(value, ensure_ascii=False, default=str)
