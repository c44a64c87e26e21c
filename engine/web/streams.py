"""A session's events as a stream: the tail of its log, from any event on, for as long as somebody reads.

Each event goes by its own number, so that a stream that was cut goes on where it ended (`Last-Event-ID`, or `?after=`),
for ever and at any process; nothing is kept for a reader.  A reader that is slow is read for from the log when it reads
again, and cut off by the server when it does not read at all.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from random import uniform
from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from engine.access.principal import Principal
from engine.language.value import jsonable, one_line
from engine.session.sealed_tokens import shown
from engine.session.state.event import Event
from engine.session.state.state import FINAL
from engine.session.trace import entry
from engine.web import sessions
from engine.web.bodies import number_of
from engine.web.problems import HttpProblem
from engine.web.service import Service

# in seconds: how often a stream says that it lives, and how long it lasts before it is opened anew
HEARTBEAT, TURN = 15.0, 900.0
# and how often it is asked whether its reader is let in still
ASK_EVERY = 2.0


async def events(service: Service, principal: Principal, request: Request) -> Response:
    """`GET /v1/sessions/{id}/events`: a stream for who accepts one, else a page."""
    if "text/event-stream" not in request.headers.get("accept", ""):
        return await sessions.events(service, principal, request)
    session = await service.session(principal, request.path_params["id"])
    last = request.headers.get("last-event-id", "")
    after = int(last) if re.fullmatch("[0-9]{1,12}", last) else number_of(request, "after", 0, 10**12)
    row = await service.store.session(session.id)
    if row.state in FINAL and row.seq <= after:
        return Response(status_code=204)  # which ends an EventSource
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    if request.method == "HEAD":
        return Response(b"", 200, headers, "text/event-stream")
    service.check_room(principal)
    tail = _tail(service, principal, request, session.id, after)
    return _CountedStream(service, principal, tail, 200, headers, "text/event-stream")


class _CountedStream(StreamingResponse):
    """A stream that counts for as long as it is sent, whether a line of it ever was or not."""

    def __init__(self, service: Service, principal: Principal, *given: Any) -> None:
        super().__init__(*given)
        self._slot = service.counted(principal)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._slot:
            await super().__call__(scope, receive, send)


async def _is_good(service: Service, request: Request) -> bool:
    """Whether who asked for a stream is let in still."""
    try:
        await service.principal(request)
    except HttpProblem:
        return False
    return True


async def _tail(
    service: Service, principal: Principal, request: Request, session_id: str, after: int
) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    until = trio.current_time() + TURN * uniform(1, 1.1)
    beat = trio.current_time() + HEARTBEAT
    asked = trio.current_time()
    with service.wakes.watching(session_id) as watch:
        while trio.current_time() < until and not service.draining.is_set():
            if trio.current_time() - asked >= ASK_EVERY:
                asked = trio.current_time()
                if not await _is_good(service, request):
                    return
            # asked first: what is recorded until it is over stands in the log then
            row = await service.store.session(session_id)
            for event in await service.store.load(session_id, after) if row.seq > after else ():
                after = event.seq
                if sessions.may_see(principal, event):
                    yield _line(event)
                beat = trio.current_time() + HEARTBEAT
            if row.state in FINAL and after >= row.seq:
                yield f"event: end\ndata: {one_line({'state': row.state, 'outcome': row.outcome})}\n\n"
                return
            if trio.current_time() >= beat:
                yield ": alive\n\n"
                beat = trio.current_time() + HEARTBEAT
            await watch.wait()


def _line(event: Event) -> str:
    return f"id: {event.seq}\nevent: {event.kind.value}\ndata: {one_line(jsonable(shown(entry(event))))}\n\n"
