"""Requests as their sessions' logs have them: the inbox beside the logs is a copy, and is not believed.

A log is read for a request once, and that the copy says the same is kept for as long as the copy stays as it is: what a
log has said of a request never changes, but by an erasure, which takes the copy away too.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime

from engine.language.value import digest
from engine.ports.records import CorruptLog, RequestRow, UnknownSession
from engine.ports.store import Store
from engine.session.state.event import EventKind

MOST_KEPT = 10_000


class LoggedRequests:
    """Holds requests against their logs; of the last `MOST_KEPT` that agreed it keeps digests.

    Of as many sessions it keeps which bundle they run under.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._agreed: OrderedDict[str, str] = OrderedDict()
        self._bundles: OrderedDict[str, str] = OrderedDict()

    async def listed(self, row: RequestRow) -> RequestRow:
        """A request for a list: of what the log does not say nothing is shown but what is wrong with it."""
        copy = _digest(row)
        if copy and self._agreed.get(row.id) == copy:
            self._agreed.move_to_end(row.id)
            return row
        told = await request_listed(self._store, row)
        if copy and told == row:
            _keep(self._agreed, row.id, copy)
        return told

    async def bundle_of(self, session_id: str) -> str:
        """The digest of the bundle that a session runs under, which never changes; raises UnknownSession."""
        if session_id not in self._bundles:
            _keep(self._bundles, session_id, (await self._store.session(session_id)).bundle)
        return self._bundles[session_id]


def _keep(kept: OrderedDict[str, str], name: str, text: str) -> None:
    kept[name] = text
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)


def _digest(row: RequestRow) -> str:
    """All of a row but how it stands; empty of one that is damaged, which agrees with nothing."""
    if row.problem:
        return ""
    return digest([row.kind, row.session_id, str(row.opened_at), str(row.expires_at), dict(row.payload)])


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
