"""Logging in with an OpenID provider: a person is sent there, and comes back with a code."""

from __future__ import annotations

import hmac
import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.access.logins import STAYS, WAITS
from engine.access.tokens import hash_of
from engine.ports.access import Login
from engine.random_bytes import random_hex
from engine.web.openid import BadIdentity, LoginSecrets, OpenIdProvider
from engine.web.pages.browser import COOKIE, LOGIN_COOKIE, set_cookie
from engine.web.problems import HttpProblem
from engine.web.responses import PAGE_HEADERS
from engine.web.service import Service

# a cookie that was set by us: a secret, and where to go on afterwards
_KEPT = re.compile(r"([0-9a-f]{64}):(/[A-Za-z0-9_./]*)")


async def to_provider(service: Service, request: Request, after: str) -> Response:
    """Send a browser to the provider; what it is known by there is made of a cookie that only it has."""
    login = LoginSecrets(random_hex(32))
    response = RedirectResponse(await _people(service).address(login, _callback(service)), 303, PAGE_HEADERS)
    set_cookie(response, LOGIN_COOKIE, f"{login.secret}:{after}", WAITS)
    return response


async def from_provider(service: Service, request: Request) -> Response:
    """Let in whom the provider vouches for, and go on where they wanted to; raises HttpProblem."""
    kept = _KEPT.fullmatch(request.cookies.get(LOGIN_COOKIE, ""))
    query = request.query_params
    if kept is None or not hmac.compare_digest(query.get("state", "").encode(), LoginSecrets(kept[1]).state.encode()):
        raise HttpProblem(403, "foreign_login", "this login was not begun in this browser, or its time is over")
    if "code" not in query:
        raise HttpProblem(403, "login_refused", "the provider did not let you in")
    try:
        identity = await _people(service).person(query["code"], LoginSecrets(kept[1]), _callback(service))
    except BadIdentity as error:
        raise HttpProblem(401, "login_refused", f"the login failed: {error}") from None
    principal = service.access.principal(identity, "cookie")
    if principal is None:
        raise HttpProblem(403, "no_grant", f"{identity.name} is known, and nothing is granted to them here")
    secret, now = random_hex(32), service.clock.now()
    await service.store.access.add_login(Login(hash_of(secret), "", now, now + STAYS, identity=identity))
    response = RedirectResponse(kept[2], 303, PAGE_HEADERS)
    set_cookie(response, COOKIE, secret, STAYS)
    response.delete_cookie(LOGIN_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    await service.note(request, principal, "log_in", identity.name, "logged_in")
    return response


def _people(service: Service) -> OpenIdProvider:
    if service.people is None:
        raise HttpProblem(404, "no_provider", "this service has no provider to log in with")
    return service.people


def _callback(service: Service) -> str:
    return f"{service.url}/login/callback"
