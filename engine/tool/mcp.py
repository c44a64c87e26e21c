"""The `mcp` adapter: tools of a server of the Model Context Protocol, one connection to each server.

What a server says of its tools is a hint: effect, trust and schemas are the bundle's own.  A tool that is pinned
is used only as long as the server lists it as it did when it was pinned.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import trio
from mcp import types
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from engine.outside import outside
from engine.policy.value import NotJson, digest, exact, loads
from engine.ports import ToolError, ToolRun
from engine.reach import Connections, MissingSecret, Secrets
from engine.session.bundle import READ, Bundle, Server, Tool
from engine.session.secret import filled
from engine.tool.command import environment_of
from engine.tool.mcp_transport import over_http, over_pipes

MAX_PAGES = 100

# the code of an error that is ours: the server is gone
CONNECTION_CLOSED = -32000


@dataclass(frozen=True, slots=True)
class Listed:
    """A tool as its server lists it."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    read_only: bool | None

    @property
    def digest(self) -> str:
        """What a tool is pinned to: how it is called, and what it gives."""
        return f"sha256-{digest([self.name, exact(dict(self.input_schema)), exact(self.output_schema)])[:32]}"


@dataclass(slots=True, eq=False)
class Link:
    """An open connection; `stale` once the server says that its tools have changed."""

    client: Client
    said: bytearray
    tools: dict[str, Listed] = field(default_factory=dict)
    stale: bool = True
    listing: trio.Lock = field(default_factory=trio.Lock)


class McpAdapter:
    """Acts for the mcp tools of one bundle."""

    def __init__(self, bundle: Bundle, secrets: Secrets, connections: Connections) -> None:
        self._servers = bundle.servers
        self._secrets = secrets
        self._connections = connections

    async def run(self, run: ToolRun) -> Any:
        """What the server's tool gives; raises ToolError."""
        with outside():
            given = _plain(run.input)
            link = await self.ready(run.tool)
            try:
                result = await link.client.call_tool(run.tool.adapter.settings["tool"], given)
            except MCPError as error:
                if error.code != CONNECTION_CLOSED:
                    said = self._secrets.masked(_said(error))[:1000]
                    raise ToolError("tool_error", f"the server says: {said}", acted=run.tool.effect != READ) from None
                raise self._broken(run.tool, link, error) from None
            except Exception as error:
                raise self._broken(run.tool, link, error) from None
        return _output(run.tool, result, self._secrets.masked)

    def _broken(self, tool: Tool, link: Link, error: Exception) -> ToolError:
        """Whatever it was, this connection is not to be trusted with the next call."""
        self._connections.drop(_key(self._servers[tool.adapter.settings["server"]]), link)
        reads = tool.effect == READ
        # masked before it is cut: a secret that is cut in two could not be
        told = self._secrets.masked(link.said.decode("utf-8", "replace")).strip()[-300:]
        message = f"the server's answer did not come: {self._secrets.masked(_said(error))[:300]}"
        message += f"; it said: {told}" if told else ""
        return ToolError("no_answer", message, retryable=reads, acted=not reads, lost=not reads)

    def _unavailable(self, server: Server, error: Exception) -> ToolError:
        said = self._secrets.masked(_said(error))[:300]
        return ToolError("server_unavailable", f"server {server.name}: {said}", acted=False, retryable=True)

    async def ready(self, tool: Tool) -> Link:
        """The open connection to a tool's server, which lists the tool as it is pinned; raises ToolError."""
        settings = tool.adapter.settings
        server = self._servers[settings["server"]]
        try:
            link = await self._connections.hold(_key(server), lambda: opened(server, self._secrets))
        except (ToolError, MissingSecret):
            raise
        except Exception as error:
            raise self._unavailable(server, error) from None
        async with link.listing:
            if link.stale:
                try:
                    await _list(link)
                except Exception as error:
                    self._connections.drop(_key(server), link)
                    raise self._unavailable(server, error) from None
        listed = link.tools.get(settings["tool"])
        if listed is None:
            known = ", ".join(sorted(link.tools)[:20]) or "none"
            raise ToolError(
                "no_such_tool", f"server {server.name} has no tool {settings['tool']}; it has {known}", acted=False
            )
        if settings.get("pinned") not in (None, listed.digest):
            message = (
                f"server {server.name} lists {settings['tool']} otherwise than it is pinned "
                f"({listed.digest}, not {settings['pinned']}): look at it, and import it anew"
            )
            raise ToolError("server_drifted", message, acted=False)
        return link


def _key(server: Server) -> str:
    return f"mcp:{server!r}"


@asynccontextmanager
async def opened(server: Server, secrets: Secrets) -> AsyncIterator[Link]:
    """A connection to a server that has listed its tools; raises what prevents it."""
    said = bytearray()
    if server.command:
        environment = environment_of({"HOME": None, **server.environment}, secrets)
        transport: Any = over_pipes(server.command, environment, said)
    else:
        headers = {name: filled(value, secrets.reveal) for name, value in server.headers.items()}
        transport = over_http(server.url or "", headers, private=server.allow_private)
    changed = trio.Event()

    async def heed(message: Any) -> None:
        if isinstance(getattr(message, "root", message), types.ToolListChangedNotification):
            link.stale = True
            changed.set()

    client = Client(transport, message_handler=heed, cache=None)
    link = Link(client, said)
    with trio.CancelScope(deadline=trio.current_time() + server.start_timeout.total_seconds()) as starting:
        async with client:
            await _list(link)
            starting.deadline = float("inf")
            yield link
    if starting.cancelled_caught:
        raise ToolError(
            "server_unavailable", f"server {server.name} did not start in time", acted=False, retryable=True
        )


async def _list(link: Link) -> None:
    """Ask the server for its tools, page by page; what is said to change meanwhile is asked for again."""
    link.stale = False
    try:
        link.tools = await _listed(link)
    except BaseException:
        link.stale = True
        raise


async def _listed(link: Link) -> dict[str, Listed]:
    tools: dict[str, Listed] = {}
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await link.client.list_tools(cursor=cursor, cache_mode="bypass")
        for tool in page.tools:
            hints = tool.annotations
            tools[tool.name] = Listed(
                tool.name, tool.description or tool.title or tool.name, tool.input_schema, tool.output_schema,
                hints.read_only_hint if hints is not None else None,
            )  # fmt: skip
        cursor = page.next_cursor
        if cursor is None:
            break
    return tools


def _plain(value: Any) -> Any:
    """Exact numbers as JSON encoders take them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    nearest = float(value)
    if Decimal(repr(nearest)) != value:
        raise ToolError("bad_number", f"{value} can't be sent exactly", acted=False)
    return nearest


def _said(error: BaseException) -> str:
    """What an error says, inside of groups."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _output(tool: Tool, result: types.CallToolResult, masked: Callable[[str], str]) -> Any:
    text = "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))
    writes = tool.effect != READ
    if result.is_error:
        raise ToolError("tool_error", f"the server's tool says: {masked(text)[:1000]}", acted=writes)
    kind = tool.adapter.settings.get("result", "structured")
    if kind == "text":
        return {"text": text}
    if kind == "content":
        return {
            "content": [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]
        }
    if result.structured_content is not None:
        return result.structured_content
    try:
        return loads(text)
    except NotJson as error:
        message = f"the server gave no structured content, and its text is no JSON ({error}): try `result: text`"
        raise ToolError("invalid_output", message[:500], acted=writes, lost=writes) from None
