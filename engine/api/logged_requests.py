"""Requests as their sessions' logs have them: the inbox beside the logs is a copy, and is not believed.

A log is read for a request once, and that the copy says the same is kept for as long as the copy stays as it is: what a
log has said of a request never changes, but by an erasure, which takes the copy away too.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from engine.ports.records import CorruptLog, RequestRow, UnknownSession
from engine.ports.store import Store
from engine.session.state.event import EventKind

MOST_KEPT = 2_000

T = TypeVar("T")


class LoggedRequests:
    """Holds requests against their logs; the last `MOST_KEPT` that agreed it keeps.

    Of as many sessions it keeps which bundle they run under.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._agreed: OrderedDict[str, RequestRow] = OrderedDict()
        self._bundles: OrderedDict[str, str] = OrderedDict()

    async def listed(self, row: RequestRow) -> RequestRow:
        """A request for a list: of what the log does not say nothing is shown but what is wrong with it."""
        agreed = self._agreed.get(row.id)
        if agreed is not None and _says_the_same(row, agreed):
            self._agreed.move_to_end(row.id)
            return row
        told = await request_listed(self._store, row)
        if told == row and not row.problem:
            _keep(self._agreed, row.id, row)
        return told

    async def bundle_of(self, session_id: str) -> str:
        """The digest of the bundle that a session runs under, which never changes; raises UnknownSession."""
        if session_id not in self._bundles:
            _keep(self._bundles, session_id, (await self._store.session(session_id)).bundle)
        return self._bundles[session_id]


def _keep(kept: OrderedDict[str, T], name: str, what: T) -> None:
    kept[name] = what
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)


def _says_the_same(row: RequestRow, other: RequestRow) -> bool:
    """Whether all of two rows is the same but how they stand; one that is damaged agrees with nothing."""
    if row.problem or (row.kind, row.session_id) != (other.kind, other.session_id):
        return False
    times = (row.opened_at, row.expires_at) == (other.opened_at, other.expires_at)
    return times and (row.payload is other.payload or row.payload == other.payload)


async def request_as_logged(store: Store, row: RequestRow) -> RequestRow:
    """The request as its session's log has it, whatever the inbox beside it says; raises CorruptLog, UnknownSession."""
    opened = [e for e in await store.load(row.session_id) if e.kind is EventKind.REQUEST_OPENED]
    for event in opened:
        p = event.payload
        if p.get("request_id") == row.id:
            until = datetime.fromisoformat(p["expires_at"]) if p["expires_at"] else None
            return replace(
                row, kind=p["request_kind"], opened_at=event.at, expires_at=until, payload=p, problem=""
            )  # fmt: skip
    if not all(event.payload for event in opened):
        raise CorruptLog(row.session_id, f"the payload of a request was erased from it, and it has no other {row.id}")
    raise CorruptLog(row.session_id, f"its log knows nothing of the request {row.id}")


async def request_listed(store: Store, row: RequestRow) -> RequestRow:
    """The same for a list: of what the log does not say nothing is shown but what is wrong with it."""
    try:
        return row if row.problem else await request_as_logged(store, row)
    except (CorruptLog, UnknownSession) as error:
        return replace(row, payload={}, problem=str(error))
