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
from engine.session.state.yeses import yes_ids
from engine.spec.request_kind import RequestKind


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
        if row.kind != RequestKind.APPROVAL:
            continue
        try:
            for request_id in await _said_by(runner, row.session_id, row.id, by, said_until):
                await runner.record(row.session_id, partial(_back, request_id, by, why))
                found.append(request_id)
        except (NotAllowed, UnknownSession):
            continue  # it counted meanwhile, or its session is gone
        except EngineError as error:
            left[row.id] = str(error)
    return TakenBack(found, left)


async def _said_by(runner: Runner, session_id: str, request_id: str, by: str, until: datetime | None) -> list[str]:
    """The requests that a person said yes to until a moment, and that start nothing yet.

    It is the one that is open, where the yes counts later, or others about the same call, where another yes is needed.
    """
    state = await runner.load(session_id)
    request = state.requests.get(request_id)
    if request is None or not request.open:
        return []
    if request.delayed is not None:
        said_at = datetime.fromisoformat(request.delayed["said_at"])
        return [request.id] if request.delayed["by"] == by and (until is None or said_at <= until) else []
    call = state.calls.get(request.call_id or "")
    ids = yes_ids(state, call) if call is not None else frozenset()
    others = [state.requests[one] for one in sorted(ids)]
    return [
        one.id for one in others
        if one.answered is not None and one.answered["by"] == by
        and (until is None or one.answered_at is None or one.answered_at <= until)
    ]  # fmt: skip
