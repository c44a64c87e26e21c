"""What is wrong with the file of a SQLite store as a whole."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

from engine.store.migrations import migrate
from engine.store.sqlite_connection import SqliteConnection
from engine.store.strays import UnidentifiedStore, store_id

# so many damaged pages are told
MOST = 10


def file_problems(connection: SqliteConnection) -> list[str]:
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
