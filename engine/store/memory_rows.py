"""What the store in memory keeps of sessions, keys and meters."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.ports.records import SessionRow
from engine.session.state.event import Event
from engine.store import chain


@dataclass(slots=True)
class LiveLease:
    """Who drives a session, and until when."""

    owner: str
    until: datetime


@dataclass(slots=True)
class MemorySession:
    """A session with all that was said in it, and who drives it."""

    row: SessionRow
    segments: list[chain.Segment] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    epoch: int = 0
    lease: LiveLease | None = None


@dataclass(slots=True)
class KeptKey:
    """An idempotency key: which call holds it, and what came of that."""

    holder: str
    status: str
    output: Any
    compared: Any
    until: datetime | None
    expired: int = 0


@dataclass(frozen=True, slots=True)
class MeterAddition:
    """What a call added to a meter that sessions share."""

    key: str
    holder: str
    amount: Any
    at: datetime
    settled: bool = False

    def counts(self, since: datetime | None) -> bool:
        """Whether it still counts, of what was added since a moment."""
        return not self.settled or since is None or self.at > since
