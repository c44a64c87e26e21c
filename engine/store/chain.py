"""The hash chain of a session's log, and the segments it is stored in: a segment is what one append wrote.

Each link covers the link before it, the event's envelope, and a salted hash of its payload.  The salt
stands beside the payload and can be erased with it: the chain still verifies, and nobody can guess
the payload from its hash.  A segment keeps the link of its last event, from which all between follow.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

import zstandard

from engine.policy.value import canonical, canonical_of_exact, loads_own, timestamp
from engine.session.event import Event, EventKind

GENESIS = "0" * 64
ERASED = "-"

_SALT = 16
MAX_SEGMENT = 512 * 1024 * 1024


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


class Unreadable(ValueError):
    """A segment that says no events."""


def seal(events: Sequence[Event], previous: str) -> Segment:
    """The stored form of the events of one append that follow on the link `previous`."""
    salts = os.urandom(_SALT * len(events)).hex()
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


def open_segment(segment: Segment) -> list[Event]:
    """The events of a segment, an erased payload as empty; raises Unreadable."""
    try:
        lines = _lines(segment)
        return [
            _event(segment.session_id, segment.first + index, lines[2 * index], lines[2 * index + 1])
            for index in range(len(lines) // 2)
        ]
    except (ValueError, TypeError, IndexError) as error:
        raise Unreadable(f"{_span(segment)} can't be read: {error}") from None


def erase(segment: Segment, seq: int) -> Segment:
    """The segment without the payload of one event, which can't be guessed from what is left of it."""
    lines = _lines(segment)
    at = 2 * (seq - segment.first)
    *envelope, salt = lines[at].split(" ")
    if not salt.startswith(ERASED):
        lines[at] = " ".join([*envelope, ERASED + _payload_hash(salt, lines[at + 1])])
        lines[at + 1] = ""
    return replace(segment, body=_packed(lines))


def verify(session_id: str, segments: Iterable[Segment], head_seq: int, head_hash: str) -> list[str]:
    """What is wrong with a chain that should end at the stored head; empty if it is whole."""
    previous, expected = GENESIS, 1
    for segment in segments:
        if segment.session_id != session_id or segment.first != expected:
            return [f"event {expected} is missing; next stands {segment.first}"]
        try:
            link, count = _relink(segment, previous)
        except (ValueError, IndexError) as error:
            return [f"{_span(segment)} can't be read: {error}"]
        if count != segment.last - segment.first + 1 or link != segment.hash:
            return [f"{_span(segment)} changed, or do not follow on those before"]
        previous, expected = link, segment.last + 1
    if expected - 1 != head_seq:
        return [f"the log ends at event {expected - 1}, and its head is {head_seq}"]
    return [] if previous == head_hash else [f"the stored head does not fit event {head_seq}"]


def _span(segment: Segment) -> str:
    one = segment.first == segment.last
    return f"event {segment.first}" if one else f"events {segment.first} to {segment.last}"


def _packed(lines: list[str]) -> bytes:
    compressor = getattr(_of_thread, "compressor", None)
    if compressor is None:
        compressor = _of_thread.compressor = zstandard.ZstdCompressor(level=1)
    packed: bytes = compressor.compress("\n".join(lines).encode("ascii"))
    return packed


# a compressor is for one thread at a time, and making one costs more than using it
_of_thread = threading.local()


def _lines(segment: Segment) -> list[str]:
    try:
        raw = zstandard.ZstdDecompressor().decompress(segment.body, max_output_size=MAX_SEGMENT)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    return raw.decode("ascii").split("\n")


def _event(session_id: str, seq: int, envelope: str, payload: str) -> Event:
    step, kind, at, salt = envelope.split(" ")
    read = {} if salt.startswith(ERASED) else loads_own(payload)
    if not isinstance(read, dict):
        raise ValueError("a payload is an object")
    return Event(session_id, seq, int(step), EventKind(kind), read, datetime.fromisoformat(at))


def _relink(segment: Segment, previous: str) -> tuple[str, int]:
    """The link of the last event as the lines say it, and how many events they are."""
    lines, of, link = _lines(segment), _of(segment.session_id), previous
    for index in range(0, len(lines), 2):
        step, kind, at, salt = lines[index].split(" ")
        payload = lines[index + 1]
        if salt.startswith(ERASED):
            if payload:
                raise ValueError("a payload stands where one was erased")
            payload_hash = salt.removeprefix(ERASED)
        else:
            payload_hash = _payload_hash(salt, payload)
        link = _link(link, of, segment.first + index // 2, int(step), kind, at, payload_hash)
    return link, len(lines) // 2


def _payload_hash(salt: str, payload: str) -> str:
    return sha256(f"{salt}\n{payload}".encode("ascii")).hexdigest()


def _of(session_id: str) -> str:
    return canonical(session_id)


def _link(previous: str, of: str, seq: int, step: int, kind: str, at: str, payload_hash: str) -> str:
    """The hash over a canonical list; its texts hold nothing that JSON would have to escape."""
    text = f'["{previous}",{of},{seq},{step},"{kind}","{at}","{payload_hash}"]'
    return sha256(text.encode("ascii")).hexdigest()
