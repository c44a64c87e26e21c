"""Connections to the file of a SQLite store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.store.rows import moment


class SqliteConnection(sqlite3.Connection):
    """See `store.SqlConnection`.  There is one writer to a file: nobody changes what it reads."""

    for_update = skip_taken = ""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """See `sqlite3.Connection`; what changed since the transaction began is told when it is over."""
        super().__init__(*arguments, **options)
        self.changed_sessions: list[str] = []

    def by_index(self, name: str, /) -> str:
        """See `store.SqlConnection`: of two it takes the one for an equality, however many rows that has."""
        return f" INDEXED BY {name}"

    def columns(self, table: str, /) -> list[str]:
        """See `store.SqlConnection`."""
        return [row[1] for row in self.execute(f"PRAGMA table_info({table})")]

    def number_on(self, table: str, column: str, /) -> None:
        """See `store.SqlConnection`: a number is one behind the highest."""

    def tell_of(self, session_ids: Sequence[str], /) -> None:
        """See `store.SqlConnection`."""
        self.changed_sessions += session_ids

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """The same; of a schema that is damaged SQLite's own words may be no text."""
        try:
            return super().execute(*arguments)
        except UnicodeDecodeError:
            raise sqlite3.DatabaseError("the database's schema is damaged") from None

    def among(self, query: str, texts: Sequence[str], behind: str = "", /) -> sqlite3.Cursor:
        """See `store.SqlConnection`."""
        if len(texts) == 1:
            return self.execute(f"{query} = ?{behind}", texts)
        # a text of JSON ends for SQLite where there is a NUL in it
        if any("\0" in text for text in texts):
            return self.execute(f"{query} IN ({', '.join('?' * len(texts))}){behind}", texts)
        return self.execute(f"{query} IN (SELECT value FROM json_each(?)){behind}", (json.dumps(texts),))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], /) -> None:
        """See `store.SqlConnection`."""
        if rows:
            places = ", ".join("?" * len(columns))
            self.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)

    def update(self, table: str, columns: Sequence[str], key: str, rows: Sequence[Sequence[Any]], /) -> None:
        """See `store.SqlConnection`."""
        if rows:
            changed = ", ".join(f"{column} = ?" for column in columns)
            self.executemany(f"UPDATE {table} SET {changed} WHERE {key} = ?", rows)

    def overwrite_deleted(self) -> None:
        """See `store.SqlConnection`."""
        self.execute("PRAGMA secure_delete = ON")


def connected(name: str | Path, **options: Any) -> SqliteConnection:
    """A connection to a store's file: each statement is its own transaction unless one was begun.

    A text that is none is shown as what it is: it keeps nobody from the rows beside it.  Raises sqlite3.Error.
    """
    connection: SqliteConnection = sqlite3.connect(
        name, isolation_level=None, timeout=30, factory=SqliteConnection, **options
    )
    connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
    connection.create_function("is_moment", 1, _is_moment, deterministic=True)
    return connection


def _is_moment(text: Any) -> bool:
    return isinstance(text, str) and moment(text) is not None


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Several questions that all see the file as it is at the first."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        # nothing was written; where a page is damaged a commit would fail too
        if connection.in_transaction:
            connection.execute("ROLLBACK")
