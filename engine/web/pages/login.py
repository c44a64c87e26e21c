"""Who comes in: by a token, a link that logs in once, or a provider; and who leaves."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.access.tokens import hash_of, principal_of, well_formed
from engine.ports.access import AccessToken
from engine.web.pages.browser import LOGIN_COOKIE, Visitor, check_origin, form_of, log_in, log_out
from engine.web.pages.openid_login import from_provider, to_provider
from engine.web.pages.render import shown
from engine.web.problems import HttpProblem
from engine.web.responses import PAGE_HEADERS
from engine.web.service import Service, address_of


async def login_form(service: Service, request: Request) -> Response:
    """`GET /login`."""
    return login_page(service, 200, "/inbox")


def login_page(service: Service, status: int, after: str, problem: str = "") -> Response:
    """The page that asks who somebody is, and leads on to the path `after`."""
    provider = urlsplit(service.people.provider.issuer).netloc if service.people is not None else ""
    return shown("login.html", status, problem=problem, next=_own_path(after), provider=provider)


async def ask_provider(service: Service, request: Request) -> Response:
    """`GET /login/provider`: on to the provider."""
    return await to_provider(service, request, _own_path(request.query_params.get("next", "")))


async def come_from_provider(service: Service, request: Request) -> Response:
    """`GET /login/callback`: back from it."""
    # what comes back can't be guessed, so that nobody has to wait for having failed
    try:
        return await from_provider(service, request)
    except HttpProblem as problem:
        response = login_page(service, problem.status, "/inbox", problem.detail)
        # one login asks the provider once
        response.delete_cookie(LOGIN_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
        return response


async def log_in_by_token(service: Service, request: Request) -> Response:
    """`POST /login`."""
    fields = await form_of(request, None)
    secret = fields.get("token", "").strip()
    token = await service.store.access.token_of(hash_of(secret)) if well_formed(secret) else None
    if token is None or principal_of(token, service.clock.now()) is None:
        # whoever has a good one is never kept out by what others try from the same address
        address, now = address_of(request), service.clock.now().timestamp()
        service.attempts.check(address, now)
        service.attempts.failed(address, now)
        told = "This token lets nobody in: it is mistyped, revoked or has expired."
        return login_page(service, 401, fields.get("next", "/inbox"), told)
    response = RedirectResponse(_own_path(fields.get("next", "")), 303, PAGE_HEADERS)
    await _let_in(service, request, token, response)
    return response


async def link_form(service: Service, request: Request) -> Response:
    """A link is opened by GET, which programs that look at mails do too, and used up by POST alone."""
    return shown("link.html", secret=request.path_params["secret"])


async def log_in_by_link(service: Service, request: Request) -> Response:
    """`POST /login/{secret}`: the link is used up."""
    check_origin(request)
    hash_ = hash_of(request.path_params["secret"])
    login, token = await service.store.access.login_of(hash_) or (None, None)
    now = service.clock.now()
    good = login is not None and login.once and login.expires_at > now and await service.store.access.end_login(hash_)
    if not good or token is None or principal_of(token, now) is None:
        return login_page(
            service,
            401,
            "/inbox",
            "This link was opened before, or its time is over: ask for a new one, which `engine tokens link` makes.",
        )
    response = RedirectResponse("/inbox", 303, PAGE_HEADERS)
    await _let_in(service, request, token, response)
    return response


async def _let_in(service: Service, request: Request, token: AccessToken, response: Response) -> None:
    await log_in(service, token, response)
    principal = principal_of(token, service.clock.now(), "cookie")
    if principal is not None:
        await service.note(request, principal, "log_in", token.name, "logged_in")


async def leave(service: Service, visitor: Visitor, request: Request) -> Response:
    """`POST /logout`."""
    await form_of(request, visitor)
    response = RedirectResponse("/login", 303, PAGE_HEADERS)
    await log_out(service, visitor, response)
    await service.note(request, visitor.principal, "log_out", visitor.principal.name, "logged_out")
    return response


def _own_path(path: str) -> str:
    """Where to go on after a login: a page of ours, and no other's."""
    return (
        path
        if re.fullmatch(r"/(inbox|sessions|overview|bundles)(/[A-Za-z0-9_.]+)?", path) and ".." not in path
        else "/inbox"
    )
