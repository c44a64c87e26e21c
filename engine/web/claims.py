"""Who is at a request: others are told, and may answer all the same, since a lock would outlast whoever has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.ports.access import RequestClaim
from engine.web.bodies import NewClaim, body_of
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service

HOLDS = timedelta(minutes=10)


async def claim(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/requests/{id}/claim`: 200, for ten minutes; 409 where somebody else has claimed it, without `take`."""
    row = await service.request(principal, request.path_params["id"])
    wanted = await body_of(request, NewClaim)
    found = await claimed(service, principal, row.id, take=wanted.take)
    if found.person != principal.person:
        told = f"{found.person} has claimed it; `take` puts you in their place, and you may answer without"
        raise HttpProblem(409, "claimed", told, more=claim_shown(found))
    return answered({"id": row.id} | claim_shown(found))


async def release(service: Service, principal: Principal, request: Request) -> Response:
    """`DELETE /v1/requests/{id}/claim`: 204; 409 where one has not claimed it."""
    row = await service.request(principal, request.path_params["id"])
    if not await released(service, principal, row.id):
        raise HttpProblem(409, "not_claimed", f"you have not claimed the request {row.id}")
    return Response(status_code=204, headers={"cache-control": "no-store"})


async def claimed(service: Service, principal: Principal, request_id: str, *, take: bool = False) -> RequestClaim:
    """The claim that stands once a person has asked for one; raises HttpProblem for a request that is not open."""
    row = await service.request(principal, request_id)
    if row.status != "open":
        raise HttpProblem(409, "not_open", f"the request {request_id} is {row.status}")
    now = service.clock.now()
    mine = RequestClaim(request_id, principal.person or "", now + HOLDS)
    found = await service.store.access.claim_request(mine, now, take=take)
    service.claims.forget()
    return found


async def released(service: Service, principal: Principal, request_id: str) -> bool:
    """Give a person's claim back; whether there was one."""
    done = await service.store.access.release_request(request_id, principal.person or "")
    service.claims.forget()
    return done


async def claims_listed(service: Service) -> Mapping[str, RequestClaim]:
    """Who is at which request, for a list."""
    now = service.clock.now()
    found = await service.claims.value(now, lambda: service.store.access.request_claims(now))
    return {id_: claim for id_, claim in found.items() if claim.until > now}


def claim_shown(found: RequestClaim | None) -> dict[str, Any]:
    """Who has claimed a request, and until when."""
    return {
        "claimed_by": found.person if found is not None else None,
        "claimed_until": found.until if found is not None else None,
    }
