"""The application: every route in one table, with the right that it asks for; what is not in it is closed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from engine.access.principal import Principal
from engine.access.rights import OF_PEOPLE, RIGHTS, Right
from engine.ports.records import StoreMoved
from engine.version import __version__
from engine.web import openapi, webhooks
from engine.web.bodies import came_late
from engine.web.pages import routes as pages
from engine.web.problems import HttpProblem, problem_of
from engine.web.responses import answered
from engine.web.service import Service
from engine.web.table import TABLE, RouteRow

_log = logging.getLogger("engine.web")

# on everything that goes out
HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "engine-version": __version__,
}


def application(service: Service) -> Callable[..., Awaitable[None]]:
    """The ASGI application in front of a service."""
    paths: dict[str, dict[str, RouteRow]] = {}
    for one in TABLE:
        # the id of a job is that of its session and of its call
        path = one.path.replace("/jobs/{id}", "/jobs/{id:path}")
        paths.setdefault(path, {})[one.method] = one
    # what says more comes first: the retry of a job is no job
    longest_first = sorted(paths, key=len, reverse=True)
    routes = [
        *(Route(path, _open(answer, service), methods=["GET"]) for path, answer in OPEN.items()),
        *pages.routes(service),
        Route("/hooks/{name}", _signed(service), methods=["POST"]),
        *(Route(path, _guarded(service, paths[path]), methods=_METHODS) for path in longest_first),
        Route("/{rest:path}", _guarded(service, {}), methods=_METHODS),
    ]
    app = Starlette(routes=routes)

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        # a method that nobody has heard of is asked who it is, as all others are
        if scope["type"] == "http" and any(ord(char) < 32 for char in scope["path"]):
            problem = HttpProblem(400, "malformed", "a path holds no control characters")
            await _with_headers(problem.response())(scope, receive, send)
            return
        known = scope["type"] != "http" or scope["method"] in _METHODS
        await app(scope if known else {**scope, "method": "OPTIONS"}, receive, send)

    return asked


_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _guarded(service: Service, entries: Mapping[str, RouteRow]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that asks who it is first, and only then tells whether there is anything."""

    async def endpoint(request: Request) -> Response:
        principal, right = None, None
        try:
            principal = await service.principal(request)
            request.state.principal = principal.id
            if not entries:
                raise HttpProblem(404, "no_such_page", f"there is nothing at {request.url.path}")
            found = entries.get("GET" if request.method == "HEAD" else request.method)
            if found is None:
                raise HttpProblem(405, "no_such_method", f"this takes {', '.join(sorted(entries))}")
            right = found.right
            if not principal.may(right):
                raise HttpProblem(403, "not_permitted", _not_permitted(principal, right))
            unknown = sorted(set(request.query_params) - set(found.query))
            if unknown:
                takes = f"; it takes {', '.join(sorted(found.query))}" if found.query else ""
                raise HttpProblem(422, "invalid", f"`{unknown[0][:50]}` is not known behind this path{takes}")
            if request.method not in ("GET", "HEAD") and await came_late(request):
                # whoever sends a body slowly may have been shut out meanwhile
                principal = await service.principal(request)
            return _with_headers(await found.endpoint(service, principal, request))
        except ClientDisconnect:
            raise  # there is nobody to answer
        except Exception as error:
            problem = _problem(error, request)
            if principal is not None and right is not None and _is_refusal(problem, request):
                await service.note_refusal(
                    request, principal, right.value, request.url.path, problem.code, problem.digest
                )
            return _with_headers(problem.response())

    return endpoint


def _open(
    answer: Callable[[Service], Awaitable[Response]], service: Service
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return _with_headers(await answer(service))

    return endpoint


def _signed(service: Service) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that is let in by its signature alone."""

    async def endpoint(request: Request) -> Response:
        try:
            return _with_headers(await webhooks.deliver(service, request))
        except ClientDisconnect:
            raise
        except Exception as error:
            return _with_headers(_problem(error, request).response())

    return endpoint


def _not_permitted(principal: Principal, right: Right) -> str:
    of_people = right is Right.ANSWER or (right in OF_PEOPLE and right in RIGHTS[principal.role])
    if of_people and principal.person is None:
        made = "engine tokens create --name NAME --role reviewer"
        return f"a machine answers no requests, and says nothing about them: the token of a person does (`{made}`)"
    what = right.value.replace("_", " ")
    if right in RIGHTS[principal.role]:
        return f"this token's scopes leave out what it would need: {what}"
    return f"a token of the role {principal.role} may not {what}"


def _is_refusal(problem: HttpProblem, request: Request) -> bool:
    """Whether somebody was refused something that is worth knowing."""
    return problem.status == 403 or (problem.status < 500 and request.method not in ("GET", "HEAD"))


def _problem(error: Exception, request: Request) -> HttpProblem:
    found = problem_of(error)
    if found is None:
        _log.exception("%s %s failed", request.method, request.url.path)
        found = HttpProblem(500, "fault", "this is a fault of the engine; its log says which")
    return found


def _with_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _health(service: Service) -> Response:
    """The process lives."""
    return answered({"status": "ok"})


async def _ready(service: Service) -> Response:
    """It can be asked: it is not draining, its store can be read, and goes on here."""
    if service.draining.is_set():
        return answered({"status": "draining"}, 503, {"retry-after": "5"})
    try:
        with trio.fail_after(5):
            await service.store.sessions(1)
            await service.store.check_open()
    except StoreMoved as error:
        _log.warning("not ready: %s", error)
        return answered({"status": "session_moved"}, 503)
    except Exception as error:
        _log.warning("not ready: %s", error)
        return answered({"status": "store_away"}, 503, {"retry-after": "5"})
    return answered({"status": "ready"})


async def _openapi(service: Service) -> Response:
    """What can be asked, and what is answered."""
    return Response(openapi.text(), 200, {"cache-control": "max-age=3600"}, "application/json")


async def _version(service: Service) -> Response:
    """Which engine this is."""
    return answered({"version": __version__})


# what anybody may ask, and nothing is told by
OPEN: Mapping[str, Callable[[Service], Awaitable[Response]]] = {
    "/healthz": _health, "/readyz": _ready, "/version": _version,
    "/v1/openapi.json": _openapi,
}  # fmt: skip
