"""Requests as their sessions' logs have them: the inbox beside the logs is a copy, and is not believed.

A log is read for a request once, and what it says is kept for as long as the copy says the same: what a log has said of
a request never changes, but by an erasure, which empties the copy too.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime

from engine.ports.records import CorruptLog, RequestRow, UnknownSession
from engine.ports.store import Store
from engine.session.state.event import EventKind

MOST_KEPT = 4096


class LoggedRequests:
    """Reads requests from logs, and keeps the last `MOST_KEPT` of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, tuple[RequestRow, RequestRow]] = OrderedDict()

    async def listed(self, row: RequestRow) -> RequestRow:
        """A request for a list: of what the log does not say nothing is shown but what is wrong with it."""
        copy = replace(row, status="")
        kept = self._kept.get(row.id)
        if kept is not None and kept[0] == copy:
            self._kept.move_to_end(row.id)
            return replace(kept[1], status=row.status)
        told = await request_listed(self._store, row)
        if not told.problem:
            self._kept[row.id] = copy, told
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return told


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
