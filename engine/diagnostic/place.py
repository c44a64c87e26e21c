"""Where in a user's file something stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from engine.diagnostic.visible import line

_LINE_END = re.compile("\n")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A stretch of text: lines and columns count from 1 in characters, the end column is exclusive."""

    file: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 2

    def __str__(self) -> str:
        return f"{line(self.file)}:{self.line}:{self.column}"


class SourceFile:
    """The text of one file, able to turn character offsets into places."""

    __slots__ = ("_starts", "file", "text")

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._starts = [0, *(found.end() for found in _LINE_END.finditer(text))]

    def offset(self, line: int, column: int) -> int:
        """The character offset of a line and column, both counted from 0."""
        if line >= len(self._starts):
            return len(self.text)
        return min(self._starts[line] + column, len(self.text))

    def place(self, start: int, end: int) -> Place:
        """The place of the characters from `start` up to, not including, `end`."""
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, max(start, end - 1)) - 1
        column = start - self._starts[first] + 1
        end_column = max(end - self._starts[last] + 1, column + 1 if first == last else 1)
        return Place(self.file, first + 1, column, last + 1, end_column)

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its line break."""
        if not 1 <= number <= len(self._starts):
            return ""
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[self._starts[number - 1] : end].rstrip("\r")
