"""Requests as their sessions' logs have them: the inbox beside the logs is a copy, and is not believed.

A log is read for a request once, and that the copy says the same is kept for as long as the copy stays as it is: what a
log has said of a request never changes, but by an erasure, which takes the copy away too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

from engine.language.value import canonical_of_exact
from engine.ports.records import CorruptLog, RequestRow, UnknownSession
from engine.ports.store import Store
from engine.session.state.event import Event, EventKind
from engine.store.rows import SHORT

MOST_KEPT = 2_000

T = TypeVar("T")


class LoggedRequests:
    """Holds requests against their logs; of the last `MOST_KEPT` that agreed it keeps digests.

    Of as many sessions it keeps which bundle they run under.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._agreed: OrderedDict[str, _AgreedRequest] = OrderedDict()
        self._bundles: OrderedDict[str, str] = OrderedDict()

    async def listed(self, row: RequestRow) -> RequestRow:
        """A request for a list: of what the log does not say nothing is shown but what is wrong with it."""
        kept = self._agreed.get(row.id)
        if kept is not None and not row.problem and (self.keeps(row) or kept.digest == _text_of(row)[1]):
            self._agreed.move_to_end(row.id)
            return row
        told = await request_listed(self._store, row)
        length, copy = _text_of(row)
        if not row.problem and copy == _text_of(told)[1]:
            _keep(self._agreed, row.id, _AgreedRequest(copy, row if length < SHORT else None))
        return told

    def keeps(self, row: RequestRow) -> bool:
        """Whether a row is one that agreed, down to its very content: that is shared by all who read it."""
        kept = self._agreed.get(row.id)
        same = kept.row if kept is not None else None
        if same is None or same.payload is not row.payload or row.problem:
            return False
        told = (row.kind, row.session_id, row.opened_at, row.expires_at, row.counts_at)
        return told == (same.kind, same.session_id, same.opened_at, same.expires_at, same.counts_at)

    async def bundle_of(self, session_id: str) -> str:
        """The digest of the bundle that a session runs under, which never changes; raises UnknownSession."""
        if session_id not in self._bundles:
            _keep(self._bundles, session_id, (await self._store.session(session_id)).bundle)
        return self._bundles[session_id]


def _keep(kept: OrderedDict[str, T], name: str, what: T) -> None:
    kept[name] = what
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _AgreedRequest:
    """The digest of a request that agreed with its log, and its row, if that is short."""

    digest: str
    row: RequestRow | None


def _text_of(row: RequestRow) -> tuple[int, str]:
    """How long all of a row is but whether it is open, and the digest of it."""
    times = [str(row.opened_at), str(row.expires_at), str(row.counts_at)]
    text = canonical_of_exact([row.kind, row.session_id, times, dict(row.payload)])
    return len(text), sha256(text.encode()).hexdigest()


async def request_as_logged(store: Store, row: RequestRow) -> RequestRow:
    """The request as its session's log has it, whatever the inbox beside it says; raises CorruptLog, UnknownSession."""
    log = await store.load(row.session_id)
    opened = [e for e in log if e.kind is EventKind.REQUEST_OPENED]
    for event in opened:
        p = event.payload
        if p.get("request_id") == row.id:
            until = datetime.fromisoformat(p["expires_at"]) if p["expires_at"] else None
            return replace(
                row, kind=p["request_kind"], opened_at=event.at, expires_at=until, counts_at=_counts_at(log, row.id),
                payload=p, problem="",
            )  # fmt: skip
    if not all(event.payload for event in opened):
        raise CorruptLog(row.session_id, f"the payload of a request was erased from it, and it has no other {row.id}")
    raise CorruptLog(row.session_id, f"its log knows nothing of the request {row.id}")


def _counts_at(log: Sequence[Event], request_id: str) -> datetime | None:
    """When the yes counts that was said last, unless it was taken back."""
    said = [e for e in log if e.kind in (EventKind.YES_DELAYED, EventKind.YES_TAKEN_BACK)]
    own = [e for e in said if e.payload.get("request_id") == request_id]
    return datetime.fromisoformat(own[-1].payload["counts_at"]) if own and "counts_at" in own[-1].payload else None


async def request_listed(store: Store, row: RequestRow) -> RequestRow:
    """The same for a list: of what the log does not say nothing is shown but what is wrong with it."""
    try:
        return row if row.problem else await request_as_logged(store, row)
    except (CorruptLog, UnknownSession) as error:
        return replace(row, payload={}, problem=str(error))
