"""Who is at a browser, and whether what it sends comes from our own pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from engine.access.logins import STAYS, form_key, is_form_key, new_login
from engine.access.principal import Principal
from engine.access.tokens import hash_of, principal_of
from engine.ports.access import AccessToken
from engine.web.problems import HttpProblem
from engine.web.service import Service

# a cookie of this name is kept for one host, one path and TLS alone; browsers take this machine's own address for safe
COOKIE, LOGIN_COOKIE = "__Host-engine", "__Host-engine-login"
LARGEST_FORM = 64 * 1024


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is at a browser; `key` is what the forms of this login bring back."""

    principal: Principal
    secret: str

    @property
    def key(self) -> str:
        """See `logins.form_key`."""
        return form_key(self.secret)


async def visitor_of(service: Service, request: Request) -> Visitor | None:
    """Who is logged in; None for nobody, and where the login or its token is good no more."""
    secret = request.cookies.get(COOKIE, "")
    found = await service.store.access.login_of(hash_of(secret)) if len(secret) == 64 else None
    if found is None:
        return None
    now, (login, token) = service.clock.now(), found
    if login.once or login.expires_at <= now:
        return None
    if login.identity is not None:
        ours = service.people is not None and login.identity.issuer == service.people.provider.issuer
        principal = service.access.principal(login.identity, "cookie") if ours else None
    else:
        principal = principal_of(token, now, "cookie") if token is not None else None
    return Visitor(principal, secret) if principal is not None else None


async def log_in(service: Service, token: AccessToken, response: Response) -> None:
    """Let a browser in: with a new cookie, whatever it had before."""
    secret, login = new_login(token.id, service.clock.now())
    await service.store.access.add_login(login)
    set_cookie(response, COOKIE, secret, STAYS)


def set_cookie(response: Response, name: str, value: str, stays: timedelta) -> None:
    """A cookie that no script reads, and that comes with nothing that another site sends but a link to us."""
    seconds = int(stays.total_seconds())
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


async def log_out(service: Service, visitor: Visitor, response: Response) -> None:
    """Let a browser out."""
    await service.store.access.end_login(hash_of(visitor.secret))
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def check_origin(request: Request) -> None:
    """Raise HttpProblem 403 for a form that another site's page sends."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise _FOREIGN
    origin = request.headers.get("origin")
    try:
        ours = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:
        ours = False
    if not ours:
        raise _FOREIGN


async def form_of(request: Request, visitor: Visitor | None) -> dict[str, str]:
    """The fields of a form of our own; raises HttpProblem."""
    from urllib.parse import parse_qsl

    check_origin(request)
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise HttpProblem(415, "no_form", "this takes a form")
    raw = await request.body()
    if len(raw) > LARGEST_FORM:
        raise HttpProblem(413, "too_large", "the form is too large")
    try:
        fields = dict(parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), max_num_fields=50))
    except ValueError as error:
        raise HttpProblem(400, "malformed", f"the form can't be read: {error}") from None
    if visitor is not None and not is_form_key(visitor.secret, fields.get("key", "")):
        raise _FOREIGN
    return fields


_FOREIGN = HttpProblem(403, "foreign_form", "this form was not sent by a page of this service: open it anew")
