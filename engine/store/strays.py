"""What stands in the SQLite file for sessions that it does not list, and what is wrong with the file as a whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

_NO_SESSION = "{0} NOT IN (SELECT id FROM sessions)"
_HOLDER = "CASE instr(holder, '/') WHEN 0 THEN holder ELSE substr(holder, 1, instr(holder, '/') - 1) END"

# of each table whose session a row stands for, and what is told of it
_OF_SESSIONS = (
    ("requests", "session_id", "id", "request"),
    ("jobs", "session_id", "id", "job"),
    ("snapshots", "session_id", "''", "a snapshot"),
    ("idempotency_keys", _HOLDER, "key", "the idempotency key"),
    ("meter_entries", _HOLDER, "key", "the entry of a meter"),
)


class Unidentified(Exception):
    """A store that has no id, or several: nobody can say what was sealed for it."""


def store_id(connection: sqlite3.Connection) -> str:
    """The id that heads are sealed with; raises Unidentified."""
    found = connection.execute("SELECT id FROM store LIMIT 2").fetchall()
    if len(found) != 1:
        told = "no id" if not found else "more than one id"
        raise Unidentified(f"the table `store` holds {told}, and seals are of one: put the file back from a copy")
    return str(found[0][0])


def strays(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """What belongs to no session that is listed, by what it says it is of."""
    found: dict[str, list[str]] = {}
    for session_id, told in _strays(connection):
        found.setdefault(session_id, []).append(told)
    return found


def _strays(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for table, session, name, what in _OF_SESSIONS:
        sql = f"SELECT {session}, {name} FROM {table} WHERE {_NO_SESSION.format(session)} ORDER BY 1, 2"
        for session_id, key in connection.execute(sql):
            yield session_id, f"{' '.join(filter(None, (what, key)))} stands in `{table}`, and there is no such session"
    sql = "SELECT session, first, last FROM segments WHERE session NOT IN (SELECT number FROM sessions) ORDER BY 1, 2"
    for number, first, last in connection.execute(sql):
        yield f"session number {number}", f"events {first} to {last} stand in `segments`, and there is no such session"


def file_problems(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with the file, and with no session of it."""
    try:
        store_id(connection)
    except Unidentified as error:
        return [str(error)]
    return []
