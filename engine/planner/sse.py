"""Events of a server that answers bit by bit, read to their end so that nothing is left open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

import trio

from engine.net.body import unwind
from engine.planner.answer import FAR, Fault
from engine.planner.server_json import parsed, utf8

END_MARK = "[DONE]"

# what a line of an event may be; a byte order mark may stand before the first of them
_FIELDS = frozenset({"data", "event", "id", "retry"})
_MARK = b"\xef\xbb\xbf"

# how many bytes one event may have, and how many events an answer
MAX_EVENT, MAX_EVENTS = 4_000_000, 200_000

# how long a server may take to end its answer once it has said that it is done, in seconds
LINGER = 1.0


class Bytes(Protocol):
    """A response that is read piece by piece."""

    def iter_bytes(self) -> AsyncIterator[bytes]:
        """Its body."""
        ...


class _Lines:
    """The lines of a body: only a line feed ends one, whatever else Unicode calls a line end."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0
        self._first = True

    def of(self, chunk: bytes) -> Iterator[str]:
        """The lines that a piece of the body ends; raises Fault for one that is too large."""
        *whole, last = chunk.split(b"\n")
        for line in whole:
            yield self.rest(line)
        self._rest.append(last)
        self._size += len(last)
        if self._size > MAX_EVENT:
            raise Fault("too_large", f"a line of the answer is larger than {MAX_EVENT} bytes")

    def rest(self, line: bytes = b"") -> str:
        """The line that has begun, and ends with this; raises ValueError for what is no UTF-8."""
        found = b"".join((*self._rest, line)).removesuffix(b"\r")
        if self._first:
            found = found.removeprefix(_MARK)
        self._rest, self._size, self._first = [], 0, False
        return utf8(found)


class _EventReader:
    """Lines put together to events, each handed to `take`, parsed."""

    def __init__(self, take: Callable[[Any], None]) -> None:
        self._take = take
        self._data: list[str] = []
        self._name = ""
        self._size = self._count = 0
        self.done = False

    async def line(self, line: str) -> None:
        """Take in a line; a blank one ends an event.  Raises ValueError for one that belongs to no event."""
        if line.startswith("data:"):
            self._data.append(line[5:].removeprefix(" "))
            self._size += len(line)
            if self._size > MAX_EVENT:
                raise Fault("too_large", f"an event of the answer is larger than {MAX_EVENT} bytes")
        elif not line:
            await self.end()
        elif line.startswith("event:"):
            self._name = line[6:].strip()
        elif not line.startswith(":") and line.partition(":")[0] not in _FIELDS:
            raise ValueError("a line of the stream is no part of an event")

    async def end(self) -> None:
        """The event is over, if one has begun; raises ValueError for data that is no JSON, or behind the end."""
        text, self._data, self._size = "\n".join(self._data), [], 0
        name, self._name = self._name, ""
        if text == END_MARK:
            self.done = True
        elif text:
            if self.done:
                raise ValueError("the server goes on behind the end of its answer")
            self._count += 1
            if self._count > MAX_EVENTS:
                raise Fault("too_large", f"the answer has more than {MAX_EVENTS} events")
            self._take(await parsed(text))
        if name == "error":
            raise Fault("server_error", f"the server says: {text}"[:FAR], retryable=True)


async def read_events(response: Bytes, take: Callable[[Any], None]) -> None:
    """Hand each event's data to `take`, parsed; raises what it raises, ValueError, and Fault for one too large."""
    lines, events, chunks = _Lines(), _EventReader(take), aiter(response.iter_bytes())
    with trio.CancelScope() as scope:
        try:
            async for chunk in chunks:
                lingers = events.done
                for line in lines.of(chunk):
                    await events.line(line)
                if events.done and not lingers:
                    scope.deadline = trio.current_time() + LINGER
        finally:
            await unwind(chunks)
    await events.line(lines.rest())
    await events.end()
