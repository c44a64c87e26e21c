"""The route about what people say to each other about a request."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.web.bodies import NewComment, body_of
from engine.web.responses import answered
from engine.web.service import Service


async def comment(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/requests/{id}/comments`: 201; it answers nothing, and no model reads it."""
    row = await service.request(principal, request.path_params["id"])
    said = await body_of(request, NewComment)
    await commented(service, principal, row.id, said.text, request)
    return answered({"id": row.id, "by": principal.person, "text": said.text}, 201)


async def commented(service: Service, principal: Principal, request_id: str, text: str, request: Request) -> None:
    """Record a comment of a person who may; raises NotAllowed."""
    assert principal.person is not None, "whoever may comment is a person"
    await service.engine.comment(request_id, text, principal.person)
    await service.note(request, principal, "comment", request_id, "commented")
