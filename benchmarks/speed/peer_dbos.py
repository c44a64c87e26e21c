"""The three-step session as a DBOS workflow over SQLite, each model call and tool call a step.

usage: peer_dbos.py MODE SESSIONS STEPS; it runs in an environment of its own.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from dbos import DBOS

from benchmarks.speed.work import OUTPUTS, Meter, planned, stored, tell

FOLDER = tempfile.TemporaryDirectory(prefix="bench-")
PATH = Path(FOLDER.name) / "dbos.db"
DBOS(
    config={
        "name": "bench",
        "system_database_url": f"sqlite:///{PATH}",
        "log_level": "ERROR",
        "console_log_level": "ERROR",
        "run_admin_server": False,
    }
)


@DBOS.step()
async def model(step: int, steps: int) -> list[Any]:
    return planned(step, steps)


@DBOS.step()
async def act(name: str, given: dict[str, Any]) -> dict[str, Any]:
    return OUTPUTS[name]


@DBOS.workflow()
async def session(steps: int) -> str:
    for step in range(1, steps + 1):
        calls = await model(step, steps)
        if not calls:
            break
        await asyncio.gather(*[act(name, given) for name, given in calls])
    return "done"


async def run(mode: str, sessions: int, steps: int) -> None:
    assert await session(steps) == "done"
    with Meter() as meter:
        if mode == "many":
            await asyncio.gather(*[session(steps) for _ in range(sessions)])
        else:
            for _ in range(sessions):
                await session(steps)
    tell(mode=mode, sessions=sessions, steps=steps, cpu=meter.cpu, wall=meter.wall, bytes=stored(PATH))


if __name__ == "__main__":
    DBOS.launch()
    try:
        asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    finally:
        DBOS.destroy()
        FOLDER.cleanup()
