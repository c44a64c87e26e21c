"""Stores of both kinds, and a clock that a test moves on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine.ports.store import Store
from engine.store.memory import MemoryStore
from engine.store.sqlite import open_store
from engine.trio_clock import TrioClock
from tests.session.play import START

STORES = pytest.mark.parametrize("kind", ["memory", "sqlite"])


@asynccontextmanager
async def opened(kind: str, at: Path, clock: TrioClock) -> AsyncIterator[Store]:
    """An empty store of a kind, whose clock a test has."""
    if kind == "memory":
        yield MemoryStore(clock)
    else:
        async with open_store(at / "e.db", clock=clock) as store:
            yield store


class Moved(TrioClock):
    """Goes on by itself, and by what a test adds."""

    def __init__(self) -> None:
        super().__init__(START)
        self.more = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.more
