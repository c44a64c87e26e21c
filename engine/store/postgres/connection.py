"""A connection to PostgreSQL, as the store's statements run on it."""

from __future__ import annotations

import json
import select
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import psycopg

from engine.store.database import SqlRows
from engine.store.postgres.notifications import notification
from engine.store.postgres.placeholders import numbered
from engine.store.postgres.texts import as_stored, row_as_given

# a number that the server would give itself, where one is brought
_AS_GIVEN = "OVERRIDING SYSTEM VALUE"
# more than so many bytes of values are not put together into one: a server takes a gigabyte as one, and each of them
# would be held several times
_LARGEST = 16 * 1024 * 1024


class PostgresRows:
    """See `store.SqlRows`; in a pipeline a statement may not even be sent by when it is asked for them."""

    def __init__(self, cursor: psycopg.RawCursor[Any], connection: PostgresConnection) -> None:
        self._cursor = cursor
        self._connection = connection
        self._number = connection.sent = connection.sent + 1

    def _heard(self) -> psycopg.RawCursor[Any]:
        if self._number > self._connection.heard:
            self._connection.hear()
        return self._cursor

    def fetchone(self) -> Any:
        """See `store.SqlRows`."""
        return row_as_given(self._heard().fetchone())

    def fetchall(self) -> list[Any]:
        """See `store.SqlRows`."""
        return [row_as_given(row) for row in self._heard().fetchall()]

    @property
    def rowcount(self) -> int:
        """See `store.SqlRows`."""
        return self._heard().rowcount

    def __iter__(self) -> Iterator[Any]:
        return map(row_as_given, self._heard())


class PostgresConnection:
    """See `store.SqlConnection`: statements run in the transaction that whoever has it has begun.

    What many rows are written with is one statement, to which they are given as one value: as JSON.
    """

    for_update = " FOR UPDATE"
    skip_taken = " FOR UPDATE SKIP LOCKED"
    DatabaseError = psycopg.DatabaseError

    def __init__(self, raw: psycopg.Connection[Any], channel: str = "") -> None:
        """What changes is told at a channel of the server's."""
        self.raw = raw
        self._channel = channel
        self._pipeline: psycopg.Pipeline | None = None
        self._ends = ExitStack()
        # statements, and how many of them were answered
        self.sent = self.heard = 0

    def begin_pipeline(self) -> None:
        """From here on statements are sent without waiting for what comes of those before."""
        self._ends = ExitStack()
        self._pipeline = self._ends.enter_context(self.raw.pipeline())

    def end_pipeline(self) -> None:
        """Send all, and hear what came of it, if there is a pipeline; raises the first that went wrong."""
        self._pipeline = None
        self.heard = self.sent
        self._ends.close()

    def hear(self) -> None:
        """Hear what came of all that was sent, if there is a pipeline; raises the first that went wrong.

        That is brought to an end by it: a server waits for more of what has no end for ever, and for the next statement
        of a transaction only as long as it may stand still.
        """
        self.heard = self.sent
        if self._pipeline is not None:
            self._send_all()
            self._pipeline.sync()

    def _send_all(self) -> None:
        """Send what is not sent yet, and wait until there is room for a word more; raises psycopg.OperationalError.

        psycopg 3.3 waits for the answer to what it has sent in part, if that was too large to be sent at once.
        """
        connection, socket = self.raw.pgconn, select.poll()
        left = True
        while left:
            left = bool(connection.flush())
            socket.register(self.raw.fileno(), select.POLLIN | select.POLLOUT)
            ((_, ready),) = socket.poll()
            if ready & ~select.POLLOUT:
                # what comes meanwhile is taken, or the server would wait for that
                connection.consume_input()
            left = left or not ready & select.POLLOUT

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> SqlRows:
        """See `store.SqlConnection`."""
        text, order = numbered(sql)
        cursor = psycopg.RawCursor(self.raw)
        # what stands in a statement is ours, and never somebody's words
        cursor.execute(text.encode(), [as_stored(values[number]) for number in order] if order else None)
        return PostgresRows(cursor, self)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> SqlRows:
        """See `store.SqlConnection`."""
        text, order = numbered(sql)
        cursor = psycopg.RawCursor(self.raw)
        cursor.executemany(text.encode(), [[as_stored(row[number]) for number in order] for row in rows])
        return PostgresRows(cursor, self)

    def among(self, query: str, texts: Sequence[str], behind: str = "", /) -> SqlRows:
        """See `store.SqlConnection`."""
        if len(texts) == 1:
            return self.execute(f"{query} = ?{behind}", texts)
        sql = f"{query} = ANY (ARRAY (SELECT json_array_elements_text(?::json))){behind}"
        return self.execute(sql, (json.dumps([as_stored(text) for text in texts]),))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], /) -> None:
        """See `store.SqlConnection`."""
        names = ", ".join(columns)
        if len(rows) > 1 and _size(rows) <= _LARGEST:
            given = f"json_populate_recordset(NULL::{table}, ?::json)"
            sql = f"INSERT INTO {table} ({names}) {_AS_GIVEN} SELECT {names} FROM {given}"
            self.execute(sql, (_as_json(columns, rows),))
        else:
            sql = f"INSERT INTO {table} ({names}) {_AS_GIVEN} VALUES ({', '.join('?' * len(columns))})"
            for row in rows:
                self.execute(sql, row)

    def update(self, table: str, columns: Sequence[str], key: str, rows: Sequence[Sequence[Any]], /) -> None:
        """See `store.SqlConnection`."""
        if len(rows) == 1:
            changed = ", ".join(f"{column} = ?" for column in columns)
            self.execute(f"UPDATE {table} SET {changed} WHERE {key} = ?", rows[0])
        elif rows:
            changed = ", ".join(f"{column} = given.{column}" for column in columns)
            given = f"json_populate_recordset(NULL::{table}, ?::json) AS given"
            sql = f"UPDATE {table} SET {changed} FROM {given} WHERE {table}.{key} = given.{key}"
            self.execute(sql, (_as_json((*columns, key), rows),))

    def by_index(self, name: str, /) -> str:
        """See `store.SqlConnection`: it knows what is in a table."""
        return ""

    def columns(self, table: str, /) -> list[str]:
        """See `store.SqlConnection`."""
        sql = "SELECT attname FROM pg_attribute WHERE attrelid = ?::regclass AND attnum > 0 AND NOT attisdropped"
        return [name for (name,) in self.execute(sql, (table,))]

    def number_on(self, table: str, column: str, /) -> None:
        """See `store.SqlConnection`."""
        highest = f"SELECT coalesce(max({column}), 0) + 1 FROM {table}"
        sql = "SELECT pg_get_serial_sequence(?, ?)"
        (sequence,) = self.execute(sql, (table, column)).fetchone()
        if sequence is not None:
            self.execute(f"SELECT setval(?, ({highest}), false)", (sequence,))

    def tell_of(self, session_ids: Sequence[str], /) -> None:
        """See `store.SqlConnection`: one notification for all of them."""
        self.execute("SELECT pg_notify(?, ?)", (self._channel, notification(session_ids)))

    def overwrite_deleted(self) -> None:
        """See `store.SqlConnection`: what was deleted is gone with the next vacuum, which the server does by itself."""


def _size(rows: Sequence[Sequence[Any]]) -> int:
    return sum(len(value) for row in rows for value in row if isinstance(value, bytes | str))


def _as_json(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    told = [dict(zip(columns, map(as_stored, row), strict=True)) for row in rows]
    return json.dumps(told, default=_bytes_as_text)


def _bytes_as_text(value: Any) -> str:
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} is no value of a row")
    return f"\\x{value.hex()}"
