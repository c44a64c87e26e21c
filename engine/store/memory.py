"""A store in memory: for fixtures, tests and trying things out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from engine.language.arithmetic import add, total
from engine.ports import records as stored
from engine.ports.clock import Clock
from engine.ports.records import (
    ERASED,
    FREE,
    IN_FLIGHT,
    Appended,
    AppendResult,
    Claim,
    Conflict,
    ExpiredKey,
    Fenced,
    FullMeter,
    Head,
    HeldKey,
    HeldSession,
    InboxPage,
    JobLease,
    Lease,
    RequestRow,
    SessionRow,
    session_of,
)  # fmt: skip
from engine.session.state.event import Event, EventKind
from engine.session.state.state import FINAL, Status
from engine.store import chain
from engine.store.erase import KEPT, erased_segments
from engine.store.memory_access import MemoryAccess
from engine.store.memory_deliveries import MemoryDeliveries
from engine.store.memory_deployments import MemoryDeployments
from engine.store.memory_lists import about, by_deadline, request_rows, session_rows
from engine.store.memory_queue import MemoryQueue
from engine.store.memory_rows import KeptKey, LiveLease, MemorySession, MeterAddition
from engine.store.projection import (
    ClaimKey,
    CloseRequest,
    DelayRequest,
    Enqueue,
    MoveJob,
    OpenRequest,
    Reserve,
    SetState,
    SettleKey,
    SettleMeters,
    Wake,
    changes,
    generation_of,
    row_key,
)
from engine.trio_clock import TrioClock


class MemoryStore(MemoryQueue):
    """Keeps everything until the process ends."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock or TrioClock())
        self._sessions: dict[str, MemorySession] = {}
        self._keys: dict[str, KeptKey] = {}
        self._added: list[MeterAddition] = []
        self._requests: dict[str, RequestRow] = {}
        self._snapshots: dict[str, tuple[str, str]] = {}
        self._bundles: dict[str, dict[str, bytes]] = {}
        self._urgent: dict[str, int] = {}
        self.access = MemoryAccess()
        self.deployments = MemoryDeployments()
        self.deliveries = MemoryDeliveries()

    @property
    def keeps_snapshots(self) -> bool:
        """See `ports.Store`: nobody else writes here."""
        return True

    async def append(
        self,
        session_id: str,
        after: int,
        events: Sequence[Event],
        *,
        epoch: int | None = None,
        take: Claim | None = None,
        release_lease: bool = False,
        job: JobLease | None = None,
    ) -> AppendResult:
        """See `ports.Store`."""
        session = self._sessions.get(session_id)
        seq = session.row.seq if session else 0
        newest = session.epoch if session else 0
        if epoch is not None and epoch < newest:
            return Fenced(newest)
        if seq != after:
            return Conflict(seq)
        if job is not None and not self.holds(job):
            return Fenced(newest)
        live, now = session.lease if session else None, self.clock.now()
        if take is not None and live is not None and live.until > now and live.owner != take.lease.owner:
            return HeldSession(live.owner, live.until)
        if take is not None and take.lease.epoch <= newest:
            return Conflict(seq)
        held = self._refused(events)
        if held is not None:
            return held
        if session is None:
            session = self._sessions[session_id] = MemorySession(_new_row(events[0]))
        previous = session.segments[-1].hash if session.segments else chain.GENESIS
        session.segments.append(chain.seal(events, previous))
        session.events += events
        session.row = replace(session.row, seq=events[-1].seq, updated_at=events[-1].at)
        if take is not None:
            session.epoch = take.lease.epoch
            session.lease = LiveLease(take.lease.owner, now + take.duration)
        if release_lease:
            session.lease = None
        self._project(session, events)
        return Appended()

    async def meter_used(self, key: str, since: datetime | None) -> Any:
        """See `ports.Store`."""
        return total(entry.amount for entry in self._added if entry.key == row_key(key) and entry.counts(since))

    def _refused(self, events: Sequence[Event]) -> HeldKey | ExpiredKey | FullMeter | None:
        added: list[MeterAddition] = []
        claimed: dict[str, str] = {}
        for change in changes(events):
            if isinstance(change, Reserve):
                used = total(
                    entry.amount
                    for entry in (*self._added, *added)
                    if entry.key == change.key and entry.holder != change.holder and entry.counts(change.since)
                )
                if add(used, change.amount) > change.limit:
                    return FullMeter(change.holder, change.meter, used, change.limit)
                added.append(MeterAddition(change.key, change.holder, change.amount, change.at))
            if isinstance(change, ClaimKey) and claimed.setdefault(change.key, change.holder) != change.holder:
                return HeldKey(change.key, IN_FLIGHT, None, claimed[change.key])
            if isinstance(change, ClaimKey) and change.key in self._keys:
                key = self._keys[change.key]
                if key.holder == change.holder and key.status != FREE:
                    continue
                generation = generation_of(key.status, key.until, key.expired, change.at)
                if generation is None:
                    return HeldKey(change.key, key.status, key.output, key.holder, key.compared)
                if generation != change.generation:
                    return ExpiredKey(change.key, generation)
        return None

    def _project(self, session: MemorySession, events: Sequence[Event]) -> None:
        for change in changes(events):
            match change:
                case ClaimKey(key, holder):
                    self._keys[key] = KeptKey(holder, IN_FLIGHT, None, change.compared, change.until, change.generation)
                case Reserve():
                    self._added.append(MeterAddition(change.key, change.holder, change.amount, change.at))
                case SettleMeters(holder, keep):
                    own = [entry for entry in self._added if entry.holder == holder]
                    self._added = [entry for entry in self._added if entry.holder != holder]
                    self._added += [replace(entry, settled=True) for entry in own] if keep else []
                case SettleKey(holder, output, status):
                    for key in [k for k, v in self._keys.items() if v.holder == holder]:
                        if status is not None:
                            self._keys[key] = replace(self._keys[key], status=status, output=output)
                        elif self._keys[key].expired:
                            self._keys[key] = replace(self._keys[key], status=FREE, output=None)
                        else:
                            del self._keys[key]
                case Enqueue():
                    self.put(session.row.id, change)
                case MoveJob():
                    self.move(change)
                case OpenRequest(row):
                    self._requests[row.id] = row
                case DelayRequest(request_id, counts_at):
                    self._requests[request_id] = replace(self._requests[request_id], counts_at=counts_at)
                case CloseRequest(request_id, status):
                    self._requests[request_id] = replace(self._requests[request_id], status=status)
                case SetState(state, outcome):
                    session.row = replace(session.row, state=state, outcome=outcome)
                case Wake():
                    if change.applies(session.row.state):
                        session.row = replace(session.row, state=Status.RUNNING.value, outcome=Status.RUNNING.value)
                case _:
                    assert_never(change)

    def _get(self, session_id: str) -> MemorySession:
        try:
            return self._sessions[session_id]
        except KeyError:
            raise stored.UnknownSession(session_id) from None

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """See `ports.Store`."""
        return self._get(session_id).events[after:]

    async def heads(self, session_ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """See `ports.Store`."""
        known = ((id_, self._sessions[id_]) for id_ in session_ids if id_ in self._sessions)
        return {id_: (session.row.seq, session.epoch) for id_, session in known}

    async def save_snapshot(self, session_id: str, seq: int, version: str, text: str) -> None:
        """See `ports.Store`."""
        self._snapshots[session_id] = (version, text)

    async def snapshot(self, session_id: str, version: str) -> str | None:
        """See `ports.Store`."""
        of, text = self._snapshots.get(session_id, ("", ""))
        return text if of == version else None

    async def renew(self, leases: Sequence[Lease], duration: timedelta) -> None:
        """See `ports.Store`."""
        until = self.clock.now() + duration
        for lease in leases:
            session = self._get(lease.session_id)
            if session.epoch == lease.epoch and session.lease is not None:
                session.lease = replace(session.lease, until=until)

    async def release(self, lease: Lease) -> None:
        """See `ports.Store`."""
        session = self._get(lease.session_id)
        if session.epoch == lease.epoch:
            session.lease = None

    async def session_ids(self) -> list[str]:
        """See `ports.Store`."""
        return list(self._sessions)

    async def due_sessions(self) -> list[str]:
        """See `ports.Store`."""
        now = self.clock.now()
        due = {
            row.session_id
            for row in self._requests.values()
            if row.status == "open" and row.due_at is not None and row.due_at <= now
        }
        return [
            id_
            for id_, session in self._sessions.items()
            if (session.lease is None or session.lease.until <= now)
            and (session.row.state == "running" or (id_ in due and session.row.state not in FINAL))
        ]

    async def sessions(
        self,
        limit: int | None = None,
        state: str | None = None,
        *,
        since: datetime | None = None,
        agent: str | None = None,
        before: str | None = None,
        tenant: str | None = None,
    ) -> list[SessionRow]:
        """See `ports.Store`."""
        own = None if tenant is None else set(await self.access.sessions_of(tenant))
        last = None if before is None else self._get(before).row
        every = [session.row for session in self._sessions.values()]
        return session_rows(every, limit, state, since=since, agent=agent, before=last, among=own)

    async def session(self, session_id: str) -> SessionRow:
        """See `ports.Store`."""
        return self._get(session_id).row

    async def requests(
        self, *, session_id: str | None = None, open_only: bool = True, after: str | None = None,
        limit: int | None = None, tenant: str | None = None,
    ) -> list[RequestRow]:  # fmt: skip
        """See `ports.Store`."""
        own = None if tenant is None else set(await self.access.sessions_of(tenant))
        return request_rows(
            self._requests, session_id=session_id, open_only=open_only, after=after, limit=limit, among=own
        )

    async def inbox(self, *, open_only: bool = True, limit: int | None = None, tenant: str | None = None) -> InboxPage:
        """See `ports.Store`."""
        return by_deadline(await self.requests(open_only=open_only, tenant=tenant), limit)

    async def requests_about(self, value: str, *, limit: int, tenant: str | None = None) -> list[RequestRow]:
        """See `ports.Store`."""
        return about(await self.requests(open_only=False, tenant=tenant), value, limit)

    async def request(self, request_id: str) -> RequestRow | None:
        """See `ports.Store`."""
        return self._requests.get(request_id)

    async def verify(self, session_id: str, known: Sequence[Head] = ()) -> list[str]:
        """See `ports.Store`."""
        segments = self._get(session_id).segments
        problems = chain.verify(session_id, segments, chain.SegmentPlace(segments[-1].last, segments[-1].hash))
        there = {(one.last, one.hash) for one in segments}
        changed = [head.seq for head in known if (head.seq, head.hash) not in there]
        return problems + [f"event {seq} is another than the exported head, or is missing" for seq in changed]

    async def erased(self, session_id: str) -> list[int]:
        """See `ports.Store`."""
        return [seq for segment in self._get(session_id).segments for seq in sorted(chain.erased(segment))]

    async def erase(self, session_id: str) -> int:
        """See `ports.Store`."""
        session = self._get(session_id)
        session.segments[:], count = erased_segments(session.segments)
        session.events[:] = [one if one.kind in KEPT else replace(one, payload={}) for one in session.events]
        self._snapshots.pop(session_id, None)
        self._requests = {key: row for key, row in self._requests.items() if row.session_id != session_id}
        self._jobs = {key: row for key, row in self._jobs.items() if row.session_id != session_id}
        for key, held in self._keys.items():
            if session_of(held.holder) == session_id and held.output is not None:
                self._keys[key] = replace(held, status=ERASED, output=None, compared=None)
        self.access.forget_digests(session_id)
        return count

    async def strays(self) -> Mapping[str, list[str]]:
        """See `ports.Store`: nobody else writes here."""
        return {}

    async def check_open(self) -> None:
        """See `ports.Store`: it is in this process, and nowhere else."""

    async def file_problems(self) -> list[str]:
        """See `ports.Store`."""
        return []

    async def chain_heads(self) -> list[Head]:
        """See `ports.Store`."""
        ends = {id_: session.segments[-1] for id_, session in self._sessions.items()}
        return [Head(id_, end.last, end.hash, None) for id_, end in ends.items()]

    async def seal(self, session_id: str, *, unsealed: bool = False) -> list[str]:
        """See `ports.Store`."""
        self._get(session_id)
        return ["a store in memory has no key"]

    async def save_bundle(self, digest: str, files: Mapping[str, bytes], *, urgent: bool = False) -> None:
        """See `ports.Store`."""
        if digest not in self._bundles:
            self._bundles[digest] = dict(files)
            if urgent:
                self._urgent[digest] = len(self._bundles)

    async def set_urgent(self, digest: str, urgent: bool) -> bool:
        """See `ports.Store`."""
        self._urgent.pop(digest, None)
        if urgent and digest in self._bundles:
            self._urgent[digest] = len(self._bundles)
        return digest in self._bundles

    async def urgent_bundles(self, after: str | None = None) -> Sequence[str]:
        """See `ports.Store`."""
        kept = list(self._bundles)
        place = {digest: number for number, digest in enumerate(kept, 1)}
        if after is not None and after not in place:
            return []
        later = [d for d, at in self._urgent.items() if d != after and (after is None or at >= place[after])]
        return sorted(later, key=lambda digest: (self._urgent[digest], place[digest]))

    async def bundles(self) -> list[str]:
        """See `ports.Store`."""
        return list(self._bundles)

    async def load_bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """See `ports.Store`."""
        return self._bundles.get(digest)


def _new_row(first: Event) -> SessionRow:
    assert first.kind is EventKind.SESSION_STARTED
    p = first.payload
    return SessionRow(first.session_id, p["agent"], "running", "running", p["bundle"], 1, first.at, first.at)
