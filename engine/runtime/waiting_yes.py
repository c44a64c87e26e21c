"""What becomes of a yes that does not count yet when whoever said it is let in no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from engine.errors import EngineError
from engine.ports.records import UnknownSession
from engine.ports.store import Store
from engine.runtime.errors import NotAllowed
from engine.runtime.runner import Runner as Runner
from engine.session.state.inputs import YesTakenBack


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The requests that are open again, and by request why a yes that waits to count could not be looked at.

    Whose those are nobody knows: they may be of whoever was meant, and count when their time comes.
    """

    requests: Sequence[str]
    left: Mapping[str, str]


def _back(request_id: str, by: str, why: str, at: datetime) -> YesTakenBack:
    return YesTakenBack(request_id, by, at, why)


async def take_back_all(
    runner: Runner,
    store: Store,
    by: str,
    why: str,
    *,
    said_until: datetime | None = None,
    tenant: str | None = None,
) -> TakenBack:
    """Take back every yes of a person that waits to count: in a tenant's sessions, of those said until a moment.

    A session that nothing can be said of keeps no other waiting.
    """
    found, left = [], {}
    for row in await store.requests(tenant=tenant):
        if row.counts_at is None:
            continue
        try:
            if await _is_said_by(runner, row.session_id, row.id, by, said_until):
                await runner.record(row.session_id, partial(_back, row.id, by, why))
                found.append(row.id)
        except (NotAllowed, UnknownSession):
            continue  # it counted meanwhile, or its session is gone
        except EngineError as error:
            left[row.id] = str(error)
    return TakenBack(found, left)


async def _is_said_by(runner: Runner, session_id: str, request_id: str, by: str, until: datetime | None) -> bool:
    request = (await runner.load(session_id)).requests.get(request_id)
    if request is None or not request.open or request.delayed is None or request.delayed["by"] != by:
        return False
    return until is None or datetime.fromisoformat(request.delayed["said_at"]) <= until
