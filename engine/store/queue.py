"""The queue of jobs in the tables of a store, kept small: leases, heartbeats, the due and the dead.

What happens to a job comes with the appends to its session (see `projection`); here workers find and keep it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from engine.language.value import timestamp
from engine.ports.records import JobLease, JobRow
from engine.store.database import SqlConnection
from engine.store.rows import JOB, MOST_TAKEN, job_row

# as the index over them says it
_TO_DO = "status IN ('queued', 'leased')"

# no worker is given a row that says no moment or no job of a session: it could not be held against a log
_WHOLE = (
    f"is_moment(run_at) AND is_moment(enqueued_at) AND epoch BETWEEN 0 AND {MOST_TAKEN}"
    f" AND (status = 'queued' OR (owner IS NOT NULL AND is_moment(lease_until)))"
    " AND id = session_id || '/' || call_id AND session_id IN (SELECT id FROM sessions)"
)
_DUE = "((status = 'queued' AND run_at <= ?1) OR (status = 'leased' AND lease_until <= ?1))"


def lease(
    connection: SqlConnection, owner: str, now: datetime, until: datetime, but: Collection[str]
) -> JobLease | None:
    """Take the due job that has waited longest, of all but some."""
    sql = (
        "UPDATE jobs SET status = 'leased', owner = ?2, lease_until = ?3, epoch = epoch + 1 WHERE id ="
        f" (SELECT id FROM jobs WHERE {_TO_DO} AND {_DUE} AND {_WHOLE}"
        f" AND id NOT IN ({', '.join('?' * (len(but) + 1))}) ORDER BY run_at, id LIMIT 1{connection.skip_taken})"
        " RETURNING id, session_id, call_id, owner, epoch"
    )
    # no job has an empty id
    row = connection.execute(sql, (timestamp(now), owner, timestamp(until), "", *but)).fetchone()
    return None if row is None else JobLease(*row)


def renew(connection: SqlConnection, held: JobLease, until: datetime) -> bool:
    """Prolong a lease that is not lost."""
    sql = "UPDATE jobs SET lease_until = ? WHERE id = ? AND epoch = ? AND status = 'leased'"
    return connection.execute(sql, (timestamp(until), held.job_id, held.epoch)).rowcount == 1


def release(connection: SqlConnection, held: JobLease) -> None:
    """Give a lease back that is not lost."""
    sql = (
        "UPDATE jobs SET status = 'queued', owner = NULL, lease_until = NULL"
        " WHERE id = ? AND epoch = ? AND status = 'leased'"
    )
    connection.execute(sql, (held.job_id, held.epoch))


def next_at(connection: SqlConnection) -> datetime | None:
    """When something of the queue is due."""
    queued = f"SELECT run_at FROM jobs WHERE {_TO_DO} AND status = 'queued' AND {_WHOLE} ORDER BY run_at LIMIT 1"
    leased = f"SELECT min(lease_until) FROM jobs WHERE {_TO_DO} AND status = 'leased' AND {_WHOLE}"
    found = [*connection.execute(queued), *connection.execute(leased)]
    return min((datetime.fromisoformat(text) for (text,) in found if text is not None), default=None)


def damaged(connection: SqlConnection) -> list[JobRow]:
    """Jobs that are to be done, and that no worker is given."""
    sql = f"SELECT {JOB}, session_id IN (SELECT id FROM sessions) FROM jobs WHERE {_TO_DO} AND ({_WHOLE}) IS NOT TRUE"
    found = []
    for *row, known in connection.execute(sql):
        job = job_row(row)
        problem = job.problem if known else "its session is not in the store"
        found.append(replace(job, problem=problem or "it can't be read"))
    return found


def rows(connection: SqlConnection, status: str | None, session_id: str | None) -> list[JobRow]:
    """Jobs, oldest first."""
    sql = (
        f"SELECT {JOB} FROM jobs WHERE (status = ?1 OR ?1 IS NULL) AND (session_id = ?2 OR ?2 IS NULL)"
        " ORDER BY enqueued_at, id"
    )
    return [job_row(found) for found in connection.execute(sql, (status, session_id))]


def row(connection: SqlConnection, job_id: str) -> JobRow | None:
    """One job."""
    found = connection.execute(f"SELECT {JOB} FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return None if found is None else job_row(found)


def due_sessions(connection: SqlConnection, now: datetime) -> list[str]:
    """Sessions that were left running, and those of which a request has expired, or a yes counts by now.

    One whose lease ends at no moment is due: who drives it finds out, and says so.
    """
    nobody = "(s.lease_until IS NULL OR s.lease_until <= ?1 OR NOT is_moment(s.lease_until))"
    goes_on = f"{nobody} AND s.state NOT IN ('done', 'failed', 'cancelled', 'out_of_budget', 'timed_out')"
    sql = (
        f"SELECT s.id FROM sessions s WHERE s.state = 'running' AND {nobody}"
        f" UNION SELECT r.session_id FROM requests r{connection.by_index('requests_by_expiry')}"
        " JOIN sessions s ON s.id = r.session_id"
        f" WHERE r.status = 'open' AND r.expires_at <= ?1 AND r.counts_at IS NULL AND {goes_on}"
        f" UNION SELECT r.session_id FROM requests r{connection.by_index('requests_by_delay')}"
        " JOIN sessions s ON s.id = r.session_id"
        f" WHERE r.status = 'open' AND r.counts_at <= ?1 AND {goes_on}"
    )
    return [id_ for (id_,) in connection.execute(sql, (timestamp(now),))]
