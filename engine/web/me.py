"""The route about who asks."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.web.responses import answered
from engine.web.service import Service


async def read(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/me`: who the token or the login is for, and what they may do."""
    return answered(
        {
            "id": principal.id, "name": principal.name, "role": principal.role.value, "person": principal.person,
            "tenant": principal.tenant, "groups": sorted(principal.groups),
            "rights": sorted(right.value for right in principal.rights),
        }
    )  # fmt: skip
