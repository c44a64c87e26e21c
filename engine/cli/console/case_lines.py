"""Cases as they come in: a JSON text on each line, or a JSON list of them.

Lines are read one after the other, so that there may be any number of them; what can't be read hurts its line only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from engine.language.value import NotJson, loads

MOST = 16_000_000  # bytes of a line
MOST_IN_LIST = 256_000_000  # bytes of a list, which is read as a whole
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class UnreadLine:
    """A line that is no JSON, and why."""

    why: str


def cases_in(stream: BinaryIO) -> Iterator[tuple[str, Any]]:
    """Each case with its place, as it comes in, or an Unread; raises NotJson for a list that can't be read."""
    lines = _lines(stream)
    first = next(lines, None)
    if first is None:
        return
    number, line = first
    if not line.startswith(b"["):
        yield _read(number, line)
    else:
        alone = _alone(line)
        second = next(lines, None) if alone is not None else None
        if alone is None or second is None:
            whole = alone if alone is not None else _whole(line, stream)
            yield from ((f"case {place}", case) for place, case in enumerate(whole, 1))
            return
        # a list of its own that others come behind is a line of them, and no case
        yield _read(number, line)
        yield _read(*second)
    for number, line in lines:
        yield _read(number, line)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that hold something, by number; of one that is too long only as much as tells that it is."""
    number = 0
    while line := stream.readline(MOST + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_MARK)
        if line.strip():
            yield number, line.lstrip() if len(line) <= MOST else line
        while len(line) > MOST and not line.endswith(b"\n"):
            line = stream.readline(MOST + 1)


def _read(number: int, line: bytes) -> tuple[str, Any]:
    place = f"line {number}"
    if len(line) > MOST:
        return place, UnreadLine(f"it is longer than {MOST} bytes")
    try:
        return place, loads(line)
    except NotJson as error:
        return place, UnreadLine(str(error))


def _alone(line: bytes) -> list[Any] | None:
    """The list that a line holds as a whole."""
    try:
        found: list[Any] = loads(line)
    except NotJson:
        return None
    return found


def _whole(begin: bytes, stream: BinaryIO) -> list[Any]:
    text = begin + stream.read(MOST_IN_LIST - len(begin) + 1)
    if len(text) > MOST_IN_LIST:
        raise NotJson(f"a list is read as a whole, and may have {MOST_IN_LIST} bytes: write a case on each line")
    found: list[Any] = loads(text)
    return found
