"""What the store in memory lists of its sessions and its inbox, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from engine.language.value import timestamp
from engine.ports.records import InboxPage, RequestRow, SessionRow, call_values
from engine.spec.request_kind import RequestKind


def request_rows(
    requests: Mapping[str, RequestRow],
    *,
    session_id: str | None,
    open_only: bool,
    after: str | None,
    limit: int | None,
    among: Collection[str] | None,
) -> list[RequestRow]:
    """The oldest first: of a session, behind a request, of some sessions.

    What waits for a client to propose is none.
    """
    last = requests.get(after) if after is not None else None
    rows = [
        row
        for row in requests.values()
        if row.kind != RequestKind.PLANNER
        and (session_id is None or row.session_id == session_id)
        and (row.status == "open" or not open_only)
        and (among is None or row.session_id in among)
        and (after is None or (last is not None and _place(row) > _place(last)))
    ]
    return sorted(rows, key=_place)[:limit]


def by_deadline(rows: Sequence[RequestRow], limit: int | None) -> InboxPage:
    """What expires first at the head, and what never does at the end."""
    return InboxPage(sorted(rows, key=_deadline)[:limit], len(rows))


def about(rows: Sequence[RequestRow], value: str, limit: int) -> list[RequestRow]:
    """Those about a call that has a text as one of its values, the newest of some rows first."""
    found = [row for row in rows if value in call_values(row)]
    return sorted(found, key=_place, reverse=True)[:limit]


def _deadline(row: RequestRow) -> tuple[bool, str, str]:
    moment = row.expires_at or row.opened_at
    return row.expires_at is None, timestamp(moment) if moment is not None else "", row.id


def session_rows(
    every: Iterable[SessionRow],
    limit: int | None,
    state: str | None,
    *,
    since: datetime | None,
    agent: str | None,
    before: SessionRow | None,
    among: Collection[str] | None,
) -> list[SessionRow]:
    """The newest first: of a state, begun no earlier, of an agent, begun before a session, among some."""
    rows = [
        row
        for row in every
        if (state is None or row.state == state)
        and (agent is None or row.agent == agent)
        and (since is None or (row.created_at is not None and row.created_at >= since))
        and (among is None or row.id in among)
        and (before is None or _age(row) < _age(before))
    ]
    return sorted(rows, key=_age, reverse=True)[:limit]


def _age(row: SessionRow) -> tuple[str, str]:
    return str(row.created_at), row.id


def _place(row: RequestRow) -> tuple[str, str]:
    return str(row.opened_at), row.id
