"""Bodies that others send: their codings undone as they come, and no more of them taken than may be."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Sequence

import httpx2
import trio

# the formats of zlib by what HTTP calls them; `deflate` comes with and without its frame
_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}

# how often a body may be encoded, and of how many members one coding may be
MOST_CODINGS, MOST_MEMBERS = 2, 1_000

# so many bytes are undone at once: what they unpack to is a few megabytes at most
PIECE = 4_096

# what is handed on at once; in between a deadline may pass
HANDED_ON = 65_536


class CantDecode(ValueError):
    """A body whose coding is not known, or that is not of it; the message says which."""


class BodyTooLarge(ValueError):
    """A body that unpacks to more than may be taken."""


def codings(header: str) -> list[str]:
    """The codings of a body, the last that was applied first; raises CantDecode."""
    named = [one.strip().lower() for one in header.split(",")]
    found = [one for one in named if one not in ("", "identity")]
    unknown = ", ".join(f"`{one[:40]}`" for one in found[:MOST_CODINGS] if one not in _WINDOW)
    if unknown:
        raise CantDecode(f"it is encoded as {unknown}, which nobody asked for and can't be undone")
    if len(found) > MOST_CODINGS:
        raise CantDecode(f"it is encoded {len(found)} times")
    return found[::-1]


class Decoder:
    """Undoes codings, one behind the other, up to so many bytes; none of them may unpack to more."""

    def __init__(self, named: Sequence[str], most: int) -> None:
        self._most = most
        self._steps = [_Step(one, most) for one in named]
        self._taken = 0

    def feed(self, chunk: bytes) -> bytes:
        """What a piece of the body unpacks to; raises CantDecode, TooLarge."""
        for step in self._steps:
            chunk = step.feed(chunk)
        self._taken += len(chunk)
        if self._taken > self._most:
            raise BodyTooLarge
        return chunk

    def end(self) -> None:
        """The body is over; raises CantDecode if it is not whole."""
        for step in self._steps:
            step.end()


class _Step:
    def __init__(self, coding: str, most: int) -> None:
        self._coding = coding
        self._left = most
        self._window = _WINDOW[coding]
        self._inflate = zlib.decompressobj(self._window)
        self._members = 1
        self._begun = False

    def feed(self, chunk: bytes) -> bytes:
        # what is behind a member is copied: of a small piece that costs little
        pieces = (chunk[at : at + PIECE] for at in range(0, len(chunk), PIECE))
        return b"".join(part for piece in pieces for part in self._parts(piece))

    def _parts(self, piece: bytes) -> list[bytes]:
        found: list[bytes] = []
        while piece:
            part = self._inflated(piece)
            found.append(part)
            self._left -= len(part)
            if self._left < 0 or self._inflate.unconsumed_tail:
                # what else there is would be too much in any case
                raise BodyTooLarge
            piece = self._inflate.unused_data
            if piece:
                self._further_member()
        return found

    def _further_member(self) -> None:
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise CantDecode(f"its `{self._coding}` has more than {MOST_MEMBERS} members")
        self._inflate = zlib.decompressobj(self._window)

    def _inflated(self, piece: bytes) -> bytes:
        try:
            return self._inflate.decompress(piece, self._left + 1)
        except zlib.error:
            if self._coding == "deflate" and not self._begun:
                self._window, self._inflate = -15, zlib.decompressobj(-15)
                self._begun = True
                return self._inflated(piece)
            raise CantDecode(f"it is said to be `{self._coding}`, and is not") from None
        finally:
            self._begun = True

    def end(self) -> None:
        if self._begun and not self._inflate.eof:
            raise CantDecode(f"its `{self._coding}` ends too early")


class LargerThan(httpx2.TransportError):
    """A body that is larger than a client takes; the message says what it takes."""


def bound(response: httpx2.Response, most: int) -> None:
    """Have a response's body read as UTF-8 with its codings undone, up to so many bytes.

    Reading it raises LargerThan, and httpx2.DecodingError for what can't be undone.
    """
    as_utf8(response)
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _BoundedStream(response.stream, response.headers.pop("content-encoding", ""), most)


def as_utf8(response: httpx2.Response) -> None:
    """Have a response's text read as UTF-8: some of the codecs that a server can name take very long."""
    if "content-type" in response.headers:
        response.headers["content-type"] = response.headers["content-type"].partition(";")[0]


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, encoded: str, most: int) -> None:
        self._inner = inner
        self._encoded = encoded
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._inner)
        raw = 0
        try:
            decoder = Decoder(codings(self._encoded), self._most)
            async for chunk in chunks:
                raw += len(chunk)
                if raw > self._most:
                    raise BodyTooLarge
                for at in range(0, len(chunk), PIECE):
                    found = decoder.feed(chunk[at : at + PIECE])
                    for start in range(0, len(found), HANDED_ON):
                        yield found[start : start + HANDED_ON]
                        await trio.lowlevel.checkpoint()
            decoder.end()
        except BodyTooLarge:
            raise LargerThan(f"the answer is larger than {self._most} bytes") from None
        except CantDecode as error:
            raise httpx2.DecodingError(f"the answer can't be read: {error}") from None
        finally:
            await unwind(chunks)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def unwind(chunks: AsyncIterator[bytes]) -> None:
    """End the reading of a body: the generators below it would be left unfinished, and end where they wait."""
    with trio.CancelScope() as scope:
        scope.cancel()
        while await anext(chunks, None) is not None:
            continue
