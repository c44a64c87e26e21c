"""The hash chain of a session's log.

Each link covers the link before it, the event's envelope, and a salted hash of its payload.  The salt
stands beside the payload and can be erased with it: the chain still verifies, and nobody can guess
the payload from its hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from engine.policy.value import NotJson, canonical, loads, timestamp
from engine.session.event import Event, EventKind

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Link:
    """An event as it is stored; payload and salt are None once erased."""

    session_id: str
    seq: int
    step: int
    kind: str
    at: str
    payload: str | None
    salt: str | None
    payload_hash: str
    hash: str


def link(event: Event, previous: str, salt: str) -> Link:
    """The stored form of an event that follows on the hash `previous`; `salt` is 32 random hex digits."""
    payload = canonical(event.payload)
    payload_hash = _payload_hash(salt, payload)
    at = timestamp(event.at)
    own = _hash(previous, event.session_id, event.seq, event.step, event.kind.value, at, payload_hash)
    return Link(event.session_id, event.seq, event.step, event.kind.value, at, payload, salt, payload_hash, own)


def unlink(row: Link) -> Event:
    """The event that a link holds; an erased payload reads as empty."""
    payload = loads(row.payload) if row.payload is not None else {}
    return Event(row.session_id, row.seq, row.step, EventKind(row.kind), payload, datetime.fromisoformat(row.at))


def verify(session_id: str, rows: Iterable[Link], head_seq: int, head_hash: str) -> list[str]:
    """What is wrong with a chain that should end at the stored head; empty if it is whole."""
    previous, expected, problems = GENESIS, 1, list[str]()
    for row in rows:
        if row.session_id != session_id or row.seq != expected:
            return [*problems, f"event {expected} is missing; next stands {row.seq}"]
        if row.payload is not None and (row.salt is None or _payload_hash(row.salt, row.payload) != row.payload_hash):
            problems.append(f"event {row.seq}: its payload was changed")
        if row.payload is None and row.salt is not None:
            problems.append(f"event {row.seq}: its payload is gone, but not its salt")
        own = _hash(previous, row.session_id, row.seq, row.step, row.kind, row.at, row.payload_hash)
        if own != row.hash:
            problems.append(f"event {row.seq}: it does not follow on the one before, or was changed")
        previous, expected = row.hash, expected + 1
    if expected - 1 != head_seq:
        problems.append(f"the log ends at event {expected - 1}, and its head is {head_seq}")
    elif previous != head_hash:
        problems.append(f"the stored head does not fit event {head_seq}")
    return problems


def parsed(row: Link) -> str | None:
    """What keeps a link from being read as an event, or None."""
    try:
        unlink(row)
    except (NotJson, ValueError, TypeError) as error:
        return f"event {row.seq}: it can't be read: {error}"
    return None


def _payload_hash(salt: str, payload: str) -> str:
    return sha256(f"{salt}\n{payload}".encode("utf-8", "surrogatepass")).hexdigest()


def _hash(previous: str, *envelope: object) -> str:
    return sha256(canonical([previous, *envelope]).encode("ascii")).hexdigest()
