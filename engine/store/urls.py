"""Stores by URL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import trio

from engine.extras import unusable
from engine.ports.clock import Clock
from engine.ports.kinds import UnusableKind, store_opener
from engine.ports.store import Store
from engine.store.faults import BadStoreUrl, StoreFault
from engine.store.file import connect, make_file_of
from engine.store.findings import ServerFinding
from engine.store.log_key import LogKey
from engine.store.memory import MemoryStore
from engine.store.migrations import ForeignDatabase
from engine.store.sqlite import open_store
from engine.store.strays import UnidentifiedStore
from engine.store.wake import WakeListener, listening

SQLITE, POSTGRES = "sqlite:///", ("postgresql", "postgres")


@asynccontextmanager
async def open_url(
    url: str, key: LogKey | None = None, *, make: bool = True, clock: Clock | None = None
) -> AsyncIterator[Store]:
    """The store that a URL names, a key vouching for what it holds; raises BadStoreUrl, StoreFault, NewerStore.

    Its `clock` is its own, unless one is given, as for a test.

    One that is not there is made, unless it is only to be looked into or gone on with: then its name is mistyped.
    """
    more = {"clock": clock} if clock is not None else {}
    async with _opener(url)(url, key, make=make, **more) as store:
        yield store


Opener = Callable[..., AbstractAsyncContextManager[Store]]


def _opener(url: str) -> Opener:
    """What opens the stores of a URL's scheme: one of ours, or what a package brings."""
    scheme = url.partition(":")[0]
    if scheme in _OPENERS:
        return _OPENERS[scheme]
    try:
        found: Opener | None = store_opener(scheme)
    except UnusableKind as error:
        raise StoreFault(f"the store {url} can't be used: {error}") from error
    if found is None:
        raise BadStoreUrl(
            f"the store {url} is not understood: use sqlite:///PATH, postgresql://HOST/DATABASE or memory:"
        )
    return found


@asynccontextmanager
async def _in_memory(url: str, key: LogKey | None, *, make: bool, clock: Clock | None = None) -> AsyncIterator[Store]:
    if url != "memory:":
        raise BadStoreUrl(f"the store {url} is not understood: use sqlite:///PATH or memory:")
    yield MemoryStore(clock)


@asynccontextmanager
async def _in_sqlite(url: str, key: LogKey | None, *, make: bool, clock: Clock | None = None) -> AsyncIterator[Store]:
    if not url.startswith(SQLITE) or len(url) == len(SQLITE):
        raise BadStoreUrl(f"the store {url} is not understood: use sqlite:///PATH or memory:")
    path = Path(url[len(SQLITE) :])
    absent = None if make else await trio.to_thread.run_sync(no_store_at, path)
    if absent is not None:
        raise BadStoreUrl(f"{absent}; `engine run` and `engine deploy` make one, --store names another")
    try:
        # a first look, in which the file is made or found to be no store
        (await trio.to_thread.run_sync(_looked_into, path, make)).close()
    except ForeignDatabase as error:
        raise BadStoreUrl(f"{path} can't be used as a store: {error}") from None
    except (sqlite3.Error, OSError) as error:
        # unlike `Path.is_dir` it says no where nobody may look
        directory = await trio.to_thread.run_sync(os.path.isdir, path)
        if directory or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            # what is named was never a store
            raise BadStoreUrl(f"{path} can't be used as a store: {error}") from None
        raise StoreFault(f"{path} can't be used as a store: {error}") from None
    try:
        async with open_store(path, key, make=make, clock=clock) as store:
            yield store
    except UnidentifiedStore as error:
        raise StoreFault(f"{path} can't be used with a key: {error}") from None


def _looked_into(path: Path, make: bool) -> sqlite3.Connection:
    if make:
        make_file_of(path)
    return connect(path)


@asynccontextmanager
async def _in_postgres(url: str, key: LogKey | None, *, make: bool, clock: Clock | None = None) -> AsyncIterator[Store]:
    async with of_postgres("opening").open_store(url, key, make=make, clock=clock) as store:
        yield store


_OPENERS: Mapping[str, Opener] = {
    "memory": _in_memory, "sqlite": _in_sqlite, **dict.fromkeys(POSTGRES, _in_postgres),
}  # fmt: skip


def listening_at(url: str) -> AbstractAsyncContextManager[WakeListener]:
    """A listener for what other processes change in a store; nobody tells one of a store of another kind."""
    file = file_of(url)
    if file is not None:
        return listening(file)
    if is_on_server(url):
        on_server: AbstractAsyncContextManager[WakeListener] = of_postgres("notifications").listening(url)
        return on_server
    return nullcontext(WakeListener())


def server_findings(url: str) -> Sequence[ServerFinding]:
    """How the server of a store stands; nothing where there is none.  Raises BadStoreUrl, StoreFault."""
    found: Sequence[ServerFinding] = of_postgres("health").server_findings(url) if is_on_server(url) else ()
    return found


def is_on_server(url: str) -> bool:
    """Whether a store is on a PostgreSQL server."""
    return url.partition(":")[0] in POSTGRES


def of_postgres(module: str) -> Any:
    """A module that speaks to PostgreSQL: its library is had where stores are on servers.  Raises StoreFault."""
    try:
        return import_module(f"engine.store.postgres.{module}")
    except ImportError as error:
        told = unusable("postgres", "the store", error)
        raise StoreFault(f"a store on PostgreSQL can't be used: {told}") from None


def file_of(url: str) -> Path | None:
    """The file of a store; None of one that has none."""
    return Path(url[len(SQLITE) :]) if url.startswith(SQLITE) else None


def new_file(url: str) -> Path | None:
    """The file that opening a URL would make a store in; None where there is one, or none is made."""
    if not url.startswith(SQLITE):
        return None
    path = Path(url[len(SQLITE) :]).absolute()
    # in an empty file a store may have been
    empty = os.path.isfile(path) and not os.path.getsize(path)
    return path if empty or not os.path.lexists(path) else None


def no_store_at(path: Path) -> str | None:
    """What is there in the place of a store that is only to be read; None if it may be one."""
    if not os.path.lexists(path):
        return f"there is no store at {path}"
    if os.path.isfile(path) and not os.path.getsize(path):
        return f"there is no store at {path}, which is an empty file: if one was there, put it back from a copy"
    return None
