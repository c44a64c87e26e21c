"""What stands in the SQLite file for sessions that it does not list, and what is wrong with the file as a whole."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from engine.store.migrations import migrate

# so many damaged pages are told
MOST = 10

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


def store_id(connection: sqlite3.Connection) -> str:
    """The id that heads are sealed with; raises Unidentified."""
    found = connection.execute("SELECT id FROM store LIMIT 2").fetchall()
    if len(found) != 1:
        told = "no id" if not found else "more than one id"
        raise UnidentifiedStore(f"the table `store` holds {told}, and seals are of one: put the file back from a copy")
    return str(found[0][0])


def strays(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """What belongs to no session that is listed, by what it says it is of."""
    found: dict[str, list[str]] = {}
    for session_id, told in _strays(connection):
        found.setdefault(session_id, []).append(told)
    return found


def _strays(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for of in _OF_SESSIONS:
        nobody = f"{of.session} NOT IN (SELECT {of.listed} FROM sessions)"
        sql = f"SELECT {of.session}, {of.row} FROM {of.table} WHERE {nobody} ORDER BY 1, 2"
        try:
            for session, row in connection.execute(sql):
                told = f"{of.noun.format(row)} stands in `{of.table}`, and there is no such session"
                yield of.named.format(session), told
        except sqlite3.DatabaseError as error:
            yield f"the table `{of.table}`", f"it can't be read: {error}"


def file_problems(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with the file, and with no session of it."""
    found = [*_foreign(connection), *_pages(connection)]
    try:
        store_id(connection)
    except (UnidentifiedStore, sqlite3.DatabaseError) as error:
        found.append(str(error))
    return found


def _pages(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite finds wrong with the file itself."""
    try:
        found = [line for (text,) in connection.execute(f"PRAGMA quick_check({MOST})") for line in text.splitlines()]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    told = [line for line in found if line != "ok"]
    if told:
        more = f" (and {len(told) - MOST} more)" if len(told) > MOST else ""
        yield f"the file is damaged, and nothing more should be written to it: {'; '.join(told[:MOST])}{more}"
        yield "put it back from a copy, or save what can be read: sqlite3 STORE .recover | sqlite3 NEW"


def _foreign(connection: sqlite3.Connection) -> Iterator[str]:
    """What the file has that is no part of a store, and would act or be read in its place: a trigger, a view."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        own = _made_of(fresh)
    there = _made_of(connection)
    for name in sorted(there.keys() - own.keys()):
        kind, table, _ = there[name]
        on = f" on `{table}`" if table != name else ""
        yield f"the {kind} `{name}`{on} is none of the store's: find out who made it, and drop it"
    for name in sorted(own.keys() - there.keys()):
        yield f"the {own[name][0]} `{name}` is not there: put the file back from a copy"
    for name in sorted(own.keys() & there.keys()):
        if own[name] != there[name]:
            yield f"the {there[name][0]} `{name}` is another than the store's: put the file back from a copy"


def _made_of(connection: sqlite3.Connection) -> dict[str, tuple[str, str, str]]:
    """Tables, indexes, triggers and views by name: what each is, of which table, and how it was made."""
    sql = "SELECT name, type, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    return {
        name: (kind, table, re.sub(r'[\s"]', "", made or "").lower())
        for name, kind, table, made in connection.execute(sql)
    }
