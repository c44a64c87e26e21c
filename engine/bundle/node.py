"""A YAML document as a tree in which every key and value keeps its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from engine.diagnostic import Place, SourceFile


@dataclass(slots=True)
class Node:
    """A scalar (`value`), a list (`items`) or a map (`entries`), from offset `start` up to `end` of its source.

    One that is filled holds something of the environment: the source says what is `written`.
    """

    source: SourceFile
    start: int
    end: int
    value: Any = None
    style: str | None = None
    items: list[Node] | None = None
    entries: list[tuple[Node, Node]] | None = None
    size: int = 1
    written: str | None = None
    _plain: Any = field(default=None, repr=False)
    _places: list[int] | None = field(default=None, repr=False)

    @property
    def plain(self) -> Any:
        """The value without its places: only JSON's types."""
        if self._plain is None:
            if self.entries is not None:
                self._plain = {key.value: value.plain for key, value in self.entries}
            elif self.items is not None:
                self._plain = [item.plain for item in self.items]
            else:
                return self.value
        return self._plain

    @property
    def place(self) -> Place:
        """Where it stands; a map or list is shown by its first entry."""
        if self.entries:
            return self.entries[0][0].place
        if self.items and self.style is None:
            return self.items[0].place
        return self.source.place(self.start, self.end)

    def fill(self, text: str) -> None:
        """Let a scalar say something else than is written; before anything of its document was read as `plain`."""
        self.value, self.written = text, self.value

    @property
    def filled(self) -> bool:
        """Whether its value is not what the source says."""
        return self.written is not None

    @property
    def plain_as_written(self) -> Any:
        """The same as `plain`, as the source says it."""
        if self.entries is not None:
            return {key.value: value.plain_as_written for key, value in self.entries}
        if self.items is not None:
            return [item.plain_as_written for item in self.items]
        return self.value if self.written is None else self.written

    def get(self, key: str) -> Node | None:
        """The value under a key of a map."""
        for own, value in self.entries or ():
            if own.value == key:
                return value
        return None

    def key(self, key: str) -> Node | None:
        """The key itself, as it is written."""
        for own, _ in self.entries or ():
            if own.value == key:
                return own
        return None

    def at(self, *path: str | int) -> Node:
        """The node at a path; as much of the path as exists."""
        node = self
        for part in path:
            found = node.get(part) if isinstance(part, str) else _item(node, part)
            if found is None:
                return node
            node = found
        return node

    def pairs(self) -> Iterator[tuple[str, Node, Node]]:
        """Each key's text, its node and its value's node."""
        for key, value in self.entries or ():
            yield key.value, key, value

    def within(self, start: int, end: int) -> Place:
        """The place of the characters `start` to `end` of a scalar's value, inside the file."""
        if not isinstance(self.value, str) or self.filled:
            return self.place
        if self._places is None:
            self._places = _offsets(self)
        offsets = self._places
        if not offsets:
            return self.place
        first = offsets[min(start, len(offsets) - 1)]
        last = offsets[min(max(end - 1, start), len(offsets) - 1)]
        return self.source.place(first, max(last + 1, first + 1))


def _item(node: Node, index: int) -> Node | None:
    items = node.items or []
    return items[index] if 0 <= index < len(items) else None


def _offsets(node: Node) -> list[int]:
    """For each character of a scalar's value, its offset in the source: folding, quotes and escapes undone."""
    text = node.source.text
    at, end = node.start, node.end
    if node.style in ("'", '"'):
        at, end = at + 1, end - 1
    elif node.style in ("|", ">"):
        at = text.find("\n", at, end) + 1 or end
    found: list[int] = []
    for char in node.value:
        if char.isspace():
            found.append(min(at, end - 1))
            at += at < end and text[at].isspace()
            continue
        while at < end and text[at].isspace():
            at += 1
        found.append(min(at, max(end - 1, node.start)))
        at += _written(text, at, node.style)
    return found


_LONG_ESCAPES = {"x": 4, "u": 6, "U": 10}


def _written(text: str, at: int, style: str | None) -> int:
    """How many characters of the source write one character of the value."""
    if style == "'" and text[at : at + 2] == "''":
        return 2
    if style == '"' and text[at : at + 1] == "\\":
        return _LONG_ESCAPES.get(text[at + 1 : at + 2], 2)
    return 1
