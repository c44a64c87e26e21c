"""What is wrong with a session in the tables of a store: its chain, its seal, and all that stands beside the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any

from engine.language.value import timestamp
from engine.ports import records as stored
from engine.ports.records import FREE
from engine.session.state.event import Event, EventKind
from engine.session.state.evolve import fold
from engine.session.state.snapshot import VERSION, restored
from engine.store import chain, consistency
from engine.store.consistency import JOBS, KEYS, METERS, REQUESTS, Rows, Table
from engine.store.database import SqlConnection
from engine.store.log_key import HeadSeal, Voucher
from engine.store.projection import SetState, Wake, changes
from engine.store.queries import head_of, seal_problems, segments_of
from engine.store.rows import JOB, job_row, standing_problem


def problems(
    connection: SqlConnection, session_id: str, voucher: Voucher | None, known: Sequence[chain.SegmentPlace] = ()
) -> list[str]:
    """All that is wrong, empty if the session is whole; `known` are heads of it that were exported before.

    Raises UnknownSession.  Whatever else happens is something that is wrong with this one session.
    """
    try:
        return list(_problems(connection, session_id, voucher, known))
    except stored.UnknownSession:
        raise
    except connection.DatabaseError as error:
        return [f"it can't be read: {error}"]
    except Exception as error:
        return [f"it can't be read: {str(error)[:200] or type(error).__name__}"]


def erased_of(connection: SqlConnection, session_id: str) -> list[int]:
    """The events of a session whose payload was erased, none where they can't be told; raises UnknownSession."""
    head_of(connection, session_id)
    try:
        return sorted(_erased(segments_of(connection, session_id)))
    except Exception:
        return []  # what is wrong with it is told by `problems`


def _erased(segments: Sequence[chain.Segment]) -> set[int]:
    return {seq for segment in segments for seq in chain.erased(segment)}


def _problems(
    connection: SqlConnection, session_id: str, voucher: Voucher | None, known: Sequence[chain.SegmentPlace]
) -> Iterator[str]:
    head = head_of(connection, session_id)
    segments = segments_of(connection, session_id)
    try:
        log = chain.read(session_id, segments, chain.START, head.place)
    except chain.UnreadableSegment as error:
        yield str(error)
        return
    if voucher is not None:
        yield from seal_problems(session_id, head, voucher)
    for place in known:
        yield from _other_than(place, segments)
    erased = _erased(segments)
    yield from _listed_wrongly(connection, session_id, log, erased)
    yield from _driven_wrongly(connection, session_id, log, erased)
    yield from _row_problems(connection, session_id, log, erased)
    yield from _snapshot(connection, session_id, log, erased, segments, voucher)


def _other_than(known: chain.SegmentPlace, segments: Sequence[chain.Segment]) -> Iterator[str]:
    last = segments[-1].last if segments else 0
    if known.seq > last:
        yield f"it ends at event {last}, and the exported head is event {known.seq}"
    elif known.link not in {segment.hash for segment in segments if segment.last == known.seq}:
        yield f"event {known.seq} is another than the exported head"


def _listed_wrongly(
    connection: SqlConnection, session_id: str, log: Sequence[Event], erased: Set[int]
) -> Iterator[str]:
    """Where the listing says something else than the log, as far as its payloads are there."""
    names = ("state", "outcome", "agent", "bundle", "created_at", "updated_at")
    sql = f"SELECT {', '.join(names)} FROM sessions WHERE id = ?"
    listed = dict(zip(names, connection.execute(sql, (session_id,)).fetchone(), strict=True))
    says: dict[str, Any] = {"state": "running", "outcome": "running"}
    asleep: dict[str, Any] = {}
    for event in log:
        if event.kind is EventKind.STATE_TRANSITION and event.seq in erased:
            says = {}
        for change in changes([event]) if event.seq not in erased else []:
            if isinstance(change, SetState):
                says, asleep = {"state": change.state, "outcome": change.outcome}, {}
            elif isinstance(change, Wake) and says and change.applies(says["state"]):
                says, asleep = {"state": "running", "outcome": "running"}, says
    # an earlier version left it listed as it waited, until somebody drove it
    says |= {name: state for name, state in asleep.items() if listed[name] == state}
    first = log[0]
    if first.seq not in erased and first.kind is EventKind.SESSION_STARTED:
        says |= {name: first.payload[name] for name in ("agent", "bundle")}
    says |= {"created_at": timestamp(first.at), "updated_at": timestamp(log[-1].at)}
    for name, say in says.items():
        if listed[name] != say:
            yield f"its {name} is listed as {listed[name]}, and the log says {say}"


def _driven_wrongly(
    connection: SqlConnection, session_id: str, log: Sequence[Event], erased: Set[int]
) -> Iterator[str]:
    """Where what is listed of its drivers can't be: the log knows who took it, and not how long they have it."""
    sql = "SELECT epoch, owner, lease_until FROM sessions WHERE id = ?"
    row = connection.execute(sql, (session_id,)).fetchone()
    problem = standing_problem(*row)
    if problem:
        yield f"in the listing {problem}"
    taken = [e.payload["epoch"] for e in log if e.kind is EventKind.SESSION_CLAIMED and e.seq not in erased]
    if row[0] < max(taken, default=0):
        yield f"it is listed as taken {row[0]} times, and the log says {max(taken)}"


def _row_problems(connection: SqlConnection, session_id: str, log: Sequence[Event], erased: Set[int]) -> Iterator[str]:
    """Where requests, keys, meters and jobs say something else than the log that they come from."""
    said = consistency.logged_rows(log, erased)
    own = (f"{session_id}/", f"{session_id}0")
    of_session, of_holder = "session_id = ?", "holder >= ? AND holder < ?"
    found: dict[Table, Rows] = {
        REQUESTS: _rows(connection, REQUESTS, f"id, {REQUESTS.columns} FROM requests WHERE {of_session}", session_id),
        KEYS: _rows(connection, KEYS, f"key, {KEYS.columns} FROM idempotency_keys WHERE {of_holder}", *own),
        METERS: {
            (key, holder): row
            for key, holder, *row in connection.execute(
                f"SELECT key, holder, {METERS.columns} FROM meter_entries WHERE {of_holder}", own
            )
        },
        JOBS: _rows(connection, JOBS, f"id, {JOBS.columns} FROM jobs WHERE {of_session}", session_id),
    }
    # a key whose result counts for a time only, or that was given back, may be another session's since
    for key, row in list(said.rows[KEYS].items()):
        if key not in found[KEYS] and (row[2] is not None or row[0] == FREE) and _has_a_holder(connection, key):
            del said.rows[KEYS][key]
    for table, rows in found.items():
        yield from consistency.differences(table, said, rows)
    for row in connection.execute(f"SELECT {JOB} FROM jobs WHERE session_id = ?", (session_id,)):
        job = job_row(row)
        if job.problem:
            yield f"job {job.id}: {job.problem}"


def _rows(connection: SqlConnection, table: Table, query: str, *values: str) -> Rows:
    return {first: consistency.as_compared(table, row) for first, *row in connection.execute(f"SELECT {query}", values)}


def _has_a_holder(connection: SqlConnection, key: str) -> bool:
    sql = (
        "SELECT 1 FROM idempotency_keys k JOIN sessions s ON s.id = substr(k.holder, 1, instr(k.holder, '/') - 1)"
        " WHERE k.key = ?"
    )
    return connection.execute(sql, (key,)).fetchone() is not None


def _snapshot(
    connection: SqlConnection,
    session_id: str,
    log: Sequence[Event],
    erased: Set[int],
    segments: Sequence[chain.Segment],
    voucher: Voucher | None,
) -> Iterator[str]:
    """Where a snapshot is of another log, or says something else than the events that it stands for."""
    sql = "SELECT seq, link, version, body, hmac, key_id FROM snapshots WHERE session_id = ?"
    row = connection.execute(sql, (session_id,)).fetchone()
    if row is None:
        return
    seq, link, version, body, hmac, key_id = row
    if not any(segment.last == seq and segment.hash == link for segment in segments):
        yield "its snapshot is of another log"
        return
    if voucher is not None and not voucher.knows_snapshot(HeadSeal(hmac, key_id), session_id, seq, link, version, body):
        yield "its snapshot is sealed by another key, or was changed since"
    elif any(number <= seq for number in erased):
        yield "its snapshot may hold what was erased from the log: delete it from the table `snapshots`"
    elif version == VERSION:
        try:
            same = restored(chain.unpacked(body)) == fold(log[:seq])
        except Exception as error:
            yield f"its snapshot can't be read: {str(error)[:200] or type(error).__name__}"
            return
        if not same:
            yield "its snapshot says something else than the log"


def sealed_head(connection: SqlConnection, session_id: str, voucher: Voucher, unsealed: bool) -> list[str]:
    """Seal a head that an older key has sealed, or an `unsealed` one; or why not.  Raises UnknownSession."""
    head = head_of(connection, session_id)
    place = head.place
    if head.seal is None and not unsealed:
        return ["its head has no seal, and is not sealed; if you trust what it says: --unsealed"]
    if head.seal is not None and not voucher.knows_head(head.seal, session_id, place.seq, place.link):
        return ["its head is sealed by another key, or was changed since: it is not sealed again"]
    found = chain.verify(session_id, segments_of(connection, session_id), place)
    if not found:
        seal = voucher.head(session_id, place.seq, place.link)
        sql = "UPDATE sessions SET head_hmac = ?, key_id = ? WHERE id = ?"
        connection.execute(sql, (seal.hmac, seal.key_id, session_id))
    return found
