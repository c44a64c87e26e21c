"""Events of a server that answers bit by bit, read to their end so that nothing is left open."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

import trio

DONE = "[DONE]"

# numbers stay exact: arguments may come as objects
_loads = partial(json.loads, parse_float=Decimal)

# how long a server may take to end its answer once it has said that it is done, in seconds
LINGER = 1.0


class Bytes(Protocol):
    """A response that is read piece by piece."""

    def iter_bytes(self) -> AsyncIterator[bytes]:
        """Its body."""
        ...


async def _lines(response: Bytes) -> AsyncIterator[str]:
    """The lines of a body: only a line feed ends one, whatever else Unicode calls a line end."""
    rest: list[bytes] = []
    async for chunk in response.iter_bytes():
        *whole, last = chunk.split(b"\n")
        for line in whole:
            yield b"".join((*rest, line)).removesuffix(b"\r").decode("utf-8", "replace")
            rest = []
        rest.append(last)
    yield b"".join(rest).decode("utf-8", "replace")


async def read_events(response: Bytes, take: Callable[[Any], None]) -> None:
    """Hand each event's data to `take`, parsed; raises what it raises, and ValueError for data that is no JSON.

    The reading is stopped by cancelling it: breaking off would leave the generators below unfinished.
    """
    failure: Exception | None = None
    data: list[str] = []
    with trio.CancelScope() as scope:
        async for line in _lines(response):
            if failure is not None:
                continue
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
                continue
            if line or not data:
                continue
            text, data = "\n".join(data), []
            if text == DONE:
                scope.deadline = trio.current_time() + LINGER
                continue
            try:
                take(_loads(text))
            except Exception as error:
                failure = error
                scope.cancel()
    if failure is None and data and "\n".join(data) != DONE:
        take(_loads("\n".join(data)))
    if failure is not None:
        raise failure
