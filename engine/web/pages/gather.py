"""What pages need of a session's bundle and log: gathered for one request, off the loop where it takes a while."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import trio

from engine.ports.access import Absence
from engine.ports.records import CorruptLog, RequestRow
from engine.session.sealed_tokens import shown as unsealed
from engine.session.state.evolve import BrokenHistory
from engine.session.state.state import State
from engine.web.absences import away_from
from engine.web.members import bundle_of
from engine.web.pages.evidence import RequestEvidence, evidence_of, says
from engine.web.service import Service


async def gathered(service: Service, row: RequestRow, state: State) -> RequestEvidence:
    """Why something is asked; of a session whose bundle or log can't be had, nothing."""
    request = state.requests.get(row.id)
    bundle = await bundle_of(service, row)
    if request is None or bundle is None or row.problem:
        return RequestEvidence()
    try:
        log = await service.store.load(row.session_id)
        gather = partial(evidence_of, log, state, request, bundle, service.clock.now())
        found = await trio.to_thread.run_sync(gather, limiter=service.readers)
    except (CorruptLog, BrokenHistory):
        return RequestEvidence()
    # what is asked, and not what somebody has made of the call since
    return replace(found, says=await sentence_of(service, row))


async def sentence_of(service: Service, row: RequestRow) -> str:
    """What a call does, in the words of its tool; empty where it has none."""
    name, input_ = row.payload.get("tool"), row.payload.get("input")
    bundle = await bundle_of(service, row) if isinstance(name, str) and isinstance(input_, dict) else None
    tool = bundle.tools.get(str(name)) if bundle is not None else None
    return says(tool, dict(unsealed(input_) or {})) if tool is not None else ""


async def away_now(service: Service, row: RequestRow, absences: list[Absence]) -> list[Absence]:
    """Who of those that a request asks is away."""
    return await away_from(service, row, await bundle_of(service, row), absences) if absences else []
