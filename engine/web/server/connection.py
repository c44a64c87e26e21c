"""One connection: its requests, one after the other, each given to the application and answered.

Whatever a client sends, the worst that comes of it is that its connection is closed: what is no HTTP/1.1 is answered
with 400, an upgrade to anything else is refused, a head or a body that is too large or too slow is cut off, and so is a
client that does not read what it is sent.  A request is read no faster than the application takes it in.

The application sees a client that leaves as `http.disconnect`; what it does for a request is not cut off by that, since
it may be in the middle of writing something down.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from http.client import responses
from typing import Any
from urllib.parse import unquote_to_bytes

import h11
import trio

from engine.web.server.client_address import client_address
from engine.web.server.limits import ServerLimits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# so much is read at once; and so much of what follows a request is kept while that is answered
CHUNK = 64 * 1024
# how long a body that nobody asked for is read away, in seconds
LINGER = 1.0
# what each part of a body counts beside its bytes
PART = 16

_LEFT: Message = {"type": "http.disconnect"}

_log = logging.getLogger("engine.web")


class Refused(Exception):
    """A request that is not taken in: the status that says why, and a sentence."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class ClientGone(OSError):
    """The client closed the connection, or does not read what it is sent."""


class ClientConnection:
    """A client's connection, from its first byte to its end."""

    def __init__(
        self, stream: trio.SocketStream, application: Application, limits: ServerLimits, draining: trio.Event
    ) -> None:
        self._stream = stream
        self.application = application
        self.limits = limits
        self._draining = draining
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.header_size)
        self.client = _address(stream.socket.getpeername)
        self.server = _address(stream.socket.getsockname)
        # whether a request was read whole and is being answered; until then the server may close it to make room
        self.busy = False
        self.waiting = True

    async def run(self) -> None:
        """Answer requests until the client leaves, asks for something that is refused, or the server drains."""
        for number in range(self.limits.requests_per_connection):
            try:
                request = await self._next_request()
                if request is None:
                    return
                self.waiting = False
                last = number + 1 == self.limits.requests_per_connection
                await HttpExchange(self, request, close=last or self._draining.is_set()).run()
            except Refused as refused:
                await self._refuse(refused)
                return
            self.busy, self.waiting = False, True
            if self._draining.is_set() or self.http.our_state is not h11.DONE:
                return
            if self.http.their_state is not h11.DONE:
                await self._linger()  # there is more of a body that nobody wanted than is read away
                return
            self.http.start_next_cycle()

    async def _next_request(self) -> h11.Request | None:
        """The head of the next request; None where no more comes.  Raises Refused."""
        with trio.move_on_after(self.limits.idle_time) as idle:
            while True:
                event = self.next_event()
                if isinstance(event, h11.Request):
                    return _checked(event, self.limits)
                if event is not h11.NEED_DATA:
                    return None
                # the first byte ends the idleness and starts the clock of the head
                if self.http.trailing_data[0] and idle.deadline - trio.current_time() > self.limits.header_time:
                    idle.deadline = trio.current_time() + self.limits.header_time
                if not await self.read():
                    return None
        if self.http.trailing_data[0]:
            raise Refused(408, "the head of the request took too long")
        return None

    def next_event(self) -> Any:
        """What the bytes that were read say next; raises Refused."""
        try:
            return self.http.next_event()
        except h11.RemoteProtocolError as error:
            raise Refused(error.error_status_hint, f"this is no HTTP/1.1: {error}") from None

    async def read(self) -> bool:
        """Take in more of what the client sends; False at its end."""
        try:
            data = await self._stream.receive_some(CHUNK)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        self.http.receive_data(data)
        return bool(data)

    async def write(self, event: Any) -> None:
        """Send a part of an answer; raises ClientGone."""
        data = self.http.send(event)
        if not data:
            return
        try:
            with trio.fail_after(self.limits.write_time):
                await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError) as error:
            raise ClientGone from error

    async def _refuse(self, refused: Refused) -> None:
        if self.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        body = f"{refused.reason}\n".encode("ascii", "replace")
        headers = [
            ("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body))), ("connection", "close"),
            ("x-content-type-options", "nosniff"),
        ]  # fmt: skip
        try:
            await self.write(h11.Response(status_code=refused.status, headers=headers))
            await self.write(h11.Data(data=body))
            await self.write(h11.EndOfMessage())
        except (ClientGone, h11.LocalProtocolError):
            return
        await self._linger()

    async def _linger(self) -> None:
        """Read away what the client still sends, for a moment: to close with unread data would take the answer back."""
        try:
            with trio.move_on_after(LINGER):
                await self._stream.send_eof()
                while await self._stream.receive_some(CHUNK):
                    pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


class HttpExchange:
    """One request and its answer."""

    def __init__(self, connection: ClientConnection, request: h11.Request, *, close: bool) -> None:
        self._connection = connection
        self._request = request
        self._close = close
        self._until = trio.current_time() + connection.limits.body_time
        self._taken = 0
        # what the application may know of the request beside what it says; see `bodies.came_late`
        self._state = {"body_came_later": False}
        self._body_over = trio.Event()
        self._gone = trio.Event()
        self._refused: Refused | None = None
        self._head: h11.Response | None = None
        self._started = False
        self._ended = False
        # without a body the request is over with its head, whether the application asks for it or not
        self._empty = connection.http.their_state is h11.SEND_BODY and not has_body(request)
        if self._empty:
            connection.next_event()
            self._end_body()

    async def run(self) -> None:
        """Let the application answer; raises Refused where there is no answer that has begun."""
        connection = self._connection
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            try:
                await connection.application(self._scope(), self._receive, self._send)
            except ClientGone:
                pass
            except Exception:
                if self._refused is None and not self._gone.is_set():
                    _log.exception("%s %s failed", self._request.method.decode(), _shown(self._request.target))
            nursery.cancel_scope.cancel()
        if not self._started and not self._gone.is_set():
            raise self._refused or Refused(500, "the request failed; the log of the server says why")
        if not self._ended:
            connection.http.send_failed()
        elif not self._body_over.is_set():
            await self._discard_body()

    def _scope(self) -> dict[str, Any]:
        path, _, query = self._request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self._request.http_version.decode(),
            "method": self._request.method.decode(),
            "scheme": "http",
            "path": unquote_to_bytes(path).decode(),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(name, value) for name, value in self._request.headers],
            "client": client_address(
                self._connection.client, self._request.headers.raw_items(), self._connection.limits.proxies
            ),
            "server": self._connection.server,
            "state": self._state,
        }

    async def _receive(self) -> Message:
        """The next part of the body; that the client left, or that the request is refused, once it is over."""
        if self._empty:
            self._empty = False
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._body_over.is_set():
            await self._gone.wait()
            return _LEFT
        try:
            with trio.fail_at(self._until):
                return await self._part()
        except trio.TooSlowError:
            self._refused = Refused(408, "the body of the request took too long")
        except Refused as refused:
            self._refused = refused
        self._body_over.set()
        return _LEFT

    def _end_body(self) -> None:
        self._body_over.set()
        self._connection.busy = True

    async def _part(self) -> Message:
        connection, limits = self._connection, self._connection.limits
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                # a part costs something whatever is in it, and others have their turn between two of them
                self._taken += len(event.data) + PART
                await trio.lowlevel.checkpoint()
                if self._taken > limits.body_size:
                    raise Refused(413, f"the body is larger than {limits.body_size} bytes")
                return {"type": "http.request", "body": bytes(event.data), "more_body": True}
            if isinstance(event, h11.EndOfMessage):
                self._end_body()
                return {"type": "http.request", "body": b"", "more_body": False}
            if connection.http.they_are_waiting_for_100_continue:
                await connection.write(h11.InformationalResponse(status_code=100, headers=[]))
            self._state["body_came_later"] = True
            if event is not h11.NEED_DATA or not await connection.read():
                self._gone.set()
                self._body_over.set()
                return _LEFT

    async def _discard_body(self) -> None:
        """Read away the rest of a body, so that the connection can be used again."""
        try:
            with trio.move_on_after(LINGER):
                while not self._body_over.is_set():
                    await self._part()
        except (Refused, ClientGone):
            return

    async def _watch(self) -> None:
        """Notice that the client leaves while it is answered; what it sends meanwhile is its next request."""
        await self._body_over.wait()
        while not self._gone.is_set() and len(self._connection.http.trailing_data[0]) < CHUNK:
            if not await self._connection.read():
                self._gone.set()

    async def _send(self, message: Message) -> None:
        """See ASGI: `http.response.start`, then `http.response.body`; raises ClientGone."""
        if self._refused is not None and not self._started:
            return  # the refusal is the answer
        if message["type"] == "http.response.start":
            headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            if self._close:
                headers.append((b"connection", b"close"))
            headers.append((b"date", formatdate(usegmt=True).encode()))
            reason = responses.get(message["status"], "").encode()
            self._head = h11.Response(status_code=message["status"], headers=headers, reason=reason)
            return
        if self._head is not None:
            await self._connection.write(self._head)
            self._head, self._started = None, True
        if message.get("body") and self._request.method != b"HEAD":
            await self._connection.write(h11.Data(data=message["body"]))
        if not message.get("more_body", False):
            await self._connection.write(h11.EndOfMessage())
            self._ended = True


def has_body(request: h11.Request) -> bool:
    """Whether something follows the head of a request."""
    headers = dict(request.headers)
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


def _checked(request: h11.Request, limits: ServerLimits) -> h11.Request:
    """A request that may be given to the application; raises Refused."""
    headers: dict[bytes, bytes] = {}
    for name, value in request.headers:
        if name in (b"host", b"content-length") and headers.setdefault(name, value) != value:
            raise Refused(400, f"two different headers {name.decode()}")
        headers.setdefault(name, value)
    if b"upgrade" in headers or b"http2-settings" in headers:
        raise Refused(400, "this server speaks HTTP/1.1 alone: upgrades are refused")
    if b"transfer-encoding" in headers and b"content-length" in headers:
        raise Refused(400, "the length of the body is told twice")
    if not request.target.startswith(b"/") or request.method == b"CONNECT":
        raise Refused(400, "the target of a request is a path that begins with /")
    try:
        unquote_to_bytes(request.target.partition(b"?")[0]).decode()
    except UnicodeDecodeError:
        raise Refused(400, "the path is no UTF-8") from None
    if b"content-length" in headers and int(headers[b"content-length"]) > limits.body_size:
        raise Refused(413, f"the body is larger than {limits.body_size} bytes")
    return request


def _address(of: Callable[[], Any]) -> tuple[str, int] | None:
    try:
        found = of()
    except OSError:
        return None
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None


def _shown(target: bytes) -> str:
    """A path for the log, without what a query may hold."""
    return target.partition(b"?")[0][:200].decode("ascii", "replace")
