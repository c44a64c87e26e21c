"""A connection to PostgreSQL, as the store's statements run on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from engine.store.database import SqlRows
from engine.store.postgres.placeholders import numbered


class PostgresConnection:
    """See `store.SqlConnection`: statements run in the transaction that whoever has it has begun."""

    for_update = " FOR UPDATE"
    skip_taken = " FOR UPDATE SKIP LOCKED"
    DatabaseError = psycopg.DatabaseError
    IntegrityError = psycopg.IntegrityError

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.raw = raw

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> SqlRows:
        """See `store.SqlConnection`."""
        text, order = numbered(sql)
        cursor = psycopg.RawCursor(self.raw)
        # what stands in a statement is ours, and never somebody's words
        cursor.execute(text.encode(), [values[number] for number in order] if order else None)
        return cursor

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> SqlRows:
        """See `store.SqlConnection`."""
        text, order = numbered(sql)
        cursor = psycopg.RawCursor(self.raw)
        cursor.executemany(text.encode(), [[row[number] for number in order] for row in rows])
        return cursor

    def table_of(self, error: Exception) -> str:
        """See `store.SqlConnection`."""
        return str(error.diag.table_name) if isinstance(error, psycopg.Error) else ""

    def overwrite_deleted(self) -> None:
        """See `store.SqlConnection`: what was deleted is gone with the next vacuum, which the server does by itself."""
