"""A store's file for those who only read it: nothing is made, migrated or locked for long."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from engine.ports.records import SessionRow
from engine.ports.store import PastSessions
from engine.session.state.event import Event
from engine.store.faults import BadStoreUrl, NoStore, StoreFault
from engine.store.log_key import LogKey, Voucher
from engine.store.migrations import MIGRATIONS, NewerStore
from engine.store.queries import bundle_files, session_rows, whole_log
from engine.store.sqlite_connection import SqliteConnection, connected, one_moment
from engine.store.strays import UnidentifiedStore, store_id
from engine.store.urls import POSTGRES, SQLITE, no_store_at, open_url

# logs lie in segments, and heads have a place for their seals, since this version of the schema
READABLE = 5


class ReadOnlyStore:
    """See `ports.PastSessions`.  It reads where it is asked, in no thread: for processes that do nothing else."""

    def __init__(self, connection: SqliteConnection, voucher: Voucher | None = None) -> None:
        self._connection = connection
        self._voucher = voucher

    async def sessions(
        self,
        limit: int | None = None,
        state: str | None = None,
        *,
        since: datetime | None = None,
        agent: str | None = None,
        before: str | None = None,
        tenant: str | None = None,
    ) -> list[SessionRow]:
        """See `ports.PastSessions`."""
        return session_rows(self._connection, limit, state, since, agent, before, tenant)

    async def load(self, session_id: str, after: int = 0) -> list[Event]:
        """See `ports.PastSessions`; raises CorruptLog also for what is before `after`."""
        with one_moment(self._connection):
            log = whole_log(self._connection, session_id, self._voucher)
        return log[after:]

    async def load_bundle(self, digest: str) -> Mapping[str, bytes] | None:
        """See `ports.PastSessions`."""
        return bundle_files(self._connection, digest)


@asynccontextmanager
async def open_past(url: str, key: LogKey | None = None) -> AsyncIterator[PastSessions]:
    """The past sessions of the store that a URL names, only to be read, a key vouching for their logs.

    Its `functools.partial` with a URL and a key is what another process is given to open the store by itself.
    Raises BadStoreUrl, StoreFault, of it NoStore where there is none, and NewerStore.
    """
    if url.partition(":")[0] in POSTGRES:
        async with open_url(url, key, make=False) as store:
            yield store
        return
    if not url.startswith(SQLITE) or len(url) == len(SQLITE):
        raise BadStoreUrl(
            f"the store {url} holds no past sessions that can be read: use sqlite:///PATH, or postgresql://HOST/DATABASE"
        )
    path = Path(url[len(SQLITE) :])
    absent = no_store_at(path)
    if absent is not None:
        raise NoStore(f"{absent}; name one with --store sqlite:///PATH")
    try:
        connection = _connected(path)
        try:
            yield ReadOnlyStore(connection, Voucher(store_id(connection), key) if key is not None else None)
        finally:
            connection.close()
    except (sqlite3.Error, UnidentifiedStore) as error:
        raise StoreFault(f"{path} can't be read as a store: {error}") from None


def _connected(path: Path) -> SqliteConnection:
    """A read-only connection; where nobody may write beside the file it is read as it lies, if all of it is there."""
    try:
        return _checked(_opened(path, "mode=ro"), path)
    except sqlite3.OperationalError:
        journal = Path(f"{path}-wal")
        if os.access(path.parent, os.W_OK) or (journal.exists() and journal.stat().st_size):
            raise
        return _checked(_opened(path, "mode=ro&immutable=1"), path)


def _opened(path: Path, how: str) -> SqliteConnection:
    uri = f"{path.resolve().as_uri()}?{how}"
    return connected(uri, uri=True)


def _checked(connection: SqliteConnection, path: Path) -> SqliteConnection:
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
