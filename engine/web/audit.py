"""The route about what people and tokens did."""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.web.bodies import number_of
from engine.web.responses import answered
from engine.web.service import Service
from engine.web.sessions import MOST


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/audit`: who did what, by which means, from where; the oldest first, `?after=NUMBER&limit=`."""
    after, limit = number_of(request, "after", 0, 10**12), number_of(request, "limit", MOST, MOST, 1)
    found = await service.store.access.audit_events(after, limit, principal.tenant)
    items = [asdict(event) for event in found]
    if principal.tenant is not None:
        # how much others did is not theirs to know
        items = [{name: value for name, value in one.items() if name not in ("number", "link")} for one in items]
    return answered({"items": items, "next_cursor": str(found[-1].number) if len(found) == limit else None})
