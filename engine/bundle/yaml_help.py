"""What to write where YAML reads a value otherwise than its author meant: mostly, quotes."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.bundle.node import Node

LONGEST = 100

COMMA = "a comma within `{...}` ends a value: an expression that has one stands in quotes"

NO_ENTRY = "an entry is written `key: value`, with a space behind the colon"

_WITHOUT_BRACES = "an expression stands without braces, and in quotes where YAML needs them: "
_ENTRY = re.compile(r"[ \t]*(?:- +)*(?:(?P<key>[\w.$-]+)[ \t]*:[ \t]+)?(?P<value>\S.*?)[ \t]*\Z")
_PAIR = re.compile(r"(?P<key>[\w.$-]+)[ \t]*:[ \t]+(?P<value>[^,{}]+)")
_ITEM = re.compile(r"- +([\w./-]+)")
_NO_BLANK = re.compile(r"[ \t]*(?:- +)*([\w.$-]+:)(?=[^\s:/])")
_NEXT = re.compile(r".*(?:\n[ \t]*)*.*")
_TEXT = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"")
_BRACES = re.compile(r"(?P<key>[\w.$-]+)[ \t]*:[ \t]*\$?\{\{\s*(?P<value>[^{}]+?)\s*\}\}")
_CLOSES = {"[": "]", "{": "}"}


# whether a text can be read up to an offset
Reads = Callable[[str, int], bool]


def hint(text: str, at: int, reads: Reads, opened: int | None = None, context: str = "") -> str:
    """What to write where reading stopped; `opened` is where what was being read had begun.

    What is offered to be written in the place of a line is tried out, so that the line can be read then.
    """
    if text[at : at + 1] == "\t":
        return "indent with spaces"
    if "quoted scalar" in context and opened is not None:
        quote = text[opened]
        if text[at : at + 1] == "\\":
            return "between double quotes `\\` begins an escape: write `\\\\`, or use single quotes"
        return f"close the text with `{quote}`"
    if "flow" in context and opened is not None and "\n" in text[opened : at + 1]:
        number, sign = text.count("\n", 0, opened) + 1, text[opened]
        return f"close the `{sign}` of line {number} with `{_CLOSES[sign]}`"
    if context == "while scanning a simple key":
        return NO_ENTRY
    start = text.rfind("\n", 0, at) + 1
    if "block" in context and opened is not None and not text[start:at].strip():
        return _indented(text, start, at, reads)
    line = _without_comment(text[start : (text.find("\n", at) + 1 or len(text) + 1) - 1])
    entry = _ENTRY.match(line)
    if entry is None or at - start < entry.start("value"):
        return ""
    if entry["value"][0] in _CLOSES and not entry["value"].startswith("{{") and not _goes_on(entry["value"]):
        return _within(line, at - start)
    if _TEXT.fullmatch(entry["value"]):
        return _open_above(text[:start], entry["value"][0])
    if (item := _ITEM.fullmatch(entry["value"])) and entry["key"]:
        return f"a list on one line stands between `[` and `]`: `{entry['key']}: [{item[1]}]`"
    help_, quoted = _in_quotes(entry["key"], entry["value"])
    tried = text[: start + entry.start("value")] + quoted + text[start + entry.end("value") :]
    return help_ if reads(tried, start + entry.start("value") + len(quoted)) else ""


def without_blank(text: str, at: int, reads: Reads) -> int | None:
    """Where the line above has a key with no space behind its colon, which is told at the line behind it only."""
    start = text.rfind("\n", 0, at) + 1
    before = text.rfind("\n", 0, max(0, start - 1)) + 1
    found = _NO_BLANK.match(text, before, max(before, start - 1))
    if found is None:
        return None
    mended = f"{text[: found.end()]} {text[found.end() :]}"
    return found.start(1) if reads(mended, at + 1) else None


def _indented(text: str, start: int, at: int, reads: Reads) -> str:
    """How far to indent a line: as one above it, the nearest first, so that it can be read."""
    above = [line for line in text[:start].split("\n") if line.strip() and not line.lstrip().startswith("#")]
    columns = [len(line) - len(line.lstrip(lead)) for line in reversed(above) for lead in (" -", " ")]
    own, end = at - start, _NEXT.match(text, at).end()  # type: ignore[union-attr]
    for column in sorted(dict.fromkeys(columns), key=lambda column: abs(column - own)):
        lead = " " * column
        if column not in (0, own) and reads(f"{text[:start]}{lead}{text[at:]}", end + column - own):
            return f"indent this line by {column} spaces, as those above it"
    return ""


def _open_above(text: str, quote: str) -> str:
    """The line above that opens a text which this line has closed."""
    lines = text.split("\n")
    for number in range(len(lines), 0, -1):
        if quote in _TEXT.sub("", _without_comment(lines[number - 1])):
            return f"close the text of line {number} with `{quote}`"
    return ""


def hint_for_tag(tag: str, value: str) -> str:
    """What to write for a `!` before a value."""
    if tag.startswith(("!!", "tag:")):
        return "leave it out; text that looks like something else stands in quotes"
    return f"write `not {f'{tag[1:]} {value}'.strip()}`; other text that begins with `!` stands in quotes"


def is_cut(text: str) -> bool:
    """Whether a text is what is left of an expression behind a comma."""
    return re.search(r"[)\]'\"]", text) is not None and not _is_whole(text)


def _is_whole(text: str) -> bool:
    plain = _TEXT.sub("", text)
    return all(plain.count(a) == plain.count(b) for a, b in ("()", "[]", "{}")) and not re.search(r"['\"]", plain)


def cut(node: Node) -> str:
    """What to write where a comma or ` #` within an expression has ended it; empty where neither has."""
    rest = node.source.text[node.end :].split("\n", 1)[0]
    value = str(node.value)
    if not node.style and rest.lstrip().startswith(",") and not _is_whole(value):
        return COMMA
    if node.style or not re.match(r"[ \t]+#", rest) or not re.search(r"['\"]", _TEXT.sub("", value)):
        return ""
    return f"YAML reads a comment from `#` on: {_in_quotes('', value + rest.rstrip())[0]}"


def _within(line: str, at: int) -> str:
    """The entry of a map or list on one line that YAML could not read."""
    for braces in _BRACES.finditer(line):
        if braces.start() <= at <= braces.end():
            return _WITHOUT_BRACES + _quoted(braces["key"], braces["value"])
    pairs = [pair for pair in _PAIR.finditer(line) if pair.start("value") <= at]
    value = pairs[-1]["value"].strip() if pairs else ""
    if value and value[0] not in _CLOSES and not _TEXT.fullmatch(value) and _is_whole(value):
        quoted = _quoted(pairs[-1]["key"], value)
        return f"within `{{...}}` an expression with brackets or commas stands in quotes: {quoted}"
    return "within `{...}` and `[...]` an expression with brackets, braces or commas stands in quotes"


def _goes_on(value: str) -> bool:
    """Whether something stands behind the bracket that closes the first one."""
    depth = 0
    plain = _TEXT.sub(lambda found: "x" * len(found[0]), value)
    for index, char in enumerate(plain):
        depth += (char in "[{") - (char in "]}")
        if depth == 0:
            return bool(plain[index + 1 :].strip())
    return False


def _in_quotes(key: str | None, value: str) -> tuple[str, str]:
    """What to say of a value that has to stand in quotes, and the value in them."""
    braces = re.match(r"\$?\{\{\s*(.*?)\s*\}\}\Z", value)
    if braces is not None:
        return _WITHOUT_BRACES + _quoted(key, braces[1]), _as_text(braces[1])
    inner = _unwrapped(value)
    if inner != value:
        help_ = f"what stands in quotes and holds some stands in the others: {_quoted(key, inner)}"
        return help_, _as_text(inner)
    return f"put the whole value in quotes: {_quoted(key, value)}", _as_text(value)


def _unwrapped(value: str) -> str:
    """What stands in quotes that it holds itself: within them the first text ends in the midst of a word."""
    first = _TEXT.match(value)
    if first is None or value[-1] != value[0] or not re.match(r"\w", value[first.end() :]):
        return value
    return value[1:-1]


def _quoted(key: str | None, value: str) -> str:
    text = _as_text(value) if len(value) <= LONGEST else "'...'"
    return f"`{key}: {text}`" if key else f"`{text}`"


def _as_text(value: str) -> str:
    plain = '"' not in value and "\\" not in value
    return f'"{value}"' if plain else "'" + value.replace("'", "''") + "'"


def _without_comment(line: str) -> str:
    """A line up to its comment."""
    masked = _TEXT.sub(lambda found: "x" * len(found[0]), line)
    found = re.search(r"(?:^|[ \t])#", masked)
    return line[: found.start()] if found else line
