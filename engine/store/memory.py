"""A store in memory: for fixtures, tests and trying things out."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from engine import ports
from engine.policy.arithmetic import add, total
from engine.ports import (
    Appended,
    AppendResult,
    Conflict,
    Fenced,
    Held,
    KeyHeld,
    Lease,
    MeterFull,
    RequestRow,
    SessionRow,
)
from engine.session.event import Event, EventKind
from engine.store import chain
from engine.store.projection import (
    IN_FLIGHT,
    OK,
    ClaimKey,
    CloseRequest,
    OpenRequest,
    Reserve,
    SetState,
    SettleKey,
    SettleMeters,
    changes,
)


@dataclass(slots=True)
class _Session:
    row: SessionRow
    links: list[chain.Link] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    epoch: int = 0
    lease: Lease | None = None


@dataclass(slots=True)
class _Key:
    holder: str
    status: str
    output: Any
    compared: Any
    until: datetime | None


@dataclass(frozen=True, slots=True)
class _Added:
    key: str
    holder: str
    amount: Any
    at: datetime
    settled: bool = False

    def counts(self, since: datetime | None) -> bool:
        return not self.settled or since is None or self.at > since


class MemoryStore:
    """Keeps everything until the process ends."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._keys: dict[str, _Key] = {}
        self._added: list[_Added] = []
        self._requests: dict[str, RequestRow] = {}
        self._bundles: dict[str, dict[str, bytes]] = {}

    async def append(
        self, session_id: str, after: int, events: Sequence[Event], *, epoch: int | None = None
    ) -> AppendResult:
        """See `ports.Store`."""
        session = self._sessions.get(session_id)
        seq = session.row.seq if session else 0
        if session is not None and epoch is not None and epoch < session.epoch:
            return Fenced(session.epoch)
        if seq != after:
            return Conflict(seq)
        held = self._refused(events)
        if held is not None:
            return held
        if session is None:
            session = self._sessions[session_id] = _Session(_new_row(events[0]))
        for event in events:
            previous = session.links[-1].hash if session.links else chain.GENESIS
            session.links.append(chain.link(event, previous, secrets.token_hex(16)))
            session.events.append(event)
        session.row = replace(session.row, seq=events[-1].seq, updated_at=events[-1].at)
        self._project(session, events)
        return Appended()

    def _refused(self, events: Sequence[Event]) -> KeyHeld | MeterFull | None:
        added: list[_Added] = []
        for change in changes(events):
            if isinstance(change, Reserve):
                used = total(
                    entry.amount
                    for entry in (*self._added, *added)
                    if entry.key == change.key and entry.holder != change.holder and entry.counts(change.since)
                )
                if add(used, change.amount) > change.limit:
                    return MeterFull(change.holder, change.meter, used, change.limit)
                added.append(_Added(change.key, change.holder, change.amount, change.at))
            if isinstance(change, ClaimKey) and change.key in self._keys:
                key = self._keys[change.key]
                forgotten = key.status == OK and key.until is not None and key.until <= change.at
                if key.holder != change.holder and not forgotten:
                    return KeyHeld(change.key, key.status, key.output, key.holder, key.compared)
        return None

    def _project(self, session: _Session, events: Sequence[Event]) -> None:
        for change in changes(events):
            match change:
                case ClaimKey(key, holder):
                    self._keys[key] = _Key(holder, IN_FLIGHT, None, change.compared, change.until)
                case Reserve():
                    self._added.append(_Added(change.key, change.holder, change.amount, change.at))
                case SettleMeters(holder, keep):
                    own = [entry for entry in self._added if entry.holder == holder]
                    self._added = [entry for entry in self._added if entry.holder != holder]
                    self._added += [replace(entry, settled=True) for entry in own] if keep else []
                case SettleKey(holder, output, status):
                    for key in [k for k, v in self._keys.items() if v.holder == holder]:
                        if status is not None:
                            self._keys[key] = replace(self._keys[key], status=status, output=output)
                        else:
                            del self._keys[key]
                case OpenRequest(row):
                    self._requests[row.id] = row
                case CloseRequest(request_id, status):
                    self._requests[request_id] = replace(self._requests[request_id], status=status)
                case SetState(state, outcome):
                    session.row = replace(session.row, state=state, outcome=outcome)

    def _get(self, session_id: str) -> _Session:
        try:
            return self._sessions[session_id]
        except KeyError:
            raise ports.UnknownSession(session_id) from None

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """See `ports.Store`."""
        return self._get(session_id).events[after:]

    async def head(self, session_id: str) -> tuple[int, int]:
        """See `ports.Store`."""
        session = self._get(session_id)
        return session.row.seq, session.epoch

    async def claim(self, session_id: str, owner: str, lease: timedelta, now: datetime) -> Lease | Held:
        """See `ports.Store`."""
        session = self._get(session_id)
        live = session.lease
        if live is not None and live.until > now and live.owner != owner:
            return Held(live.owner, live.until)
        session.epoch += 1
        session.lease = Lease(session_id, owner, session.epoch, now + lease)
        return session.lease

    async def renew(self, lease: Lease, until: datetime) -> bool:
        """See `ports.Store`."""
        session = self._get(lease.session_id)
        if session.epoch != lease.epoch or session.lease is None:
            return False
        session.lease = replace(session.lease, until=until)
        return True

    async def release(self, lease: Lease) -> None:
        """See `ports.Store`."""
        session = self._get(lease.session_id)
        if session.epoch == lease.epoch:
            session.lease = None

    async def sessions(self, limit: int | None = None, state: str | None = None) -> list[SessionRow]:
        """See `ports.Store`."""
        rows = [s.row for s in self._sessions.values() if state is None or s.row.state == state]
        rows.sort(key=lambda row: (row.created_at, row.id), reverse=True)
        return rows[:limit]

    async def session(self, session_id: str) -> SessionRow:
        """See `ports.Store`."""
        return self._get(session_id).row

    async def requests(self, *, session_id: str | None = None, open_only: bool = True) -> list[RequestRow]:
        """See `ports.Store`."""
        rows = [
            row
            for row in self._requests.values()
            if (session_id is None or row.session_id == session_id) and (row.status == "open" or not open_only)
        ]
        return sorted(rows, key=lambda row: (row.opened_at, row.id))

    async def request(self, request_id: str) -> RequestRow | None:
        """See `ports.Store`."""
        return self._requests.get(request_id)

    async def verify(self, session_id: str) -> list[str]:
        """See `ports.Store`."""
        session = self._get(session_id)
        last = session.links[-1]
        return chain.verify(session_id, session.links, last.seq, last.hash)

    async def save_bundle(self, digest: str, files: Mapping[str, bytes]) -> None:
        """See `ports.Store`."""
        self._bundles.setdefault(digest, dict(files))

    async def load_bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """See `ports.Store`."""
        return self._bundles.get(digest)


def _new_row(first: Event) -> SessionRow:
    assert first.kind is EventKind.SESSION_STARTED
    p = first.payload
    return SessionRow(first.session_id, p["agent"], "running", "running", p["bundle"], 1, first.at, first.at)
