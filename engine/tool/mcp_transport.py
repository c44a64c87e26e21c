"""How a server of the Model Context Protocol is reached: over a program's pipes, or over HTTP; both within bounds."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import anyio
import httpx2
import trio
from mcp import types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from engine.net.address import AddressRefused, NoAddress, allowed_address
from engine.net.body import as_utf8, bound
from engine.tool.supervised_process import SupervisedProgram, open_supervised

MAX_MESSAGE = 4_000_000
END_IN = 2.0

Streams = tuple[Any, Any]


class OversizedMessage(Exception):
    """A message that is larger than is taken."""


@dataclass(slots=True)
class TransportReport:
    """What is known of a server's program: the end of what it says beside the protocol, and how it ended.

    `failed` says why it could not be started; `code` is its exit code, or a negative signal, once it is over.
    """

    stderr_tail: bytearray = field(default_factory=bytearray)
    code: int | None = None
    failed: str = ""


@asynccontextmanager
async def over_pipes(
    command: Sequence[str], environment: Mapping[str, str], report: TransportReport
) -> AsyncIterator[Streams]:
    """A program that speaks the protocol; what is known of it gets into the report.  Raises OSError.

    Nothing that descends from it is left afterwards.
    """
    program = await open_supervised(
        command, environment=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process = program.process
    come, inbox = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outbox, go = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_hear, process, come)
            nursery.start_soon(_speak, process, go, come)
            nursery.start_soon(_listen, process, report.stderr_tail)
            try:
                yield inbox, outbox
            finally:
                nursery.cancel_scope.cancel()
    finally:
        for stream in (come, inbox, outbox, go):
            stream.close()
        with trio.CancelScope(shield=True):
            await _end(program, report)


async def _hear(process: trio.Process, come: Any) -> None:
    """One message a line; one that is too large ends the connection."""
    assert process.stdout is not None
    async with come:
        parts: list[bytes] = []
        size = 0
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, trio.BrokenResourceError):
            async for chunk in process.stdout:
                *lines, rest = chunk.split(b"\n")
                for line in lines:
                    whole, parts, size = b"".join((*parts, bytes(line))), [], 0
                    if whole.strip():
                        await come.send(_message(whole))
                parts.append(bytes(rest))
                size += len(rest)
                if size > MAX_MESSAGE:
                    await come.send(OversizedMessage(f"the server sent more than {MAX_MESSAGE} bytes in one message"))
                    return


def _message(line: bytes) -> SessionMessage | Exception:
    try:
        # half a surrogate pair in some text is no reason to lose the message
        said = json.loads(line.decode(), parse_constant=_no_constant)
        return SessionMessage(types.jsonrpc_message_adapter.validate_python(said, by_name=False))
    except (ValueError, RecursionError):
        return ValueError("what it sent is no JSON message that can be read")


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


async def _speak(process: trio.Process, go: Any, come: Any) -> None:
    assert process.stdin is not None
    async with go:
        try:
            async for message in go:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                await process.stdin.send_all(text.encode() + b"\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # it reads no more: whoever waits for an answer is told
            await come.aclose()


async def _listen(process: trio.Process, said: bytearray) -> None:
    assert process.stderr is not None
    async for chunk in process.stderr:
        said += chunk
        del said[:-70_000]


async def _end(program: SupervisedProgram, report: TransportReport) -> None:
    """Let the program end by itself, or end it, and hear the last that it says."""
    assert program.process.stdin is not None
    await program.process.stdin.aclose()
    with trio.move_on_after(END_IN):
        await _rest(program.process, report.stderr_tail)
    own_end = program.process.returncode is not None
    program.end()
    await program.process.wait()
    try:
        code = await program.wait()
        report.code = code if own_end else None
    except OSError as error:
        report.failed = str(error.strerror)
    await program.finish()


async def _rest(process: trio.Process, said: bytearray) -> None:
    """What the program still says until it is over."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_listen, process, said)
        await process.wait()


def over_http(url: str, headers: Mapping[str, str], *, private: bool) -> AbstractAsyncContextManager[Streams]:
    """A server at a URL."""
    return _over_http(url, headers, private=private)


@asynccontextmanager
async def _over_http(url: str, headers: Mapping[str, str], *, private: bool) -> AsyncIterator[Streams]:
    made = await trio.to_thread.run_sync(httpx2.AsyncHTTPTransport)
    transport, no_cookies = _BoundedTransport(made, private=private), CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    async with (
        httpx2.AsyncClient(
            transport=transport, headers=dict(headers), timeout=None, trust_env=False, cookies=no_cookies
        ) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=MAX_MESSAGE) as streams,
    ):
        yield streams


class _BoundedTransport(httpx2.AsyncBaseTransport):
    """Requests only to addresses that may be asked, answers only within their bound."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, *, private: bool) -> None:
        self._inner = inner
        self._private = private

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host, port = request.url.host, request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            address = await allowed_address(host, port, private=self._private)
        except (AddressRefused, NoAddress) as error:
            raise httpx2.ConnectError(str(error), request=request) from None
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.headers["accept-encoding"] = "identity"
        request.url = request.url.copy_with(host=f"[{address}]" if ":" in address else address)
        response = await self._inner.handle_async_request(request)
        as_utf8(response)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            bound(response, MAX_MESSAGE)
        elif response.headers.get("content-encoding", "identity") != "identity":
            # what never ends has no bound but that of each event, which holds for what is sent as it is
            await response.aclose()
            raise httpx2.ReadError("the server sent events that are encoded, which nobody asked for")
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()
