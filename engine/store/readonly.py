"""A store's file for those who only read it: nothing is made, migrated or locked for long."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.language.value import timestamp
from engine.session.state.event import Event
from engine.store.log_key import LogKey, Voucher
from engine.store.migrations import MIGRATIONS, NewerStore
from engine.store.queries import bundle_files, connected, one_moment, whole_log
from engine.store.strays import Unidentified, store_id
from engine.store.urls import SQLITE, BadStoreUrl, StoreFault, no_store_at

# logs lie in segments, and heads have a place for their seals, since this version of the schema
READABLE = 5


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session in the store's listing."""

    id: str
    agent: str
    bundle: str


class ReadStore:
    """What a store's file holds."""

    def __init__(self, connection: sqlite3.Connection, voucher: Voucher | None = None) -> None:
        self._connection = connection
        self._voucher = voucher

    def sessions(self, since: datetime | None = None, agent: str | None = None) -> list[ListedSession]:
        """The sessions that began no earlier, oldest first."""
        sql = (
            "SELECT id, agent, bundle FROM sessions WHERE (?1 IS NULL OR created_at >= ?1)"
            " AND (?2 IS NULL OR agent = ?2) ORDER BY number"
        )
        rows = self._connection.execute(sql, (timestamp(since) if since else None, agent))
        return [ListedSession(*row) for row in rows]

    def log(self, session_id: str) -> list[Event]:
        """A session's events; raises CorruptLog, also where they are not what was written or have not its seal."""
        with one_moment(self._connection):
            return whole_log(self._connection, session_id, self._voucher)

    def bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """A bundle's files, or None; raises DamagedBundle."""
        return bundle_files(self._connection, digest)


def file_of(url: str) -> Path:
    """The file of a store that past sessions can be read from; raises BadStoreUrl."""
    if not url.startswith(SQLITE) or len(url) == len(SQLITE):
        raise BadStoreUrl(f"the store {url} holds no past sessions that can be read: use sqlite:///PATH")
    return Path(url[len(SQLITE) :])


@contextmanager
def open_reading(path: Path, key: LogKey | None = None) -> Iterator[ReadStore]:
    """A store's file, only to be read, a key vouching for its logs; raises StoreFault, NewerStore."""
    absent = no_store_at(path)
    if absent is not None:
        raise StoreFault(f"{absent}; name one with --store sqlite:///PATH")
    try:
        connection = _connected(path)
        try:
            yield ReadStore(connection, Voucher(store_id(connection), key) if key is not None else None)
        finally:
            connection.close()
    except (sqlite3.Error, Unidentified) as error:
        raise StoreFault(f"{path} can't be read as a store: {error}") from None


def _connected(path: Path) -> sqlite3.Connection:
    """A read-only connection; where nobody may write beside the file it is read as it lies, if all of it is there."""
    try:
        return _checked(_opened(path, "mode=ro"), path)
    except sqlite3.OperationalError:
        journal = Path(f"{path}-wal")
        if os.access(path.parent, os.W_OK) or (journal.exists() and journal.stat().st_size):
            raise
        return _checked(_opened(path, "mode=ro&immutable=1"), path)


def _opened(path: Path, how: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?{how}"
    return connected(uri, uri=True)


def _checked(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """A connection to a store of this version's schema."""
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise NewerStore(f"the store has schema {version}, and this engine knows {len(MIGRATIONS)}")
        if version < READABLE:
            found = "no store of this engine" if version == 0 else f"a store of an older version (schema {version})"
            raise StoreFault(f"{path} is {found}; `engine sessions list` brings an older one up to date")
        connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection
