"""The metrics, at a port of their own: whoever reaches it may read them, so that it stands on the inside alone."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.telemetry.exposition import CONTENT_TYPE, Standing, exposed
from engine.web.server.connection import Application
from engine.web.service import Service


def metrics_application(service: Service, connections: Callable[[], int]) -> Application:
    """An application with one page, `/metrics`."""

    async def metrics(request: Request) -> Response:
        await service.follower.refresh()
        now = service.clock.now()
        standing = Standing(
            now, await service.store.requests(), await service.store.jobs(), len(await service.store.due_sessions()),
            connections(), sum(service.streams.values()),
        )  # fmt: skip
        return Response(exposed(service.follower.counts, standing), headers={"content-type": CONTENT_TYPE})

    return Starlette(routes=[Route("/metrics", metrics, methods=["GET"])])
