"""The routes about tokens: they are made, listed and revoked by who operates the service."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from engine.access.principal import Principal
from engine.access.rights import RIGHTS, Right, Role
from engine.access.tokens import BadToken, new_token
from engine.ports.access import AccessToken
from engine.session.state.inputs import TOKEN_REVOKED
from engine.web.bodies import NewToken, body_of
from engine.web.members import MOST_MAKERS, makers_of
from engine.web.problems import HttpProblem
from engine.web.responses import answered
from engine.web.service import Service, no_such


async def listed(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/tokens`: the oldest first, those of one's own tenant where one has one."""
    now = service.clock.now()
    found = [one for one in await service.store.access.tokens() if principal.tenant in (None, one.tenant)]
    return answered({"items": [shown(one, now) for one in found], "next_cursor": None})


async def create(service: Service, principal: Principal, request: Request) -> Response:
    """`POST /v1/tokens`: 201 with the secret, which is told this once."""
    wanted = await body_of(request, NewToken)
    _check_not_beyond(principal, wanted)
    if principal.tenant is not None and wanted.tenant != principal.tenant:
        raise HttpProblem(403, "another_tenant", f"this token makes tokens of the tenant {principal.tenant} alone")
    try:
        secret, token = new_token(
            wanted.name, Role(wanted.role), person=wanted.person, tenant=wanted.tenant, by=principal.id,
            at=service.clock.now(), expires_at=_moment(wanted.expires_at),
            scopes=[Right(scope) for scope in wanted.scopes], groups=wanted.groups,
        )  # fmt: skip
    except BadToken as error:
        raise HttpProblem(422, "invalid", str(error)) from None
    except ValueError:
        raise HttpProblem(422, "invalid", f"a scope is one of {', '.join(Right)}") from None
    if len(await makers_of(service, principal.id)) >= MOST_MAKERS:
        told = f"it would be made with a token that was made with one, {MOST_MAKERS} times over: use an earlier one"
        raise HttpProblem(403, "beyond", told)
    if not await service.store.access.add_token(token):
        raise HttpProblem(409, "name_taken", f"there is a token {wanted.name} already; revoke it first")
    await service.note(request, principal, "create_token", token.id, "created")
    return answered(shown(token, service.clock.now()) | {"secret": secret}, 201, {"location": f"/v1/tokens/{token.id}"})


async def revoke(service: Service, principal: Principal, request: Request) -> Response:
    """`DELETE /v1/tokens/{id}`: 204; it lets nobody in any more, and no yes of its person that waits counts.

    Where some of them can't be looked at it is 503: asked again, it goes on with those.
    """
    token_id = request.path_params["id"]
    token = await service.store.access.token_by_id(token_id)
    if token is None or principal.tenant not in (None, token.tenant):
        raise no_such("token", token_id)
    await service.store.access.revoke_token(token_id, service.clock.now())
    await service.note(request, principal, "revoke_token", token_id, "revoked")
    await _take_back(service, token_id)
    return Response(status_code=204, headers={"cache-control": "no-store"})


async def _take_back(service: Service, token_id: str) -> None:
    """Take back what was said with a token that is revoked, and may have been said by who took it."""
    token = await service.store.access.token_by_id(token_id)
    if token is None or token.person is None:
        return
    told = await service.engine.take_back_all(
        token.person, why=TOKEN_REVOKED, said_until=token.revoked_at, tenant=token.tenant
    )
    if told.left:
        waits = "; ".join(f"{request}: {why}" for request, why in sorted(told.left.items()))
        raise HttpProblem(
            503, "not_taken_back", f"the token is revoked, and a yes that may be its person's waits to count: {waits}"
        )


def shown(token: AccessToken, now: datetime) -> dict[str, Any]:
    """A token without the hash of its secret."""
    over = token.expires_at is not None and token.expires_at <= now
    state = "revoked" if token.revoked_at is not None else "expired" if over else "good"
    return {
        "id": token.id, "name": token.name, "role": token.role, "person": token.person, "tenant": token.tenant,
        "scopes": list(token.scopes), "groups": list(token.groups), "state": state, "created_at": token.created_at,
        "created_by": token.created_by, "stands_for": token.stands_for, "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "used_at": token.used_at,
    }  # fmt: skip


def _check_not_beyond(principal: Principal, wanted: NewToken) -> None:
    """Raise HttpProblem 403 for a token that may more than who makes it, or whose yes would be a person's.

    Whoever could make the token of a reviewer would answer as one: those are made on the command line alone.
    """
    rights = RIGHTS[Role(wanted.role)]
    scopes = {scope for scope in rights if scope.value in wanted.scopes} if wanted.scopes else rights
    beyond = sorted(scopes - principal.rights)
    if wanted.person is not None or wanted.groups or Right.ANSWER in rights:
        raise HttpProblem(403, "made_elsewhere", "tokens of people are made with `engine tokens create` alone")
    if beyond:
        raise HttpProblem(403, "beyond", f"this token may not {', '.join(beyond)}, and makes none that may")
    expires = _moment(wanted.expires_at)
    if principal.expires_at is not None and (expires is None or expires > principal.expires_at):
        raise HttpProblem(403, "beyond", "a token that expires makes none that lasts longer: give `expires_at`")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise HttpProblem(422, "invalid", "/expires_at: a moment with its zone, such as 2030-01-31T09:00:00Z")
    return found
