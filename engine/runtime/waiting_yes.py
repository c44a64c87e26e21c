"""What becomes of a yes that does not count yet when whoever said it is let in no more."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from engine.ports.records import CorruptLog, UnknownSession
from engine.ports.store import Store
from engine.runtime.errors import NotAllowed
from engine.runtime.runner import Runner as Runner
from engine.session.state.inputs import YesTakenBack


def _back(request_id: str, by: str, why: str, at: datetime) -> YesTakenBack:
    return YesTakenBack(request_id, by, at, why)


async def take_back_all(runner: Runner, store: Store, by: str, why: str) -> list[str]:
    """Take back every yes of a person that waits to count, and give the requests, which are open again."""
    found = []
    for row in await store.requests():
        if row.counts_at is None:
            continue
        try:
            state = await runner.load(row.session_id)
            request = state.requests.get(row.id)
            if request is None or not request.open or request.delayed is None or request.delayed["by"] != by:
                continue
            await runner.record(row.session_id, partial(_back, row.id, by, why))
            found.append(row.id)
        except (NotAllowed, CorruptLog, UnknownSession):
            # it counted meanwhile, or its session is gone or damaged, and goes on by nothing
            continue
    return found
