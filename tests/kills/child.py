"""The process that is killed: it drives every session of a store that can go on, several at once."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import trio

from engine.runtime import driver, worker
from engine.runtime import lease_keeper as keeper
from engine.runtime.errors import LeaseLost
from engine.runtime.runner import Runner
from engine.session.state.state import FINAL
from engine.store.urls import open_url

AT_ONCE = 8

# a killed owner's lease is waited for: ten seconds for each kill would be a long test
SHORT = timedelta(seconds=0.4)


async def drive_all(url: str, root: Path) -> None:
    """Drive until every session waits or is over."""
    keeper.LEASE, keeper.GRACE = SHORT, 0.1
    # the names that they have taken over at import
    vars(driver)["LEASE"] = vars(worker)["LEASE"] = SHORT
    vars(worker)["GRACE"] = 0.1
    worker.BEAT_EVERY, worker.LOOK_EVERY = 0.1, 0.05
    keeper.RENEW_EVERY = keeper.LOOK_EVERY = 0.1
    async with open_url(url) as store:
        one = Runner(store, root=root)
        limit = trio.CapacityLimiter(AT_ONCE)

        async def drive(session_id: str) -> None:
            async with limit:
                while True:
                    try:
                        await one.drive(session_id)
                        return
                    except LeaseLost:
                        # a machine that is busy for longer than so short a lease: it is taken anew
                        continue

        jobs = worker.Worker(one)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, jobs)
            async with trio.open_nursery() as driving:
                for row in await store.sessions():
                    if row.state not in FINAL:
                        driving.start_soon(drive, row.id)
            # jobs and retries that are not due yet are waited for
            while any(row.state in ("running", "awaiting_job") for row in await store.sessions()):  # noqa: ASYNC110
                await trio.sleep(0.05)
            jobs.release_lease()


async def work(jobs: worker.Worker) -> None:
    await jobs.work(grace=0)


if __name__ == "__main__":
    trio.run(drive_all, sys.argv[1], Path(sys.argv[2]))
