"""What pages need of a session's bundle and log: gathered for one request, off the loop where it takes a while."""

from __future__ import annotations

from functools import partial

import trio

from engine.access.principal import CUSTOMER, Principal
from engine.access.rights import Right
from engine.ports.access import Absence
from engine.ports.records import CorruptLog, RequestRow, UnknownSession
from engine.runtime.errors import BundleUnavailable
from engine.session.sealed_tokens import shown as unsealed
from engine.session.sensitivity import HIDDEN
from engine.session.state.evolve import BrokenHistory
from engine.session.state.state import State
from engine.spec.bundle import Bundle
from engine.web.absences import away_from
from engine.web.pages.evidence import RequestEvidence, evidence_of, says
from engine.web.service import Service


async def gathered(service: Service, row: RequestRow, state: State) -> RequestEvidence:
    """Why something is asked; of a session whose bundle or log can't be had, nothing."""
    request = state.requests.get(row.id)
    bundle = await _bundle(service, row)
    if request is None or bundle is None or row.problem:
        return RequestEvidence()
    try:
        log = await service.store.load(row.session_id)
        gather = partial(evidence_of, log, state, request, bundle, service.clock.now())
        return await trio.to_thread.run_sync(gather, limiter=service.readers)
    except (CorruptLog, BrokenHistory):
        return RequestEvidence()


async def sentence_of(service: Service, row: RequestRow) -> str:
    """What a call does, in the words of its tool; empty where it has none."""
    name, input_ = row.payload.get("tool"), row.payload.get("input")
    bundle = await _bundle(service, row) if isinstance(name, str) and isinstance(input_, dict) else None
    tool = bundle.tools.get(str(name)) if bundle is not None else None
    return says(tool, dict(unsealed(input_) or {})) if tool is not None else ""


async def may_answer(service: Service, principal: Principal, row: RequestRow) -> bool:
    """Whether somebody belongs to a group that is asked, as far as the session's own bundle knows."""
    if not principal.may(Right.ANSWER) or principal.person is None:
        return False
    bundle = await _bundle(service, row)
    named = row.payload.get("names") or {}
    if any(principal.person in people or HIDDEN in people for people in named.values()):
        # whose name is not shown here the engine knows when they answer
        return True
    groups = [group for group in row.payload.get("groups") or [] if group != CUSTOMER and group not in named]
    if not groups:
        return not row.payload.get("groups")
    known = [bundle.reviewers[group] for group in groups if group in bundle.reviewers] if bundle is not None else []
    # whom an urgent bundle asks that one alone may know
    return len(known) < len(groups) or any(group.has(principal.person, principal.groups) for group in known)


async def away_now(service: Service, row: RequestRow, absences: list[Absence]) -> list[Absence]:
    """Who of those that a request asks is away."""
    return away_from(row, await _bundle(service, row), absences, service.clock.now()) if absences else []


async def _bundle(service: Service, row: RequestRow) -> Bundle | None:
    try:
        return await service.engine.bundle(await service.logged.bundle_of(row.session_id))
    except (BundleUnavailable, UnknownSession):
        return None
