"""The routes about notifications: what was told, what was not, and why; one that was given up is tried again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.ports.deliveries import Delivery, DeliveryState
from engine.web.bodies import number_of
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service, no_such
from engine.web.sessions import MOST


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/deliveries`: the newest first, `?state=&limit=`; none for a token of one tenant."""
    limit, state = number_of(request, "limit", 50, MOST, 1), request.query_params.get("state")
    if state is not None and state not in set(DeliveryState):
        raise HttpProblem(422, "invalid", f"`state` is one of {', '.join(DeliveryState)}")
    meant = DeliveryState(state) if state is not None else None
    found = await service.store.deliveries.deliveries(limit, meant) if principal.tenant is None else []
    return answered({"items": [_shown(one) for one in found], "next_cursor": None})


async def retry(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/deliveries/{id}/retry`: 202; one that was given up is due again, once."""
    delivery_id = request.path_params["id"]
    found = await service.store.deliveries.deliveries(10**6) if principal.tenant is None else []
    known = next((one for one in found if one.id == delivery_id), None)
    if known is None:
        raise no_such("delivery", delivery_id)
    if known.state is not DeliveryState.DEAD:
        raise HttpProblem(409, "not_dead", f"the delivery is {known.state}")
    again = replace(known, state=DeliveryState.PENDING, due_at=service.clock.now())
    await service.store.deliveries.settle(again)
    await service.note(request, principal, "retry_delivery", known.id, "accepted")
    return answered(_shown(again), 202)


def _shown(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.id, "notification": one.notification, "kind": one.kind, "about": one.about, "state": one.state.value,
        "attempts": one.attempts, "made_at": one.made_at, "due_at": one.due_at, "problem": one.problem,
    }  # fmt: skip
