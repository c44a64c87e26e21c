"""The process that is killed: it drives every session of a store that can go on, several at once."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import trio

from engine.runtime import engine, keeper
from engine.runtime.clock import TrioClock
from engine.session.state import FINAL
from engine.store.urls import open_url

AT_ONCE = 8

# a killed owner's lease is waited for: ten seconds for each kill would be a long test
SHORT = timedelta(seconds=0.4)


async def drive_all(url: str, root: Path) -> None:
    """Drive until every session waits or is over."""
    keeper.LEASE = engine.LEASE = SHORT
    keeper.RENEW_EVERY = keeper.LOOK_EVERY = 0.1
    async with open_url(url) as store:
        one = engine.Engine(store, TrioClock(), root=root)
        limit = trio.CapacityLimiter(AT_ONCE)

        async def drive(session_id: str) -> None:
            async with limit:
                await one.drive(session_id)

        async with trio.open_nursery() as nursery:
            for row in await store.sessions():
                if row.state not in FINAL:
                    nursery.start_soon(drive, row.id)


if __name__ == "__main__":
    trio.run(drive_all, sys.argv[1], Path(sys.argv[2]))
