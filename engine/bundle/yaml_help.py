"""What to write where YAML reads a value otherwise than its author meant: mostly, quotes."""

from __future__ import annotations

import re

from engine.bundle.node import Node

LONGEST = 100

COMMA = "a comma within `{...}` ends a value: an expression that has one stands in quotes"

_ENTRY = re.compile(r"[ \t]*(?:- +)*(?:(?P<key>[\w.$-]+)[ \t]*:[ \t]+)?(?P<value>\S.*?)[ \t]*\Z")
_PAIR = re.compile(r"(?P<key>[\w.$-]+)[ \t]*:[ \t]+(?P<value>[^,{}]+)")
_TEXT = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"")
_CLOSES = {"[": "]", "{": "}"}


def hint(text: str, at: int, opened: int | None = None, context: str = "") -> str:
    """What to write where reading stopped; `opened` is where what was being read had begun."""
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
        return "an entry is written `key: value`, with a space behind the colon"
    start = text.rfind("\n", 0, at) + 1
    if "block" in context and opened is not None and not text[start:at].strip():
        column = opened - text.rfind("\n", 0, opened) - 1
        return f"indent this line by {column} spaces, as those above it" if column != at - start else ""
    line = _without_comment(text[start : (text.find("\n", at) + 1 or len(text) + 1) - 1])
    entry = _ENTRY.match(line)
    if entry is None or at - start < entry.start("value"):
        return ""
    if entry["value"][0] in _CLOSES and not entry["value"].startswith("{{") and not _goes_on(entry["value"]):
        return _within(line, at - start)
    if _TEXT.fullmatch(entry["value"]):
        return _open_above(text[:start], entry["value"][0])
    return _in_quotes(entry["key"], entry["value"])


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
    return f"YAML reads a comment from `#` on: {_in_quotes('', value + rest.rstrip())}"


def _within(line: str, at: int) -> str:
    """The entry of a map or list on one line that YAML could not read."""
    pairs = [pair for pair in _PAIR.finditer(line) if pair.start("value") <= at]
    if pairs and (value := pairs[-1]["value"].strip()) and value[0] not in _CLOSES and _is_whole(value):
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


def _in_quotes(key: str | None, value: str) -> str:
    braces = re.match(r"\$?\{\{\s*(.*?)\s*\}\}\Z", value)
    if braces is not None:
        return f"an expression stands without braces, and in quotes where YAML needs them: {_quoted(key, braces[1])}"
    return f"put the whole value in quotes: {_quoted(key, value)}"


def _quoted(key: str | None, value: str) -> str:
    if len(value) > LONGEST:
        return f"`{key}: '...'`" if key else "`'...'`"
    plain = '"' not in value and "\\" not in value
    text = f'"{value}"' if plain else "'" + value.replace("'", "''") + "'"
    return f"`{key}: {text}`" if key else f"`{text}`"


def _without_comment(line: str) -> str:
    """A line up to its comment."""
    masked = _TEXT.sub(lambda found: "x" * len(found[0]), line)
    found = re.search(r"(?:^|[ \t])#", masked)
    return line[: found.start()] if found else line
