"""A server of the tests' own on a socket: a small application behind it, and raw bytes in front."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import trio

from engine.web.server.limits import ServerLimits
from engine.web.server.server import HttpServer


@dataclass
class Served:
    """Where a server is, and the server."""

    port: int
    server: HttpServer

    async def raw(self, data: bytes, *, more: bytes = b"") -> bytes:
        """All that comes back for some bytes, until the server closes or says nothing for a moment."""
        async with await self.connect() as stream:
            with suppress(trio.BrokenResourceError):
                await stream.send_all(data + more)
            return await read_all(stream)

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def lives(self) -> bool:
        """Whether it answers still."""
        found = await self.raw(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return found.startswith(b"HTTP/1.1 200") and found.endswith(b"hello")


async def read_all(stream: trio.SocketStream, quiet: float = 2.0) -> bytes:
    found = b""
    while True:
        with trio.move_on_after(quiet) as silence:
            try:
                part = await stream.receive_some(65536)
            except trio.BrokenResourceError:
                return found
            if not part:
                return found
            found += part
        if silence.cancelled_caught:
            return found


async def small(scope: Any, receive: Any, send: Any) -> None:
    """`/` says hello, `/echo` gives the body back, `/fail` raises, `/endless` never stops writing."""
    if scope["path"] == "/fail":
        raise ValueError("on purpose")
    if scope["path"] == "/endless":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
    body, more = b"hello", scope["path"] == "/echo"
    if more:
        body = b""
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(application: Any = small, **limits: Any) -> AsyncIterator[Served]:
    """A server on a port of its own; it drains at the end."""
    server = HttpServer(application, trio.Event(), replace(ServerLimits(), **{"drain_time": 2.0, **limits}))
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(server.serve, listeners)
        yield Served(listeners[0].socket.getsockname()[1], server)
        server.drain()
