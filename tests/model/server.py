"""A model's server on a socket that does what a script says: it answers, and it fails in every way that one can."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h11
import trio

Act = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Exchange:
    """One request, and the way to answer it."""

    asked: Asked
    stream: trio.SocketStream
    connection: h11.Connection

    async def send(self, event: Any) -> None:
        raw = self.connection.send(event)
        if raw:
            await self.stream.send_all(raw)

    async def head(self, status: int = 200, **headers: str) -> None:
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        await self.send(h11.Response(status_code=status, headers=[("connection", "close"), *named]))

    async def json(self, body: Any, status: int = 200, **headers: str) -> None:
        await self.text(body if isinstance(body, str) else json.dumps(body), status, **headers)

    async def text(self, body: str, status: int = 200, **headers: str) -> None:
        raw = body.encode()
        await self.head(status, content_type="application/json", content_length=str(len(raw)), **headers)
        await self.send(h11.Data(data=raw))
        await self.send(h11.EndOfMessage())

    async def events(self, *events: Any, ends: bool = True) -> None:
        await self.head(content_type="text/event-stream", transfer_encoding="chunked", x_request_id="req-7")
        for event in events:
            name = f"event: {event['type']}\n" if isinstance(event, Mapping) and "type" in event else ""
            data = event if isinstance(event, str) else json.dumps(event)
            await self.send(h11.Data(data=f"{name}data: {data}\n\n".encode()))
        if ends:
            await self.send(h11.EndOfMessage())


@dataclass
class ModelServer:
    """Acts one request after the other; the last act is repeated."""

    acts: Sequence[Act]
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    open: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, stream: trio.SocketStream) -> None:
        self.open += 1
        try:
            connection = h11.Connection(h11.SERVER)
            asked = await _request(stream, connection)
            self.asked.append(asked)
            act = self.acts[min(len(self.asked), len(self.acts)) - 1]
            await act(Exchange(asked, stream, connection))
        except (trio.BrokenResourceError, h11.RemoteProtocolError):
            return
        finally:
            self.open -= 1
            await stream.aclose()


async def _request(stream: trio.SocketStream, connection: h11.Connection) -> Asked:
    asked, body = Asked("", {}, None), b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Request):
            asked.path = event.target.decode()
            asked.headers = {name.decode(): value.decode() for name, value in event.headers}
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            asked.body = json.loads(body) if body else None
            return asked
        else:
            raise trio.BrokenResourceError


@asynccontextmanager
async def serving(*acts: Act) -> AsyncIterator[ModelServer]:
    """A server on a free port of this machine."""
    server = ModelServer(acts)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, server.serve, 0)
        server.port = listeners[0].socket.getsockname()[1]
        yield server
        nursery.cancel_scope.cancel()


# -- what a server of Chat Completions says


def completion(content: str | None, *, finish: str = "stop", calls: Any = None, usage: Any = None, **more: Any) -> Any:
    message = {"role": "assistant", "content": content, **({"tool_calls": calls} if calls is not None else {}), **more}
    return {
        "id": "cmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage or {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }  # fmt: skip


def chunk(delta: Mapping[str, Any], finish: str | None = None, usage: Any = None) -> Any:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {
        "id": "cmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices,
        "usage": usage,
    }  # fmt: skip


USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def says(content: str, finish: str = "stop") -> Act:
    """The content, whole or streamed, as it is asked for."""

    async def act(exchange: Exchange) -> None:
        if not exchange.asked.body.get("stream"):
            await exchange.json(completion(content, finish=finish))
            return
        size = 7 if len(content) < 500 else 500
        parts = [chunk({"content": content[at : at + size]}) for at in range(0, len(content), size)]
        await exchange.events(*parts, chunk({}, finish, USAGE), "[DONE]")

    return act


def decides(message: str = "Hello", *calls: tuple[str, Any], done: bool = True) -> Act:
    """A decision as JSON."""
    listed = [{"name": name, "input": given} for name, given in calls]
    return says(json.dumps({"message": message, "tool_calls": listed, "done": done and not calls}))


def calls_tools(*calls: tuple[str, str, Any], content: str | None = None) -> Act:
    """Tool calls: id, name and the arguments, which are a text."""
    listed = [
        {"index": n, "id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (id_, name, arguments) in enumerate(calls)
    ]

    async def act(exchange: Exchange) -> None:
        if not exchange.asked.body.get("stream"):
            await exchange.json(completion(content, finish="tool_calls", calls=listed))
            return
        first = [chunk({"content": content})] if content else []
        parts = [chunk({"tool_calls": [one]}) for one in listed]
        await exchange.events(*first, *parts, chunk({}, "tool_calls", USAGE), "[DONE]")

    return act


# -- faults


def status(code: int, body: str = '{"error": {"message": "no"}}', **headers: str) -> Act:
    async def act(exchange: Exchange) -> None:
        await exchange.text(body, code, **headers)

    return act


async def hangs(exchange: Exchange) -> None:
    """Say nothing until the other side goes away."""
    await exchange.stream.receive_some()


async def hangs_in_the_stream(exchange: Exchange) -> None:
    await exchange.events(chunk({"content": '{"message": "so f'}), ends=False)
    await exchange.stream.receive_some()


async def closes(exchange: Exchange) -> None:
    """Close the connection without a word."""


async def cuts(exchange: Exchange) -> None:
    """Begin to answer, and break off."""
    if exchange.asked.body.get("stream"):
        await exchange.events(chunk({"content": '{"message": "so f'}), ends=False)
    else:
        await exchange.head(content_type="application/json", content_length="4000")
        await exchange.send(h11.Data(data=b'{"id": "cmpl'))


async def ends_early(exchange: Exchange) -> None:
    """End the stream properly, before the answer is over."""
    await exchange.events(chunk({"content": '{"message": "so f'}), "[DONE]")


def raw(body: str) -> Act:
    async def act(exchange: Exchange) -> None:
        await exchange.text(body)

    return act


def refuses() -> Act:
    async def act(exchange: Exchange) -> None:
        if not exchange.asked.body.get("stream"):
            await exchange.json(completion(None, refusal="I can't help with that"))
            return
        await exchange.events(chunk({"refusal": "I can't help with that"}), chunk({}, "stop", USAGE), "[DONE]")

    return act


def floods(size: int) -> Act:
    """Never stop."""

    async def act(exchange: Exchange) -> None:
        if not exchange.asked.body.get("stream"):
            await exchange.json(completion("x" * size))
            return
        part = chunk({"content": "x" * 50_000})
        await exchange.events(*[part for _ in range(size // 50_000)], chunk({}, "stop", USAGE), "[DONE]")

    return act


# -- what a server of Messages says


def message(text: str | None = None, *calls: tuple[str, str, Any], stop: str | None = None) -> Act:
    """Text and tool calls, whole or streamed."""
    end = stop or ("tool_use" if calls else "end_turn")

    async def act(exchange: Exchange) -> None:
        blocks: list[Any] = [{"type": "text", "text": text}] if text is not None else []
        blocks += [{"type": "tool_use", "id": id_, "name": name, "input": given} for id_, name, given in calls]
        head = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 20},
        }  # fmt: skip
        if not exchange.asked.body.get("stream"):
            await exchange.json({**head, "content": blocks, "stop_reason": end})
            return
        events: list[Any] = [{"type": "message_start", "message": {**head, "content": [], "stop_reason": None}}]
        for index, block in enumerate(blocks):
            start: dict[str, Any]
            if block["type"] == "text":
                start, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
            else:
                given = block["input"] if isinstance(block["input"], str) else json.dumps(block["input"])
                start, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": given}
            events += [
                {"type": "content_block_start", "index": index, "content_block": start},
                {"type": "content_block_delta", "index": index, "delta": delta},
                {"type": "content_block_stop", "index": index},
            ]
        events.append({"type": "message_delta", "delta": {"stop_reason": end, "stop_sequence": None},
                       "usage": {"output_tokens": 20}})  # fmt: skip
        await exchange.events(*events, {"type": "message_stop"})

    return act
