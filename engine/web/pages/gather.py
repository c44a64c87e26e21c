"""What pages need of a session's bundle and log: gathered for one request, off the loop where it takes a while."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import trio

from engine.api.shapes import request_status
from engine.diagnostic.visible import line as visible
from engine.ports.access import Absence
from engine.ports.records import CorruptLog, RequestRow, call_values
from engine.runtime.errors import BundleUnavailable
from engine.session.sealed_tokens import shown as unsealed
from engine.session.state.evolve import BrokenHistory
from engine.session.state.state import State
from engine.web.absences import away_from
from engine.web.members import bundle_of
from engine.web.pages.card import words_of
from engine.web.pages.evidence import RequestEvidence, evidence_of, says, urgent_bundles
from engine.web.pages.span import span_told
from engine.web.service import Service

# of what was asked before about the same so many are shown
MOST_EARLIER = 5


@dataclass(frozen=True, slots=True)
class EarlierRequest:
    """Something that was asked before about the same account: in words, how it stands, and how long ago that was."""

    id: str
    sentence: str
    status: str
    age: str


async def gathered(service: Service, row: RequestRow, state: State) -> RequestEvidence:
    """Why something is asked; of a session whose bundle or log can't be had, nothing."""
    request = state.requests.get(row.id)
    bundle = await bundle_of(service, row)
    if request is None or bundle is None or row.problem:
        return RequestEvidence()
    try:
        log = await service.store.load(row.session_id)
        urgent = {one: await service.engine.bundle(one) for one in urgent_bundles(request, state)}
        gather = partial(evidence_of, log, state, request, bundle, service.clock.now(), urgent)
        found = await trio.to_thread.run_sync(gather, limiter=service.readers)
    except (CorruptLog, BrokenHistory, BundleUnavailable):
        return RequestEvidence()
    # what is asked, and not what somebody has made of the call since
    return replace(found, says=await sentence_of(service, row))


async def earlier(
    service: Service, row: RequestRow, state: State, tenant: str | None
) -> tuple[str, list[EarlierRequest]]:
    """What the session is about that the call names too, such as an account, and the newest other requests about it."""
    given = [value for value in call_values(row) if isinstance(value, str)]
    whose = [str(value) for name, value in state.attributes.items() if name != "tenant" and value in given]
    if not whose:
        return "", []
    rows = await service.store.requests_about(whose[0], limit=MOST_EARLIER + 1, tenant=tenant)
    told = [await service.logged.listed(one) for one in rows if one.id != row.id]
    now = service.clock.now()
    return visible(whose[0]), [
        EarlierRequest(
            one.id, words_of(one, await sentence_of(service, one)).sentence, request_status(one),
            span_told(now - one.opened_at) if one.opened_at is not None else "",
        )
        for one in told[:MOST_EARLIER]
    ]  # fmt: skip


async def sentence_of(service: Service, row: RequestRow) -> str:
    """What a call does, in the words of its tool; empty where it has none."""
    name, input_ = row.payload.get("tool"), row.payload.get("input")
    bundle = await bundle_of(service, row) if isinstance(name, str) and isinstance(input_, dict) else None
    tool = bundle.tools.get(str(name)) if bundle is not None else None
    return says(tool, dict(unsealed(input_) or {})) if tool is not None else ""


async def away_now(service: Service, row: RequestRow, absences: list[Absence]) -> list[Absence]:
    """Who of those that a request asks is away."""
    return await away_from(service, row, await bundle_of(service, row), absences) if absences else []
