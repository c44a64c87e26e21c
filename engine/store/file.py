"""The file of a SQLite store: it is made, opened with the pragmas that the promises rest on, and watched."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from engine.private_files import make_file_behind, make_folder
from engine.store.migrations import migrate
from engine.store.sqlite_connection import SqliteConnection, connected


def opened(path: Path, make: bool) -> tuple[SqliteConnection, SqliteConnection, Callable[[], None]]:
    """Two connections to one file, and a check that it is there still; raises sqlite3.Error, OSError."""
    if make:
        make_file_of(path)
    # taken first: what is removed or replaced while it is being opened is not what was meant either
    check = partial(_still_there, path, _identity(path))
    writing = connect(path, check)
    try:
        return writing, connect(path, check), check
    except BaseException:
        writing.close()
        raise


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of its name; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _still_there(path: Path, opened: tuple[int, int] | None) -> None:
    """Raise where the file that was opened is not what stands at its path: what is written to it would be lost."""
    if opened is None or _identity(path) != opened:
        raise sqlite3.OperationalError("the file is gone, or another was put in its place, while it was in use")


def make_file_of(path: Path) -> None:
    """Make a store's file, with its directory, where there is none; raises OSError."""
    make_folder(path.parent)
    make_file_behind(path)


def lock_problem(path: Path, seconds: float) -> str:
    """Why nothing can be written to a file, which is waited for so long; empty where it can.  Nothing is written."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=seconds)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            told = f"another process keeps others from writing to {path}, for {seconds:g} seconds and more"
            return f"{told}: find it, with `fuser {path}`"
        return f"nothing can be written to {path}: {error}"
    return ""


def vacuum(path: Path) -> None:
    """Write a store's file anew without the room that is free in it; raises sqlite3.Error, and it is as it was."""
    connection = connect(path)
    try:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def empty_wal(path: Path) -> None:
    """Put what stands in the log beside a file into it, and empty that: what was erased is nowhere then."""
    connection = sqlite3.connect(path, timeout=10)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def connect(path: Path, check: Callable[[], None] = lambda: None) -> SqliteConnection:
    """A connection to a file that is there, with the pragmas that the promises rest on; raises sqlite3.Error.

    `check` raises where it is not there any more, which says more than that it can't be opened.
    """
    try:
        connection = connected(f"{path.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False)
    except sqlite3.OperationalError:
        check()
        raise
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection)
        check()
    except BaseException:
        connection.close()
        raise
    return connection
