"""The hash chain of a session's log, and the segments it is stored in: a segment is what one append wrote.

Each link covers the link before it, the event's envelope, and a salted hash of its payload.  The salt
stands beside the payload and can be erased with it: the chain still verifies, and nobody can guess
the payload from its hash.  A segment keeps the link of its last event, from which all between follow.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

import zstandard

from engine.language.value import canonical, canonical_of_exact, loads_own, timestamp
from engine.random_bytes import random_hex
from engine.session.state.event import Event, EventKind

GENESIS = "0" * 64
ERASED = "-"

_SALT = 16

# in bytes, unpacked: what one append can write, and what anybody has to hold who reads it
MAX_SEGMENT = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Segment:
    """Events `first` to `last` of a session as they are stored: their lines, compressed, and the last one's link.

    Two lines each: step, kind, time and salt; then the payload.  Of an erased payload the second line is empty,
    and its hash stands behind a dash in the salt's place.
    """

    session_id: str
    first: int
    last: int
    hash: str
    body: bytes


class UnreadableSegment(ValueError):
    """A segment that says no events."""


class UnknownEvents(UnreadableSegment):
    """A chain that is whole, with events that no engine of this version writes: a later one has."""


class SegmentTooLarge(ValueError):
    """An append that nobody could read again."""


_KINDS = frozenset(kind.value for kind in EventKind)

# what comes of bytes that nobody wrote; memory and depth too, of which a few bytes can ask for all there is
_DAMAGE = (ValueError, TypeError, LookupError, AttributeError, MemoryError, RecursionError)


def new_salts(events: Sequence[Event]) -> str:
    """Randomness for the events of one append: sealed with the same again they get the same links."""
    return random_hex(_SALT * len(events))


def seal(events: Sequence[Event], previous: str, salts: str = "") -> Segment:
    """The stored form of the events of one append that follow on the link `previous`; raises TooLarge.

    The `salts` are drawn unless they are given.
    """
    salts = salts or new_salts(events)
    lines: list[str] = []
    of = _of(events[0].session_id)
    link = previous
    at, moment = "", None
    for index, event in enumerate(events):
        payload = canonical_of_exact(event.payload)
        salt = salts[2 * _SALT * index : 2 * _SALT * (index + 1)]
        if event.at is not moment:
            at, moment = timestamp(event.at), event.at
        kind = event.kind.value
        link = _link(link, of, event.seq, event.step, kind, at, _payload_hash(salt, payload))
        lines += (f"{event.step} {kind} {at} {salt}", payload)
    return Segment(events[0].session_id, events[0].seq, events[-1].seq, link, _packed(lines))


def erased(segment: Segment) -> set[int]:
    """The events whose payload was erased."""
    envelopes = enumerate(_lines(segment)[::2], segment.first)
    return {seq for seq, line in envelopes if line.split(" ")[-1].startswith(ERASED)}


def kinds_of(segment: Segment) -> list[str]:
    """The kinds of a segment's events, in their order."""
    return _kinds(_lines(segment))


def _kinds(lines: Sequence[str]) -> list[str]:
    return [line.split(" ")[1] for line in lines[::2]]


def erase(segment: Segment, seq: int) -> Segment:
    """The segment without the payload of one event, which can't be guessed from what is left of it."""
    lines = _lines(segment)
    at = 2 * (seq - segment.first)
    *envelope, salt = lines[at].split(" ")
    if not salt.startswith(ERASED):
        lines[at] = " ".join([*envelope, ERASED + _payload_hash(salt, lines[at + 1])])
        lines[at + 1] = ""
    return replace(segment, body=_packed(lines))


@dataclass(frozen=True, slots=True)
class SegmentPlace:
    """A place in a session's chain: an event, and the link that it has.  The chain starts at `START`."""

    seq: int
    link: str


START = SegmentPlace(0, GENESIS)


def verify(session_id: str, segments: Iterable[Segment], head: SegmentPlace) -> list[str]:
    """What is wrong with a chain that should end at the stored head; empty if it is whole."""
    try:
        read(session_id, segments, START, head)
    except UnreadableSegment as error:
        return [str(error)]
    return []


def read(session_id: str, segments: Iterable[Segment], start: SegmentPlace, head: SegmentPlace) -> list[Event]:
    """The events behind a place, up to the stored head, if they follow on each other.

    Raises UnreadableSegment, and UnknownEvents where all is whole but what a later version wrote.
    """
    events: list[Event] = []
    unknown: set[str] = set()
    seq, link = start.seq, start.link
    for segment in segments:
        if segment.session_id != session_id or segment.first != seq + 1:
            raise UnreadableSegment(f"event {seq + 1} is missing; next stands {segment.first}")
        try:
            lines = _lines(segment)
            link, count = _relink(segment, lines, link)
            if count == segment.last - segment.first + 1 and link == segment.hash:
                new = {kind for kind in _kinds(lines) if kind not in _KINDS}
                unknown |= new
                events += _events(segment, lines) if not new else []
        except _DAMAGE as error:
            raise UnreadableSegment(f"{_span(segment)} can't be read: {_error_text(error)}") from None
        if count != segment.last - segment.first + 1 or link != segment.hash:
            raise UnreadableSegment(f"{_span(segment)} changed, or do not follow on those before")
        seq = segment.last
    if seq != head.seq:
        raise UnreadableSegment(f"the log ends at event {seq}, and its head is {head.seq}")
    if link != head.link:
        raise UnreadableSegment(f"the stored head does not fit event {head.seq}")
    if unknown:
        raise UnknownEvents(f"a later version of the engine wrote {', '.join(sorted(unknown))} into it")
    return events


def _error_text(error: BaseException) -> str:
    """What an error says of damaged bytes, which may be all of them, or nothing."""
    return str(error)[:200] or type(error).__name__


def _span(segment: Segment) -> str:
    one = segment.first == segment.last
    return f"event {segment.first}" if one else f"events {segment.first} to {segment.last}"


def _packed(lines: list[str]) -> bytes:
    compressor = getattr(_of_thread, "compressor", None)
    if compressor is None:
        compressor = _of_thread.compressor = zstandard.ZstdCompressor(level=1)
    raw = "\n".join(lines).encode("ascii")
    if len(raw) > MAX_SEGMENT:
        raise SegmentTooLarge(
            f"{len(raw):,} bytes of events are more than one append can take, which is {MAX_SEGMENT:,}"
        )
    packed: bytes = compressor.compress(raw)
    return packed


# a compressor is for one thread at a time, and making one costs more than using it
_of_thread = threading.local()


def unpacked(body: bytes) -> str:
    """The text of a compressed body, which says how long it is; raises ValueError, MemoryError."""
    try:
        # a frame says how much memory it wants before anything of it is read
        size = zstandard.frame_content_size(body)
        if size > MAX_SEGMENT:
            raise ValueError(f"it claims to hold {size:,} bytes")
        raw: bytes = zstandard.ZstdDecompressor().decompress(body, max_output_size=MAX_SEGMENT)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    return raw.decode("ascii")


def _lines(segment: Segment) -> list[str]:
    return unpacked(segment.body).split("\n")


def _events(segment: Segment, lines: list[str]) -> list[Event]:
    return [
        _event(segment.session_id, segment.first + index, lines[2 * index], lines[2 * index + 1])
        for index in range(len(lines) // 2)
    ]


def _event(session_id: str, seq: int, envelope: str, payload: str) -> Event:
    step, kind, at, salt = envelope.split(" ")
    read = {} if salt.startswith(ERASED) else loads_own(payload)
    if not isinstance(read, dict):
        raise ValueError("a payload is an object")
    return Event(session_id, seq, int(step), EventKind(kind), read, datetime.fromisoformat(at))


def _relink(segment: Segment, lines: list[str], previous: str) -> tuple[str, int]:
    """The link of the last event as the lines say it, and how many events they are."""
    of, link = _of(segment.session_id), previous
    for index in range(0, len(lines), 2):
        step, kind, at, salt = lines[index].split(" ")
        payload = lines[index + 1]
        if salt.startswith(ERASED):
            if payload:
                raise ValueError("a payload stands where one was erased")
            payload_hash = salt.removeprefix(ERASED)
        else:
            payload_hash = _payload_hash(salt, payload)
        link = _link(link, of, segment.first + index // 2, step, kind, at, payload_hash)
    return link, len(lines) // 2


def _payload_hash(salt: str, payload: str) -> str:
    return sha256(f"{salt}\n{payload}".encode("ascii")).hexdigest()


def _of(session_id: str) -> str:
    return canonical(session_id)


def _link(previous: str, of: str, seq: int, step: int | str, kind: str, at: str, payload_hash: str) -> str:
    """The hash over a canonical list; its texts hold nothing that JSON would have to escape.

    What was read is hashed as it stands: `05` is another step than `5`, though it says the same.
    """
    text = f'["{previous}",{of},{seq},{step},"{kind}","{at}","{payload_hash}"]'
    return sha256(text.encode("ascii")).hexdigest()
