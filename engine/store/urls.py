"""Stores by URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from engine.ports import Store
from engine.store.memory import MemoryStore
from engine.store.sqlite import open_store

SQLITE = "sqlite:///"
DEFAULT = "sqlite:///.engine/engine.db"


class BadStoreUrl(Exception):
    """A store's URL that this version can't use."""


@asynccontextmanager
async def open_url(url: str) -> AsyncIterator[Store]:
    """The store that a URL names; raises BadStoreUrl."""
    if url == "memory:":
        yield MemoryStore()
    elif url.startswith(SQLITE) and len(url) > len(SQLITE):
        async with open_store(Path(url[len(SQLITE) :])) as store:
            yield store
    elif url.startswith("postgresql:"):
        raise BadStoreUrl(f"the store {url} is not available in this version: use sqlite:///PATH")
    else:
        raise BadStoreUrl(f"the store {url} is not understood: use sqlite:///PATH or memory:")
