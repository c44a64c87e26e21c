"""Stores by URL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from engine.ports import Store
from engine.store.log_key import LogKey
from engine.store.memory import MemoryStore
from engine.store.migrations import ForeignDatabase
from engine.store.sqlite import open_store, prepare

SQLITE = "sqlite:///"


class BadStoreUrl(Exception):
    """A store's URL that this version can't use."""


class StoreFault(Exception):
    """A store that is there, or should be, and can't be read or written."""


@asynccontextmanager
async def open_url(url: str, key: LogKey | None = None, *, make: bool = True) -> AsyncIterator[Store]:
    """The store that a URL names, a key vouching for what it holds; raises BadStoreUrl, StoreFault, NewerStore.

    One that is not there is made, unless it is only to be looked into or gone on with: then its name is mistyped.
    """
    if url == "memory:":
        yield MemoryStore()
    elif url.startswith(SQLITE) and len(url) > len(SQLITE):
        path = Path(url[len(SQLITE) :])
        if not make and not await trio.to_thread.run_sync(os.path.lexists, path):
            raise BadStoreUrl(
                f"there is no store at {path}; `engine run` and `engine deploy` make one, --store names another"
            )
        try:
            # a first look, in which the file is made or found to be no store
            (await trio.to_thread.run_sync(prepare, path)).close()
        except ForeignDatabase as error:
            raise BadStoreUrl(f"{path} can't be used as a store: {error}") from None
        except (sqlite3.Error, OSError) as error:
            # unlike `Path.is_dir` it says no where nobody may look
            directory = await trio.to_thread.run_sync(os.path.isdir, path)
            if directory or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
                # what is named was never a store
                raise BadStoreUrl(f"{path} can't be used as a store: {error}") from None
            raise StoreFault(f"{path} can't be used as a store: {error}") from None
        async with open_store(path, key) as store:
            yield store
    elif url.startswith("postgresql:"):
        raise BadStoreUrl(f"the store {url} is not available in this version: use sqlite:///PATH")
    else:
        raise BadStoreUrl(f"the store {url} is not understood: use sqlite:///PATH or memory:")
