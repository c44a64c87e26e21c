"""What stands in the tables of a store for sessions that it does not list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.store.database import SqlConnection

_HOLDER = "CASE instr(holder, '/') WHEN 0 THEN holder ELSE substr(holder, 1, instr(holder, '/') - 1) END"


@dataclass(frozen=True, slots=True)
class _Of:
    """A table of rows that belong to sessions: by which column, what a row is called, and what it is told as."""

    table: str
    session: str
    row: str
    noun: str
    listed: str = "id"
    named: str = "{}"


_OF_SESSIONS = (
    _Of("requests", "session_id", "id", "request {}"),
    _Of("jobs", "session_id", "id", "job {}"),
    _Of("snapshots", "session_id", "seq", "a snapshot at event {}"),
    _Of("idempotency_keys", _HOLDER, "key", "the idempotency key {}"),
    _Of("meter_entries", _HOLDER, "key", "the entry of a meter {}"),
    _Of("segments", "session", "first", "what begins with event {}", "number", "session number {}"),
)


class UnidentifiedStore(Exception):
    """A store that has no id, or several: nobody can say what was sealed for it."""


def store_id(connection: SqlConnection) -> str:
    """The id that heads are sealed with; raises Unidentified."""
    found = connection.execute("SELECT id FROM store LIMIT 2").fetchall()
    if len(found) != 1:
        told = "no id" if not found else "more than one id"
        raise UnidentifiedStore(f"the table `store` holds {told}, and seals are of one: put the file back from a copy")
    return str(found[0][0])


def strays(connection: SqlConnection) -> dict[str, list[str]]:
    """What belongs to no session that is listed, by what it says it is of."""
    found: dict[str, list[str]] = {}
    for session_id, told in _strays(connection):
        found.setdefault(session_id, []).append(told)
    return found


def _strays(connection: SqlConnection) -> Iterator[tuple[str, str]]:
    for of in _OF_SESSIONS:
        nobody = f"{of.session} NOT IN (SELECT {of.listed} FROM sessions)"
        sql = f"SELECT {of.session}, {of.row} FROM {of.table} WHERE {nobody} ORDER BY 1, 2"
        try:
            for session, row in connection.execute(sql):
                told = f"{of.noun.format(row)} stands in `{of.table}`, and there is no such session"
                yield of.named.format(session), told
        except connection.DatabaseError as error:
            yield f"the table `{of.table}`", f"it can't be read: {error}"
