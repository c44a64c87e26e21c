"""What the rows beside a log have to be, and where they are something else: requests, keys, meters and jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, assert_never

from engine.language.value import canonical, number_text, timestamp
from engine.ports.records import FREE, IN_FLIGHT
from engine.session.state.event import Event, EventKind
from engine.store.projection import (
    ClaimKey,
    CloseRequest,
    DelayRequest,
    Enqueue,
    MoveJob,
    OpenRequest,
    Reserve,
    RowChange,
    SetState,
    SettleKey,
    SettleMeters,
    Wake,
    changes,
)

Rows = dict[Any, list[Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table beside the log; its first `moving` columns are changed by later events, and its rows may `vanish`."""

    one: str
    columns: str
    moving: int
    vanish: bool = False


REQUESTS = Table("request", "status, counts_at, kind, opened_at, expires_at, payload", 2)
KEYS = Table("the idempotency key", "status, output, until, holder, compared, expired", 3, vanish=True)
METERS = Table("the entry of a meter", "settled, at, amount", 2, vanish=True)
JOBS = Table("job", "status, reason, run_at, attempts, enqueued_at, call_id, tool", 5)

# a lease of a job is no event
_WAITS = {"leased": "queued"}

# what an event whose payload was erased may have added, at most, and where it may have changed what was there
_MANY = 1_000_000
_ADDS: Mapping[EventKind, Mapping[Table, int]] = {
    EventKind.REQUEST_OPENED: {REQUESTS: 1},
    EventKind.CALL_STARTED: {KEYS: 1, METERS: _MANY},
    EventKind.JOB_ENQUEUED: {KEYS: 1, METERS: _MANY, JOBS: 1},
}
_MOVES: Mapping[EventKind, frozenset[Table]] = {
    EventKind.REQUEST_ANSWERED: frozenset({REQUESTS}),
    EventKind.REQUEST_CLOSED: frozenset({REQUESTS}),
    EventKind.YES_DELAYED: frozenset({REQUESTS}),
    EventKind.YES_TAKEN_BACK: frozenset({REQUESTS}),
    EventKind.CALL_STARTED: frozenset({KEYS, METERS, JOBS}),
    EventKind.JOB_ENQUEUED: frozenset({KEYS, METERS, JOBS}),
    EventKind.TOOL_RESULT: frozenset({KEYS, METERS, JOBS}),
    EventKind.JOB_RELEASED: frozenset({JOBS}),
    EventKind.JOB_DISCARDED: frozenset({JOBS}),
    EventKind.ATTEMPT_FAILED: frozenset({JOBS}),
    EventKind.VERDICT: frozenset({JOBS}),
}


@dataclass(slots=True)
class LoggedRows:
    """The rows that a log says, as far as its payloads are there, and what erased ones may have done to them."""

    rows: dict[Table, Rows] = field(default_factory=lambda: {REQUESTS: {}, KEYS: {}, METERS: {}, JOBS: {}})
    added: Counter[Table] = field(default_factory=Counter)
    moved: set[Table] = field(default_factory=set)

    def wholly(self, table: Table) -> bool:
        """Whether the log says all there is to say of a table."""
        return table not in self.moved and not self.added[table]


def logged_rows(log: Sequence[Event], erased: Set[int]) -> LoggedRows:
    """What stands beside a log, of which the payloads of some events were erased."""
    found = LoggedRows()
    for event in log:
        if event.seq in erased:
            found.added.update(_ADDS.get(event.kind, {}))
            found.moved |= _MOVES.get(event.kind, frozenset())
            continue
        for change in changes([event]):
            _take(found.rows, change)
    return found


def _take(rows: dict[Table, Rows], change: RowChange) -> None:
    match change:
        case OpenRequest(row):
            expires = timestamp(row.expires_at) if row.expires_at else None
            opened = timestamp(row.opened_at) if row.opened_at else None
            rows[REQUESTS][row.id] = [row.status, None, row.kind, opened, expires, canonical(row.payload)]
        case DelayRequest(request_id, counts_at):
            if request_id in rows[REQUESTS]:
                rows[REQUESTS][request_id][1] = timestamp(counts_at) if counts_at is not None else None
        case CloseRequest(request_id, status):
            if request_id in rows[REQUESTS]:
                rows[REQUESTS][request_id][0] = status
        case ClaimKey():
            until = timestamp(change.until) if change.until is not None else None
            compared = canonical(change.compared)
            rows[KEYS][change.key] = [IN_FLIGHT, None, until, change.holder, compared, change.generation]
        case SettleKey(holder, output, status):
            for key in [key for key, row in rows[KEYS].items() if row[3] == holder]:
                if status is None and not rows[KEYS][key][5]:
                    del rows[KEYS][key]
                elif status is None:
                    rows[KEYS][key][:2] = [FREE, None]
                else:
                    rows[KEYS][key][:2] = [status, canonical(output)]
        case Reserve():
            rows[METERS][change.key, change.holder] = [0, timestamp(change.at), number_text(change.amount)]
        case SettleMeters(holder, keep):
            for place in [place for place in rows[METERS] if place[1] == holder]:
                if keep:
                    rows[METERS][place][0] = 1
                else:
                    del rows[METERS][place]
        case Enqueue():
            _enqueue(rows[JOBS], change)
        case MoveJob():
            _move(rows[JOBS], change)
        case SetState() | Wake():
            pass  # part of the listing
        case _:
            assert_never(change)


def _enqueue(jobs: Rows, change: Enqueue) -> None:
    run_at, at = timestamp(change.run_at), timestamp(change.at)
    if change.job_id in jobs:
        # it was held, and goes back to the workers
        jobs[change.job_id][:3] = ["queued", "", run_at]
    else:
        jobs[change.job_id] = ["queued", "", run_at, 0, at, change.call_id, change.tool]


def _move(jobs: Rows, change: MoveJob) -> None:
    if change.job_id not in jobs:
        return  # what enqueued it was erased
    row = jobs[change.job_id]
    row[:2] = [_WAITS.get(change.status, change.status), change.reason]
    row[2] = row[2] if change.run_at is None else timestamp(change.run_at)
    row[3] = row[3] if change.attempt is None else change.attempt


def as_compared(table: Table, row: Sequence[Any]) -> list[Any]:
    """A stored row in the form in which a log says it."""
    made = list(row)
    if table is KEYS and made[4] is None:
        made[4] = canonical(None)  # nothing was compared yet when the key was kept
    if table is JOBS:
        made[0] = _WAITS.get(made[0], made[0])
    return made


def differences(table: Table, of: LoggedRows, found: Rows) -> Iterator[str]:
    """Where the rows of a table are something else than the log says, as far as it says it."""
    rows, moved = of.rows[table], table in of.moved
    start = table.moving if moved else 0
    for key, row in rows.items():
        if key not in found:
            if not (table.vanish and moved):
                yield f"{table.one} {_name(key)} is missing beside the log"
        elif row[start:] != found[key][start:]:
            yield f"{table.one} {_name(key)} says something else than the log"
    unknown = found.keys() - rows.keys()
    if len(unknown) > of.added[table]:
        for key in sorted(unknown, key=str):
            yield f"{table.one} {_name(key)} stands beside a log that knows nothing of it"


def _name(key: Any) -> str:
    return str(key[0] if isinstance(key, tuple) else key)
