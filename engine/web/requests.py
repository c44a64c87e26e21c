"""The routes about requests: what people are asked, and their answers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.api.answers import Answer, Approve, Deny, Reply, Settle
from engine.api.shapes import answer_shown, comments_shown, delayed_yes_shown, request_shown
from engine.ports.records import RequestRow
from engine.runtime.errors import BundleUnavailable, NotAllowed
from engine.session.state.inputs import TOKEN_REVOKED
from engine.session.state.state import State
from engine.web.absences import absences_for, away_from, shown
from engine.web.bodies import NewAnswer, body_of, number_of
from engine.web.claims import claim_shown, claims_listed
from engine.web.members import asked_of
from engine.web.problems import HttpProblem, status_of
from engine.web.responses import answered
from engine.web.service import Service
from engine.web.sessions import MOST


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/requests`: the inbox, the oldest first; `?status=open|all&mine=1&limit=&cursor=`."""
    limit, cursor = number_of(request, "limit", 50, MOST, 1), request.query_params.get("cursor")
    status = request.query_params.get("status", "open")
    if status not in ("open", "all"):
        raise HttpProblem(422, "invalid", "`status` is open or all")
    if cursor is not None:
        # answered or not, it says where the page before it ended
        await service.request(principal, cursor)
    if request.query_params.get("mine", "1") != "1":
        raise HttpProblem(422, "invalid", "`mine` is 1, or left out")
    rows = await _rows(service, principal, request, status == "open", limit + 1)
    claims = await claims_listed(service)
    page = [request_shown(await service.logged.listed(row)) | claim_shown(claims.get(row.id)) for row in rows[:limit]]
    return answered({"items": page, "next_cursor": page[-1]["id"] if len(rows) > limit else None})


async def _rows(
    service: Service, principal: Principal, request: Request, open_only: bool, limit: int
) -> list[RequestRow]:
    """So many requests behind the cursor; with `mine` those alone that the principal may answer."""
    after, mine = request.query_params.get("cursor"), "mine" in request.query_params
    found: list[RequestRow] = []
    while len(found) < limit:
        rows = await service.store.requests(
            open_only=open_only, after=after, limit=MOST if mine else limit, tenant=principal.tenant
        )
        found += await asked_of(service, principal, rows) if mine else rows
        if not mine or len(rows) < MOST:
            break
        after = rows[-1].id
    return found[:limit]


async def read(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/requests/{id}`: the call, the rules that ask, the values they saw, what the customer wrote."""
    row = await service.logged.listed(await service.request(principal, request.path_params["id"]))
    state = await service.engine.look(row.session_id)
    about = {"attributes": dict(state.attributes), "messages": list(state.messages), "seq": state.seq}
    about |= {"comments": comments_shown(state, row.id), "away": await _away(service, principal, row, state)}
    about |= delayed_yes_shown(state, row.id) | answer_shown(state, row.id)
    claims = await service.store.access.request_claims(service.clock.now())
    told = request_shown(row) | about | claim_shown(claims.get(row.id))
    digest = {"digest": _digest(state, row)}
    return answered(told | digest, headers={"etag": f'"{digest["digest"]}"'}, plain=digest)


async def answer(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/requests/{id}/answers`: 200; 428 without the digest that was shown, 409 for another one."""
    row = await service.request(principal, request.path_params["id"])
    told = await body_of(request, NewAnswer)
    if told.digest is None:
        raise HttpProblem(428, "digest_required", "an answer names the `digest` of the request as it was shown")
    try:
        await answer_by(service, principal, row, _reply(told, principal), told.digest)
    except NotAllowed as refused:
        changed = refused.reason == "another_call"
        code = "request_changed" if changed else refused.reason
        more = {"digest": _digest(await service.engine.look(row.session_id), row)} if changed else {}
        raise HttpProblem(status_of(refused), code, str(refused), more=more, digest=told.digest) from None
    await service.note(request, principal, "answer", row.id, told.answer, told.digest)
    standing = await service.store.session(row.session_id)
    stored = await service.store.request(row.id) if row.payload.get("settle_delay") else None
    counts_at = stored.counts_at if stored is not None and stored.status == "open" else None
    return answered(
        {"id": row.id, "answer": told.answer, "by": principal.person, "counts_at": counts_at,
         "session": {"id": standing.id, "state": standing.state, "seq": standing.seq}}
    )  # fmt: skip


async def answer_by(service: Service, principal: Principal, row: RequestRow, reply: Reply, digest: str) -> None:
    """Record what somebody answers to the call that they were shown; raises NotAllowed, or HttpProblem 401."""
    await service.engine.answer(row.id, reply, digest=digest, drive=False, roles=principal.groups)
    if not row.payload.get("settle_delay"):
        return
    try:
        await service.check_let_in(principal)
    except HttpProblem:
        # whoever revoked their token meanwhile did not see this yes; one that counts is one of before
        with suppress(NotAllowed):
            await service.engine.take_back(row.id, principal.person or "", why=TOKEN_REVOKED)
        raise


async def take_back(service: Service, principal: Principal, request: Request) -> Response:
    """`DELETE /v1/requests/{id}/answers`: 204, or 409; takes back one's yes that does not count yet."""
    row = await service.request(principal, request.path_params["id"])
    await taken_back(service, principal, row.id, request)
    return Response(status_code=204)


async def taken_back(service: Service, principal: Principal, request_id: str, request: Request) -> None:
    """Record that somebody takes their yes back; raises NotAllowed."""
    await service.engine.take_back(request_id, principal.person or "")
    await service.note(request, principal, "take_back", request_id, "taken_back")


def _reply(said: NewAnswer, principal: Principal) -> Reply:
    by = principal.person or ""
    if said.edits is not None and said.answer != "approve":
        raise HttpProblem(422, "invalid", "/edits: only a call that is approved can be changed")
    match said.answer:
        case "approve":
            return Approve(by=by, note=said.note, edit=said.edits)
        case "deny":
            return Deny(by=by, note=said.note)
        case "value":
            return Answer(by=by, value=said.value, note=said.note)
        case "happened":
            return Settle(by=by, happened=True, output=said.output, note=said.note)
        case "did_not_happen":
            return Settle(by=by, happened=False, note=said.note)
        case "abandon":
            return Settle(by=by, happened=None, note=said.note)


async def _away(service: Service, principal: Principal, row: RequestRow, state: State) -> list[dict[str, Any]]:
    """Who of those that a request asks is away now."""
    absences = await absences_for(service, principal)
    if not absences:
        return []
    try:
        bundle = await service.engine.bundle(state.bundle)
    except BundleUnavailable:
        bundle = None
    return [shown(one) for one in await away_from(service, row, bundle, absences)]


def _digest(state: State, row: RequestRow) -> str:
    request = state.requests.get(row.id)
    return request.digest if request is not None else ""
