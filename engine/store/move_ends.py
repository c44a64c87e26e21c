"""The two ends of a move, by their URLs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from engine.store.backup import StoreStopped, stopped_text
from engine.store.faults import BadStoreUrl
from engine.store.file import connect, make_file_of
from engine.store.move import MoveEnd
from engine.store.move_mark import MOVED, check_open
from engine.store.sqlite_connection import SqliteConnection
from engine.store.urls import file_of, is_on_server, no_store_at, of_postgres


@contextmanager
def open_end(url: str, *, make: bool) -> Iterator[MoveEnd]:
    """A store to be moved, or into which another is; only the second is made where there is none.

    Raises BadStoreUrl, StoreFault, NewerStore, sqlite3.Error.
    """
    file = file_of(url)
    if file is not None:
        absent = None if make else no_store_at(file)
        if absent is not None:
            raise BadStoreUrl(absent)
        if make:
            make_file_of(file)
        connection = connect(file)
        try:
            shown = f"sqlite:///{os.path.abspath(file)}"
            yield MoveEnd(shown, connection, lambda: _alone(connection), lambda: datetime.now(UTC))
        finally:
            connection.close()
    elif is_on_server(url):
        with of_postgres("move_end").open_end(url, make=make) as end:
            yield end
    else:
        raise BadStoreUrl(f"the store {url} can't be moved: use sqlite:///PATH or postgresql://HOST/DATABASE")


def check_goes_on(url: str) -> None:
    """Raise StoreStopped or StoreMoved for a store in which nothing goes on."""
    file = file_of(url)
    if file is not None:
        if not file.is_file() or not file.stat().st_size:
            return  # what is wrong with it is told by who opens it
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            stopped, *moved = connection.execute(f"SELECT stopped_at, {MOVED} FROM store").fetchone()
        except (sqlite3.Error, TypeError):
            return  # no store, or one of a version that knows nothing of it
        finally:
            connection.close()
    elif is_on_server(url):
        with open_end(url, make=False) as end:
            stopped, *moved = end.connection.execute(f"SELECT stopped_at, {MOVED} FROM store").fetchone()
    else:
        return
    if stopped is not None:
        raise StoreStopped(stopped_text(stopped))
    check_open(moved)


@contextmanager
def _alone(connection: SqliteConnection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
