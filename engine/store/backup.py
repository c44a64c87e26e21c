"""Copies of a SQLite store: taken while it is written to, and put back in a state in which nothing goes on by itself.

What was done after the copy was taken is not in it.  A session that was alive then may have paid a refund since, and
would pay it again: so a store that was put back is stopped, until somebody who has looked at it releases it.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError
from engine.private_files import make_file, make_folder
from engine.session.state.state import FINAL
from engine.spec.request_kind import RequestKind
from engine.store.database import SqlConnection
from engine.store.file import connect
from engine.store.move_mark import ASK, check_open


class BadBackup(EngineError):
    """A copy that can't be taken or put back as it is asked for."""


class StoreStopped(EngineError):
    """A store that was put back from a copy, and that nobody has released."""


@dataclass(frozen=True, slots=True)
class CopiedStore:
    """What is in a copy: how many sessions, those that are not over, unknown writes, and tokens that are good there."""

    sessions: int
    alive: tuple[str, ...]
    unknown_writes: tuple[str, ...]
    tokens: tuple[str, ...]


def copy(source: Path, target: Path, at: str) -> CopiedStore:
    """Copy a store, whoever writes to it meanwhile; the copy is stopped.  Raises BadBackup, sqlite3.Error, OSError."""
    return _copy(source, target, at)


def release(path: Path) -> bool:
    """Let a stopped store go on; False where it was not stopped.  Raises sqlite3.Error, StoreMoved."""
    connection = connect(path)
    try:
        # a copy of a store that goes on elsewhere does not go on
        check_open(connection.execute(ASK).fetchone())
        with connection:
            done = connection.execute("UPDATE store SET stopped_at = NULL WHERE stopped_at IS NOT NULL").rowcount
    finally:
        connection.close()
    return done > 0


def stopped_text(at: str) -> str:
    """What is said of a store that stands still."""
    told = f"this store was put back from a copy at {at}, and nobody has released it"
    return f"{told}: look at what was alive, then engine restore --release"


def stopped_at(connection: SqlConnection | sqlite3.Connection) -> str | None:
    """When a store was put back, if nobody has released it since."""
    row = connection.execute("SELECT stopped_at FROM store").fetchone()
    return row[0] if row is not None else None


def _copy(source: Path, target: Path, stopped: str) -> CopiedStore:
    if os.path.lexists(target):
        raise BadBackup(f"{target} is there already: nothing is written over")
    make_folder(target.absolute().parent)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        make_file(part)
        _copied(source, part)
        found = _checked(part, stopped)
        # the name is taken only by what is whole
        os.link(part, target)
        return found
    except FileExistsError:
        raise BadBackup(f"{target} is there already: nothing is written over") from None
    finally:
        for name in (part, *(part.with_name(part.name + more) for more in ("-wal", "-shm"))):
            name.unlink(missing_ok=True)


def _copied(source: Path, part: Path) -> None:
    # what is copied is not changed by it, whichever version wrote it
    reading = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
    try:
        writing = sqlite3.connect(part)
        try:
            reading.backup(writing)
        finally:
            writing.close()
    finally:
        reading.close()


def _checked(part: Path, stopped: str) -> CopiedStore:
    """Look whether a copy is a whole database, and what is in it; of one that is put back that it is stopped."""
    connection = connect(part)
    try:
        (told,) = connection.execute("PRAGMA integrity_check").fetchone()
        if told != "ok":
            raise BadBackup(f"the copy is damaged: {told}")
        with connection:
            connection.execute("UPDATE store SET stopped_at = ?", (stopped,))
            # who was logged in then is not logged in to this one
            connection.execute("DELETE FROM logins")
        number = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
        rows = connection.execute("SELECT id, state FROM sessions ORDER BY created_at, id").fetchall()
        sql = "SELECT id FROM requests WHERE status = 'open' AND kind = ? ORDER BY id"
        unknown = connection.execute(sql, (RequestKind.SETTLE.value,)).fetchall()
        # what stands beside the file is put into it, so that it is one file
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        alive = tuple(f"{id_} {state.replace('_', ' ')}" for id_, state in rows if state not in FINAL)
        tokens = connection.execute("SELECT name FROM tokens WHERE revoked_at IS NULL ORDER BY name").fetchall()
        named = tuple(name for (name,) in tokens)
        return CopiedStore(number, alive, tuple(id_ for (id_,) in unknown), named)
    finally:
        connection.close()
