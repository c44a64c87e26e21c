"""Questions to the tables of a store that both ask: who keeps it, and who only reads it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from engine.language.value import canonical, timestamp
from engine.ports import records as stored
from engine.session.state.event import Event
from engine.spec.request_kind import RequestKind
from engine.store import chain
from engine.store.database import UNLIMITED, SqlConnection
from engine.store.log_key import HeadSeal, Voucher
from engine.store.rows import REQUEST, SESSION, request_row, session_row


@dataclass(frozen=True, slots=True)
class StoredHead:
    """The end of a session's chain as it stands beside it, and its seal if it has one."""

    place: chain.SegmentPlace
    seal: HeadSeal | None


def session_ids(connection: SqlConnection) -> list[str]:
    """All sessions, oldest first; raises the database's error where they can't be listed."""
    try:
        found = connection.execute("SELECT id FROM sessions ORDER BY number").fetchall()
    except connection.DatabaseError:
        # where a page of the table can't be read an index still has them
        found = connection.execute("SELECT id FROM sessions ORDER BY created_at, id").fetchall()
    return [id_ for (id_,) in found]


def session_rows(
    connection: SqlConnection,
    limit: int | None,
    state: str | None,
    since: datetime | None,
    agent: str | None,
    before: str | None = None,
    tenant: str | None = None,
) -> list[stored.SessionRow]:
    """Sessions, newest first: of a state, begun no earlier, of an agent, begun before a session, for a tenant."""
    sql = (
        f"SELECT {SESSION} FROM sessions WHERE (state = ?1 OR ?1 IS NULL) AND (created_at >= ?2 OR ?2 IS NULL)"
        " AND (agent = ?3 OR ?3 IS NULL)"
        " AND ((created_at, id) < (SELECT created_at, id FROM sessions WHERE id = ?5) OR ?5 IS NULL)"
    )
    # a store of an older version, which is only read, knows of no tenants
    of_tenant = " AND id IN (SELECT session_id FROM creations WHERE tenant = ?6)" if tenant is not None else ""
    order = " ORDER BY created_at DESC, id DESC LIMIT ?4"
    wanted = [state, timestamp(since) if since else None, agent, UNLIMITED if limit is None else limit, before]
    rows = connection.execute(sql + of_tenant + order, [*wanted, *([tenant] if tenant is not None else [])]).fetchall()
    return [session_row(row) for row in rows]


def request_rows(
    connection: SqlConnection,
    session_id: str | None,
    open_only: bool,
    after: str | None,
    limit: int | None,
    tenant: str | None,
) -> list[stored.RequestRow]:
    """What people are asked, oldest first: of a session, behind a request, for a tenant."""
    wanted = _asked(open_only, tenant)
    if session_id is not None:
        wanted.append("session_id = ?3")
    if after is not None:
        wanted.append("(opened_at, id) > (SELECT opened_at, id FROM requests WHERE id = ?4)")
    sql = f"SELECT {REQUEST} FROM requests WHERE {' AND '.join(wanted)} ORDER BY opened_at, id LIMIT ?5"
    values = (RequestKind.PLANNER.value, tenant, session_id, after, UNLIMITED if limit is None else limit)
    return [request_row(row) for row in connection.execute(sql, values).fetchall()]


def rows_about(connection: SqlConnection, value: str, limit: int, tenant: str | None) -> list[stored.RequestRow]:
    """Those about a call that has a text as one of its values, open or not, the newest first, for a tenant."""
    sql = (
        f"SELECT {REQUEST} FROM requests WHERE {' AND '.join(_asked(open_only=False, tenant=tenant))}"
        " AND instr(payload, ?3) > 0 ORDER BY opened_at DESC, id DESC"
    )
    rows = map(request_row, connection.execute(sql, (RequestKind.PLANNER.value, tenant, canonical(value))))
    # it may stand anywhere in what is stored
    return list(islice((row for row in rows if value in stored.call_values(row)), limit))


def request_of(connection: SqlConnection, request_id: str) -> stored.RequestRow | None:
    """One request, or None."""
    row = connection.execute(f"SELECT {REQUEST} FROM requests WHERE id = ?", (request_id,)).fetchone()
    return request_row(row) if row else None


def inbox_page(connection: SqlConnection, open_only: bool, limit: int | None, tenant: str | None) -> stored.InboxPage:
    """What people are asked, what expires first at the head, for a tenant; how many that are in all."""
    which = f"FROM requests WHERE {' AND '.join(_asked(open_only, tenant))}"
    order = "ORDER BY expires_at IS NULL, coalesce(expires_at, opened_at), id"
    # no index has that order, and what is sorted away is not read
    sql = f"SELECT {REQUEST} FROM requests WHERE id IN (SELECT id {which} {order} LIMIT ?3) {order}"
    kind, most = RequestKind.PLANNER.value, UNLIMITED if limit is None else limit
    rows = [request_row(row) for row in connection.execute(sql, (kind, tenant, most)).fetchall()]
    if limit is None or len(rows) < limit:
        return stored.InboxPage(rows, len(rows))
    values = (kind,) if tenant is None else (kind, tenant)
    return stored.InboxPage(rows, int(connection.execute(f"SELECT count(*) {which}", values).fetchone()[0]))


def _asked(open_only: bool, tenant: str | None) -> list[str]:
    """What is asked of people, as conditions: ?1 is what waits for a client to propose, and ?2 the tenant."""
    wanted = ["kind <> ?1"]
    if open_only:
        wanted.append("status = 'open'")
    if tenant is not None:
        wanted.append("session_id IN (SELECT session_id FROM creations WHERE tenant = ?2)")
    return wanted


def segments_of(connection: SqlConnection, session_id: str, after: int = 0) -> list[chain.Segment]:
    """What a session's log is stored as, from behind an event; of the whole log also what is numbered as nothing is."""
    sql = (
        "SELECT first, last, hash, body FROM segments WHERE session = (SELECT number FROM sessions WHERE id = ?1)"
        " AND (last > ?2 OR ?2 = 0) ORDER BY first"
    )
    return [chain.Segment(session_id, *row) for row in connection.execute(sql, (session_id, after))]


def place_before(connection: SqlConnection, session_id: str, first: int) -> chain.SegmentPlace:
    """The place that a segment follows on, which begins with an event."""
    if first <= 1:
        return chain.START
    sql = "SELECT hash FROM segments WHERE session = (SELECT number FROM sessions WHERE id = ?) AND last = ?"
    row = connection.execute(sql, (session_id, first - 1)).fetchone()
    return chain.START if row is None else chain.SegmentPlace(first - 1, row[0])


def head_of(connection: SqlConnection, session_id: str) -> StoredHead:
    """A session's head; raises UnknownSession."""
    sql = "SELECT seq, head_hash, head_hmac, key_id FROM sessions WHERE id = ?"
    row = connection.execute(sql, (session_id,)).fetchone()
    if row is None:
        raise stored.UnknownSession(session_id)
    return stored_head(*row)


def stored_head(seq: int, link: str, hmac: str | None, key_id: str | None) -> StoredHead:
    """A head of its columns."""
    return StoredHead(chain.SegmentPlace(seq, link), HeadSeal(hmac, key_id or "") if hmac is not None else None)


def seal_problems(session_id: str, head: StoredHead, voucher: Voucher) -> Iterator[str]:
    """What keeps a head from being the one that a key has sealed."""
    if head.seal is None:
        yield "its head is not sealed; if you trust what it says: engine sessions seal --unsealed " + session_id
    elif not voucher.knows_head(head.seal, session_id, head.place.seq, head.place.link):
        yield "its head is sealed by another key, or was changed since"


def read_log(
    session_id: str,
    head: StoredHead,
    start: chain.SegmentPlace,
    segments: Sequence[chain.Segment],
    voucher: Voucher | None,
) -> list[Event]:
    """The events of segments that follow on a place and end at a head that the key knows; raises CorruptLog."""
    try:
        if voucher is not None:
            for problem in seal_problems(session_id, head, voucher):
                raise chain.UnreadableSegment(problem)
        return chain.read(session_id, segments, start, head.place)
    except chain.UnknownEvents as error:
        raise stored.NewerLog(session_id, str(error)) from None
    except chain.UnreadableSegment as error:
        raise stored.CorruptLog(session_id, str(error)) from None


def stored_log(
    connection: SqlConnection, session_id: str, after: int
) -> tuple[StoredHead, chain.SegmentPlace, list[chain.Segment]]:
    """A session's head, what is stored behind an event, and the place that this follows on."""
    head = head_of(connection, session_id)
    segments = segments_of(connection, session_id, after)
    if segments:
        return head, place_before(connection, session_id, segments[0].first), segments
    # nothing is behind the head itself
    return head, head.place if after >= head.place.seq > 0 else chain.START, segments


def whole_log(connection: SqlConnection, session_id: str, voucher: Voucher | None) -> list[Event]:
    """All events of a session; raises UnknownSession, CorruptLog."""
    head = head_of(connection, session_id)
    return read_log(session_id, head, chain.START, segments_of(connection, session_id), voucher)


def bundle_files(connection: SqlConnection, digest: str) -> Mapping[str, bytes] | None:
    """A bundle's files, or None; raises DamagedBundle."""
    row = connection.execute("SELECT files FROM bundles WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        return None
    try:
        return {path: base64.b64decode(text, validate=True) for path, text in json.loads(row[0]).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise stored.DamagedBundle(digest, str(error)) from None
