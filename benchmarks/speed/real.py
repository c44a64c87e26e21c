"""Sessions of the support-triage agent in a batch: what the rules, prompts and databases of a real bundle cost.

usage: real.py many SESSIONS STEPS; the agent says itself how many steps it takes.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import trio

from benchmarks.speed.work import Meter, stored, tell
from engine.bundle.load import load_directory
from engine.runtime.gc_tuning import tune_gc
from engine.runtime.opening import Opening
from engine.runtime.runner import Runner
from engine.store.sqlite import open_store

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("specs", "policies", "prompts")
MESSAGE = "I was charged twice and your docs didn't help."
ACCOUNTS = ("acct_1001", "acct_1002", "acct_1003", "acct_1005", "acct_1004", "acct_1006")
AT_ONCE = 32


async def run(sessions: int, folder: Path) -> None:
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name)
    bundle = load_directory(folder).bundle
    assert bundle is not None
    tune_gc()
    async with open_store(folder / "engine.db") as store, Runner(store) as engine:
        limit = trio.CapacityLimiter(AT_ONCE)

        async def one(number: int) -> None:
            account = ACCOUNTS[number % len(ACCOUNTS)]
            opening = Opening("support-triage", MESSAGE, {"tenant": "acme", "account_id": account})
            async with limit:
                await engine.run(bundle, opening, folder)

        await one(0)
        size = stored(folder / "engine.db")
        with Meter() as meter:
            async with trio.open_nursery() as nursery:
                for number in range(sessions):
                    nursery.start_soon(one, number)
        figures = {"cpu": meter.cpu, "wall": meter.wall, "bytes": stored(folder / "engine.db") - size}
        tell(mode="many", sessions=sessions, steps=1, **figures)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        trio.run(run, int(sys.argv[2]), Path(place))
