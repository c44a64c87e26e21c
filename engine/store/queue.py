"""The queue of jobs in the SQLite file, kept small: leases, heartbeats, the due and the dead.

What happens to a job comes with the appends to its session (see `projection`); here workers find and keep it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from engine.policy.value import canonical, timestamp
from engine.store.rows import JOB, job_row
from engine.stored import JobLease, JobRow

_DUE = "(status = 'queued' AND run_at <= ?1) OR (status = 'leased' AND lease_until <= ?1)"


def lease(
    connection: sqlite3.Connection, owner: str, now: datetime, until: datetime, passed: Sequence[str]
) -> JobLease | None:
    """Take the due job that has waited longest, of those that are not passed."""
    sql = (
        "UPDATE jobs SET status = 'leased', owner = ?2, lease_until = ?3, epoch = epoch + 1 WHERE id ="
        f" (SELECT id FROM jobs WHERE ({_DUE}) AND id NOT IN (SELECT value FROM json_each(?4))"
        " ORDER BY run_at, id LIMIT 1) RETURNING id, session_id, call_id, owner, epoch"
    )
    row = connection.execute(sql, (timestamp(now), owner, timestamp(until), canonical(list(passed)))).fetchone()
    return None if row is None else JobLease(*row)


def renew(connection: sqlite3.Connection, held: JobLease, until: datetime) -> bool:
    """Prolong a lease that is not lost."""
    sql = "UPDATE jobs SET lease_until = ? WHERE id = ? AND epoch = ? AND status = 'leased'"
    return connection.execute(sql, (timestamp(until), held.job_id, held.epoch)).rowcount == 1


def next_at(connection: sqlite3.Connection) -> datetime | None:
    """When something of the queue is due."""
    # a damaged moment is never due, and keeps nobody from the others
    at = "CASE status WHEN 'queued' THEN run_at ELSE lease_until END"
    sql = f"SELECT min({at}) FROM jobs WHERE status IN ('queued', 'leased') AND julianday({at}) IS NOT NULL"
    (text,) = connection.execute(sql).fetchone()
    return None if text is None else datetime.fromisoformat(text)


def rows(connection: sqlite3.Connection, status: str | None, session_id: str | None) -> list[JobRow]:
    """Jobs, oldest first."""
    sql = (
        f"SELECT {JOB} FROM jobs WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR session_id = ?2)"
        " ORDER BY enqueued_at, id"
    )
    return [job_row(found) for found in connection.execute(sql, (status, session_id))]


def row(connection: sqlite3.Connection, job_id: str) -> JobRow | None:
    """One job."""
    found = connection.execute(f"SELECT {JOB} FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return None if found is None else job_row(found)


def due_sessions(connection: sqlite3.Connection, now: datetime) -> list[str]:
    """Sessions that were left running, and those of which a request has expired."""
    sql = (
        "SELECT id FROM sessions WHERE state = 'running' AND (lease_until IS NULL OR lease_until <= ?1)"
        " UNION SELECT r.session_id FROM requests r JOIN sessions s ON s.id = r.session_id"
        " WHERE r.status = 'open' AND r.expires_at <= ?1 AND (s.lease_until IS NULL OR s.lease_until <= ?1)"
        " AND s.state NOT IN ('done', 'failed', 'cancelled', 'out_of_budget', 'timed_out')"
    )
    return [id_ for (id_,) in connection.execute(sql, (timestamp(now),))]
