"""What a sql tool's statements give and take, held against its schemas: the columns of its rows, its parameters."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.bundle.checks import e511_sql, w618_not_meant, w624_field_unused
from engine.bundle.document_set import DocumentSet
from engine.bundle.node import Node
from engine.diagnostic import did_you_mean, nearest
from engine.spec.bundle import Tool

QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/", re.DOTALL)
PARAMETER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_RETURNING = re.compile(r"\breturning\b", re.IGNORECASE)
_CHANGED = re.compile(
    r"\b(?:(?:insert(?:\s+or\s+\w+)?|replace)\s+into|update(?:\s+or\s+\w+)?|delete\s+from)\s+([\w.]+|\"[^\"]+\")",
    re.IGNORECASE,
)
_ASKS = re.compile(r"\s*(?:select|with|values)\b", re.IGNORECASE)

# how a parameter of elsewhere, or of a template, is written
_FOREIGN_PARAMETER = re.compile(
    r"(?<![:\w])(?:[:@$]|\$?\{\{?\s*(?:input\.)?|%\()(?P<name>[A-Za-z_]\w*)\b(?:\s*\}\}?|\)s)?"
)


def check_columns(
    documents: DocumentSet, node: Node, tool: Tool, statements: Sequence[Node], made: sqlite3.Connection
) -> None:
    """Say which columns the rows of a tool have that its output has not, and which its output needs."""
    settings, output = tool.adapter.settings, tool.output_schema or {}
    rows = settings.get("result", "row") == "rows"
    if settings.get("result", "row") in ("value", "json") or not isinstance(output.get("properties"), Mapping):
        return
    schema = output
    if rows:
        name = settings.get("rows_as", "rows")
        _check_names(documents, node, output, [name, *filter(None, [settings.get("count_as")])])
        schema = output["properties"].get(name, {}).get("items", {})
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties"), Mapping):
        return
    for statement in reversed(statements):
        columns = _columns(str(statement.value), made)
        if columns is not None:
            _check_row(documents, statement, schema, columns)
        if columns is not None or _RETURNING.search(_bare(str(statement.value))):
            return


def _check_names(documents: DocumentSet, node: Node, output: Mapping[str, Any], given: list[str]) -> None:
    """A list of rows is an output of one or two fields: any other that is needed is never given."""
    fields = output["properties"]
    for name in given:
        if name not in fields and output.get("additionalProperties") is False:
            place = (node.get("count_as") if name != given[0] else node.get("rows_as")) or node
            message = f"the rows are given as `{name}`, and the output has no such field"
            documents.say(e511_sql.on_entry(place.place, message, did_you_mean(name, fields)))
    for name in output.get("required", ()):
        if name not in given:
            told = f"the output needs `{name}`, and what is given is {' and '.join(f'`{one}`' for one in given)}"
            documents.say(e511_sql.on_entry(node.at("result").place, told, "name it by `rows_as` or `count_as`"))


def _check_row(documents: DocumentSet, statement: Node, schema: Mapping[str, Any], columns: list[str]) -> None:
    fields = schema["properties"]
    missing = [name for name in schema.get("required", ()) if name not in columns]
    patterns = schema.get("patternProperties", {})
    unknown = [name for name in dict.fromkeys(columns) if name not in fields and not patterns]
    absent = [name for name in fields if name not in columns]
    closed = schema.get("additionalProperties") is False
    for name in unknown:
        # the one that is needed and not given is most likely meant
        meant = missing[0] if len(unknown) == len(missing) == 1 else nearest(name, missing or absent)
        if meant is None and not closed:
            continue
        if meant in missing:
            missing.remove(meant)
        help_ = f"write `AS {meant}`" if meant else did_you_mean(name, fields) or "leave it out"
        message = f"this gives a column `{name}`, and the output has no such field: what is given would fit nothing"
        if not closed and meant not in schema.get("required", ()):
            message = f"this gives a column `{name}`, and the output has no such field"
        documents.say(e511_sql.on_entry(_named(statement, name), message, help_))
    for name in missing:
        message = f"the output needs `{name}`, and this gives no such column: what it gives would fit nothing"
        documents.say(e511_sql.on_entry(statement.place, message, f"end a column with `AS {name}`"))


def _named(statement: Node, word: str) -> Any:
    """Where a column is named, or the whole statement, where it is `*` that gives it."""
    text = str(statement.value)
    returned, asked = list(_RETURNING.finditer(text)), re.search(r"\bfrom\b", text, re.IGNORECASE)
    start, end = (returned[-1].end(), len(text)) if returned else (0, asked.start() if asked else len(text))
    at = text.rfind(word, start, end)
    return statement.within(at, at + len(word)) if at >= 0 else statement.place


def _columns(text: str, made: sqlite3.Connection) -> list[str] | None:
    """The names of the columns that a statement gives, asked for without running it, or None where it gives none."""
    bare = _bare(text)
    returned = list(_RETURNING.finditer(bare))
    changed = [found for found in _CHANGED.finditer(text) if not bare[found.start()].isspace()]
    if returned and changed:
        asked = f"SELECT {text[returned[-1].end() :].rstrip().rstrip(';')}\n FROM {changed[-1][1]}"
    elif _ASKS.match(bare) and not changed:
        asked = text.rstrip().rstrip(";")
    else:
        return None
    try:
        found = made.execute(f"SELECT * FROM ({asked}\n) LIMIT 0", dict.fromkeys(PARAMETER.findall(text)))
    except (sqlite3.Error, sqlite3.Warning):
        # what is wrong with it is said already
        return None
    # two of one name are told apart by a number, which is none of theirs
    return [re.sub(r":\d+\Z", "", one[0]) for one in found.description]


def _bare(text: str) -> str:
    """A statement with its texts and comments blank, each character in its place."""
    return QUOTED.sub(lambda found: " " * len(found[0]), text)


def check_parameters(documents: DocumentSet, tool: Node, statements: Sequence[Node], known: set[str]) -> None:
    """Say which parameters stand in quotes, and which fields of the input no statement uses and some could."""
    used, words = set[str](), set[str]()
    for node in statements:
        text = str(node.value)
        bare = _bare(text)
        used |= set(PARAMETER.findall(bare))
        words |= set(re.findall(r"\w+", PARAMETER.sub(" ", bare)))
        for start, end, name in _in_quotes(text, known):
            used.add(name)
            joined = "" if text[start - 1] in "'\"" and text[start - 1] == text[end : end + 1] else ", joined by `||`"
            message = f"`{text[start:end]}` stands in quotes here: it is a text as it is written, and no parameter"
            documents.say(
                w618_not_meant.at(node.within(start, end), message, f"write `:{name}` outside of quotes{joined}")
            )
    if not used <= known:
        return  # one of these is most likely meant by a parameter that is not given
    adapter, fields = tool.at("adapter"), tool.at("input").get("properties")
    given, absent = adapter.get("parameters"), adapter.get("absent")
    parts = [*(given.pairs() if given else ()), *(absent.pairs() if absent else ())]
    read = " ".join(str(value.value) for name, _, value in parts if name in used or (absent and absent.get(name)))
    named = [(name, key) for name, key, _ in fields.pairs()] if fields is not None else []
    unused = [(name, key) for name, key in named if name not in used and not re.search(rf"\b{re.escape(name)}\b", read)]
    # a field that policies alone ask for has no column that is called so
    for name, key in unused if not re.search(r"\binput\b(?!\s*[.\[])", read) else ():
        if name in words or len(unused) == len(named):
            documents.say(w624_field_unused.at(key.place, name))


def _in_quotes(text: str, known: set[str]) -> Iterator[tuple[int, int, str]]:
    """Where a text of a statement names what has a value there, as a parameter is written here or elsewhere."""
    for literal in QUOTED.finditer(text):
        if literal[0][0] in "'\"":
            for found in _FOREIGN_PARAMETER.finditer(literal[0]):
                if found["name"] in known:
                    yield literal.start() + found.start(), literal.start() + found.end(), found["name"]
