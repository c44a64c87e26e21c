"""YAML 1.2 to nodes, over libyaml's events: no type guessing beyond the core schema, no surprises.

PyYAML's own composer reads YAML 1.1 (`no` is false there) and lets aliases explode; this one keeps
places, refuses duplicate keys and counts what aliases stand for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import yaml

from engine.bundle.checks import e102_syntax, e103_duplicate_key, e104_alias_bomb, e107_number
from engine.bundle.node import Node
from engine.bundle.yaml_help import NO_ENTRY, hint, hint_for_tag, without_blank
from engine.diagnostic import Diagnostic, SourceFile
from engine.language.value import NotJson, number

MAX_DEPTH = 50
MAX_ALIASED = 10_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STR = "tag:yaml.org,2002:str"

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


_ANCHOR = re.compile(r"\A&\S+\s+")


class _Stop(Exception):
    """Reading can't go on; the diagnostic is written."""


def read(source: SourceFile, say: Callable[[Diagnostic], None]) -> Node | None:
    """The document in a source; None where there is none, or after saying why it can't be read."""
    reader = _YamlReader(source, say)
    try:
        return reader.document()
    except _Stop:
        return None
    except yaml.MarkedYAMLError as error:
        # of a line that is no entry, the parser tells the one behind it
        entry = "expected ':'" in (error.problem or "")
        mark = (error.context_mark if entry else None) or error.problem_mark or error.context_mark
        start = min(mark.index, max(0, len(source.text) - 1)) if mark else 0
        opened = error.context_mark.index if error.context_mark else None
        joined = without_blank(source.text, start, _reads) if "mapping values" in (error.problem or "") else None
        if joined is not None:
            say(e102_syntax.at(source, joined, joined + 1, "this is no entry", NO_ENTRY))
            return None
        help_ = hint(source.text, start, _reads, opened, error.context or "")
        say(e102_syntax.at(source, start, start + 1, error.problem or "it can't be read", help_))
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0)
        say(e102_syntax.at(source, at, at + 1, getattr(error, "reason", None) or str(error).splitlines()[0]))
    return None


def _reads(text: str, upto: int) -> bool:
    """Whether a text can be read up to an offset."""
    try:
        for event in yaml.parse(text, _LOADER):
            if _index(event.start_mark) > upto:
                return True
    except yaml.MarkedYAMLError as error:
        return bool(error.problem_mark and _index(error.problem_mark) > upto)
    except yaml.YAMLError:
        return False
    return True


class _YamlReader:
    def __init__(self, source: SourceFile, say: Callable[[Diagnostic], None]) -> None:
        self.source = source
        self.say = say
        self.anchors: dict[str, Node | None] = {}
        self.aliased = 0
        self.in_key = False
        self.loader = _LOADER(source.text)

    def next(self) -> Any:
        return self.loader.get_event()

    def document(self) -> Node | None:
        self.next()
        if self.loader.check_event(yaml.StreamEndEvent):
            return None
        self.next()
        root = self.node(self.next(), 0)
        self.next()
        if not self.loader.check_event(yaml.StreamEndEvent):
            mark = self.next().start_mark
            self.say(e102_syntax.at(self.source, mark.index, mark.index + 3, "a file holds one document"))
        return root

    def node(self, event: Any, depth: int) -> Node:
        start, end = _index(event.start_mark), _index(event.end_mark)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, start, end)
        if depth > MAX_DEPTH:
            self.say(e102_syntax.at(self.source, start, end, f"it is nested deeper than {MAX_DEPTH} levels"))
            raise _Stop
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        node = Node(self.source, start, end)
        if isinstance(event, yaml.ScalarEvent):
            node.style = event.style
            node.value = self.scalar(event, node)
        elif isinstance(event, yaml.SequenceStartEvent):
            self.tag(event, node)
            self.sequence(node, event, depth)
        else:
            self.tag(event, node)
            self.mapping(node, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any, start: int, end: int) -> Node:
        target = self.anchors.get(event.anchor)
        if target is None:
            problem = "stands inside what it names" if event.anchor in self.anchors else "names no anchor"
            rest = self.source.text[end:].split("\n", 1)[0].strip()
            help_ = hint(self.source.text, start, _reads) if rest[:1] not in ("", "#", ",", "]", "}") else ""
            self.say(e104_alias_bomb.at(self.source, start, end, f"alias `*{event.anchor}` {problem}", help_))
            raise _Stop
        self.aliased += target.size
        if self.aliased > MAX_ALIASED:
            message = f"aliases stand for more than {MAX_ALIASED} values"
            self.say(e104_alias_bomb.at(self.source, start, end, message))
            raise _Stop
        return target

    def sequence(self, node: Node, event: Any, depth: int) -> None:
        node.items = []
        node.style = "[" if event.flow_style else None
        while True:
            event = self.next()
            if isinstance(event, yaml.SequenceEndEvent):
                break
            item = self.node(event, depth + 1)
            node.items.append(item)
            node.size += item.size
        node.end = max(_index(event.end_mark), node.start + 1)

    def mapping(self, node: Node, depth: int) -> None:
        node.entries = []
        seen: set[str] = set()
        while True:
            event = self.next()
            if isinstance(event, yaml.MappingEndEvent):
                break
            # whatever number a key would be, it is a text
            self.in_key = True
            key = self.node(event, depth + 1)
            self.in_key = False
            if key.entries is not None or key.items is not None:
                help_ = hint(self.source.text, key.start, _reads)
                self.say(e102_syntax.at(self.source, key.start, key.end, "a key must be plain text", help_))
                raise _Stop
            # a key may be an alias: what it stands for stays as it is elsewhere
            key = replace(key, value=self.key_text(key))
            value = self.node(self.next(), depth + 1)
            if key.value in seen:
                self.say(e103_duplicate_key.at(key))
                continue
            seen.add(key.value)
            node.entries.append((key, value))
            node.size += 1 + value.size
        node.end = max(_index(event.end_mark), node.start + 1)

    def key_text(self, key: Node) -> str:
        if isinstance(key.value, str):
            return key.value
        return _ANCHOR.sub("", self.source.text[key.start : key.end]).strip()

    def scalar(self, event: Any, node: Node) -> Any:
        text: str = event.value
        if event.tag == _STR or event.style in ("'", '"', "|", ">"):
            if event.tag not in (None, "!", _STR):
                self.tag(event, node)
            return text
        self.tag(event, node)
        try:
            return plain_scalar(text)
        except NotJson as error:
            if self.in_key:
                return None
            self.say(e107_number.at(node, str(error)))
            return 0

    def tag(self, event: Any, node: Node) -> None:
        # a bare `!` before what is not quoted is somebody's `not`, and would be lost
        bare = event.tag == "!" and getattr(event, "style", None) not in ("'", '"', "|", ">")
        if event.tag not in (None, "!") or bare:
            shown = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            help_ = hint_for_tag(str(event.tag), str(getattr(event, "value", "")))
            message = f"tag `{shown}` has no meaning here"
            self.say(e102_syntax.at(self.source, node.start, node.start + 1, message, help_))
            raise _Stop


def plain_scalar(text: str) -> Any:
    """What a scalar without quotes is; raises NotJson for a number that is too large or not finite."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.match(text) or _FLOAT.match(text):
        return number(text)
    if _BASED.match(text):
        return int(text, 0) if len(text) < 20 else text
    if _NOT_FINITE.match(text):
        raise NotJson(f"`{text}` is not a finite number")
    return text


def _index(mark: Any) -> int:
    """Where a mark points, in characters from the start."""
    index: int = mark.index
    return index
