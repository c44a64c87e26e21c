"""Stores for programs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine.ports.clock import Clock
from engine.ports.store import Store
from engine.store.log_key import LogKey
from engine.store.urls import open_url


@asynccontextmanager
async def open_store(
    url: str, key: LogKey | None = None, *, make: bool = True, clock: Clock | None = None
) -> AsyncIterator[Store]:
    """Open the store that a URL names (`sqlite:///PATH`, `memory:`); one that is not there is made if it may be.

    All who work with a store go by its clock; another one may stand in, for tests.
    Raises BadStoreUrl, StoreFault, NewerStore.  With the log's key what the store holds is vouched for.
    """
    async with open_url(url, key, make=make, clock=clock) as store:
        yield store
