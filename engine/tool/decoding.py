"""Bodies that come compressed although nobody asked: undone as they come, and no larger than what may be taken."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

# the formats of zlib by what HTTP calls them; `deflate` comes with and without its frame
_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class CantDecode(ValueError):
    """A body whose coding is not known, or that is not of it; the message says which."""


class TooLarge(ValueError):
    """A body that unpacks to more than may be taken."""


def codings(header: str) -> list[str]:
    """The codings of a body, the last that was applied first; raises CantDecode."""
    named = [one.strip().lower() for one in header.split(",")]
    found = [one for one in named if one not in ("", "identity")]
    unknown = ", ".join(f"`{one}`" for one in found if one not in _WINDOW)
    if unknown:
        raise CantDecode(f"it is encoded as {unknown}, which nobody asked for and can't be undone")
    return found[::-1]


class Decoder:
    """Undoes codings, one behind the other, up to so many bytes."""

    def __init__(self, named: Sequence[str], most: int) -> None:
        self._most = most
        self._steps = [_Step(one) for one in named]
        self._taken = 0

    def feed(self, chunk: bytes) -> bytes:
        """What a piece of the body unpacks to; raises CantDecode, TooLarge."""
        for step in self._steps:
            chunk = step.feed(chunk, self._most - self._taken + 1)
        self._taken += len(chunk)
        if self._taken > self._most:
            raise TooLarge
        return chunk

    def end(self) -> None:
        """The body is over; raises CantDecode if it is not whole."""
        for step in self._steps:
            step.end()


class _Step:
    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._window = _WINDOW[coding]
        self._inflate = zlib.decompressobj(self._window)
        self._begun = False

    def feed(self, chunk: bytes, most: int) -> bytes:
        found = bytearray()
        while chunk:
            found += self._piece(chunk, most - len(found))
            if len(found) > most or self._inflate.unconsumed_tail:
                # what else there is would be too much in any case
                raise TooLarge
            chunk = self._inflate.unused_data
            if chunk:
                # a further member begins
                self._inflate = zlib.decompressobj(self._window)
        return bytes(found)

    def _piece(self, chunk: bytes, most: int) -> bytes:
        try:
            return self._inflate.decompress(chunk, max(most, 1))
        except zlib.error:
            if self._coding == "deflate" and not self._begun:
                self._window, self._inflate = -15, zlib.decompressobj(-15)
                self._begun = True
                return self._piece(chunk, most)
            raise CantDecode(f"it is said to be `{self._coding}`, and is not") from None
        finally:
            self._begun = True

    def end(self) -> None:
        if self._begun and not self._inflate.eof:
            raise CantDecode(f"its `{self._coding}` ends too early")
