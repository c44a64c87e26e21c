"""The `mcp` adapter: tools of a server of the Model Context Protocol, one connection to each server.

What a server says of its tools is a hint: effect, trust and schemas are the bundle's own.  A tool that is pinned
is used only as long as the server lists it as it did when it was pinned.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import trio
from mcp import types
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from engine.language.value import NotJson, exact, loads, one_line
from engine.ports.external_work import outside
from engine.ports.resources import MissingSecret, Secrets, in_header
from engine.ports.tool import AdapterResources, ToolError, ToolInvocation
from engine.spec.bundle import READ, Server, Tool
from engine.spec.secret_refs import filled
from engine.tool.command import environment_of
from engine.tool.mcp_transport import TransportReport, over_http, over_pipes
from engine.tool.tool_list import BadListing, ToolList, breaks, read_tool

MAX_PAGES = 100

# within which a server answers whether it is there, in seconds
PATIENCE = 3.0

# codes of errors that the library makes itself too: the server is gone, or its answer can't be read
OURS = frozenset({-32000, -32600, -32603, -32700})


@dataclass(slots=True, eq=False)
class Link:
    """An open connection; `stale` once the server says that its tools have changed.

    It is `doubted` where an answer was not waited for to its end: the server may hang.  `unlisted` are tools that
    could not be read from the listing, each with why; `waiting` the calls under way.
    """

    client: Client
    stderr_tail: bytearray
    tools: dict[str, ToolList] = field(default_factory=dict)
    unlisted: dict[str, str] = field(default_factory=dict)
    stale: bool = True
    doubted: bool = False
    listing: trio.Lock = field(default_factory=trio.Lock)
    waiting: set[trio.CancelScope] = field(default_factory=set)
    unreadable: str = ""

    async def ask(self, method: str, params: dict[str, Any]) -> Any:
        """What the server answers, as it stands; raises MCPError, Unreadable.

        The library would refuse a whole listing for one tool of it, and a result for a schema that is not the bundle's.
        """
        session = self.client.session
        data: dict[str, Any] = {"method": method, "params": params}
        options: Any = {}
        session._stamp(data, options)
        with trio.CancelScope() as scope:
            self.waiting.add(scope)
            try:
                answer = await session._dispatcher.send_raw_request(method, data["params"], options)
            finally:
                self.waiting.discard(scope)
        if scope.cancel_called:
            raise UnreadableAnswer(self.unreadable)
        return answer

    async def answers(self) -> bool:
        """Whether the server answers anything at all within a moment."""
        with trio.move_on_after(PATIENCE):
            try:
                await self.ask("ping", {})
            except MCPError:
                pass  # that it does not know the question is an answer
            except Exception:
                return False
            return True
        return False

    def heard_nonsense(self, why: str) -> None:
        """The server has sent what is no message: whoever waits for an answer waits no more."""
        self.unreadable = why
        for scope in self.waiting:
            scope.cancel()


class UnreadableAnswer(Exception):
    """A server's message that can't be read."""


class McpAdapter:
    """Acts for the mcp tools of one bundle."""

    def __init__(self, resources: AdapterResources) -> None:
        self._servers = resources.bundle.servers
        self._secrets = resources.secrets
        self._connections = resources.connections

    async def run(self, run: ToolInvocation) -> Any:
        """What the server's tool gives; raises ToolError."""
        with outside():
            given = _plain(run.input)
            link = await self.ready(run.tool)
            try:
                settings = run.tool.adapter.settings
                result = await link.ask("tools/call", {"name": settings["tool"], "arguments": given})
            except trio.Cancelled:
                link.doubted = True
                raise
            except MCPError as error:
                if error.code not in OURS:
                    said = run.failure_text(_error_text(error), 1000)
                    raise ToolError(
                        "tool_error", f"the server says: {said}", acted=run.tool.effect is not READ
                    ) from None
                raise self._broken(run, link, error) from None
            except Exception as error:
                raise self._broken(run, link, error) from None
        promised = link.tools[settings["tool"]].output_schema if settings["tool"] in link.tools else None
        return _output(run, result, promised)

    def _broken(self, run: ToolInvocation, link: Link, error: Exception) -> ToolError:
        """Whatever it was, this connection is not to be trusted with the next call."""
        self._connections.drop(_key(self._servers[run.tool.adapter.settings["server"]]), link)
        reads = run.tool.effect is READ
        told = run.failure_text(link.stderr_tail.decode("utf-8", "replace").strip(), 300, end=True)
        what = "can't be read" if isinstance(error, UnreadableAnswer) else "did not come"
        message = f"the server's answer {what}: {run.failure_text(_error_text(error), 300)}"
        message += f"; it said: {told}" if told else ""
        return ToolError("no_answer", message, retryable=reads, acted=not reads, lost=not reads)

    def _unavailable(self, server: Server, error: Exception) -> ToolError:
        said = self._secrets.masked(_error_text(error))[:300]
        return ToolError("server_unavailable", f"server {server.name}: {said}", acted=False, retryable=True)

    async def _live_link(self, server: Server) -> Link:
        """The connection to a server; one that does not answer any more is made anew, and its program started again."""
        link: Link = await self._connections.hold(_key(server), lambda: opened(server, self._secrets))
        if link.doubted:
            async with link.listing:
                if link.doubted and not await link.answers():
                    self._connections.drop(_key(server), link)
                    return await self._live_link(server)
                link.doubted = False
        return link

    async def ready(self, tool: Tool) -> Link:
        """The open connection to a tool's server, which lists the tool as it is pinned; raises ToolError."""
        settings = tool.adapter.settings
        server = self._servers[settings["server"]]
        try:
            link = await self._live_link(server)
        except MissingSecret as error:
            if not server.optional:
                raise
            raise ToolError("server_unavailable", f"server {server.name}: {error}", acted=False) from None
        except ToolError:
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
            why = link.unlisted.get(settings["tool"])
            said = (
                f"lists {settings['tool']} so that it can't be read: {why}"
                if why
                else f"has no tool {settings['tool']}"
            )
            raise ToolError("no_such_tool", f"server {server.name} {said}; it has {known}", acted=False)
        if settings.get("pinned") is not None and not listed.is_pinned_to(settings["pinned"]):
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
    """A connection to a server that has listed its tools; raises ToolError, MissingSecret, OSError."""
    report = TransportReport()
    if server.command:
        environment = environment_of({"HOME": None, **server.environment}, secrets)
        transport: Any = over_pipes(server.command, environment, report)
    else:
        headers = {name: filled(value, in_header(secrets.reveal)) for name, value in server.headers.items()}
        transport = over_http(server.url or "", headers, private=server.allow_private)

    async def heed(message: Any) -> None:
        if isinstance(message, Exception):
            link.heard_nonsense(str(message))
        elif isinstance(getattr(message, "root", message), types.ToolListChangedNotification):
            link.stale = True

    client = Client(transport, message_handler=heed, cache=None)
    link = Link(client, report.stderr_tail)
    started = False
    with trio.CancelScope(deadline=trio.current_time() + server.start_timeout.total_seconds()) as starting:
        try:
            async with client:
                await _list(link)
                started = True
                starting.deadline = float("inf")
                yield link
        except Exception as error:
            if started:
                raise
            raise _did_not_start(server, error, report, secrets) from None
    if starting.cancelled_caught:
        late = TimeoutError("it did not start in time")
        raise _did_not_start(server, late, report, secrets)


def _did_not_start(server: Server, error: Exception, report: TransportReport, secrets: Secrets) -> ToolError:
    """Why a server can't be used: how its program ended, and the end of what it said."""
    cause: BaseException = error
    while isinstance(cause, BaseExceptionGroup) and cause.exceptions:
        cause = cause.exceptions[0]
    parts = [str(cause) if isinstance(cause, TimeoutError | UnreadableAnswer) else f"{type(cause).__name__}: {cause}"]
    if report.failed:
        parts = [f"{server.command[0]} can't be started: {report.failed}"]
    elif report.code is not None:
        how = f"exit code {report.code}" if report.code >= 0 else f"signal {-report.code}"
        parts = [f"its program ended with {how}"] if report.code else parts
    said = secrets.masked(report.stderr_tail.decode("utf-8", "replace")).strip()[-500:]
    message = f"server {server.name}: {secrets.masked(', '.join(parts))[:500]}" + (f"; it said: {said}" if said else "")
    return ToolError("server_unavailable", message, acted=False, retryable=True)


async def _list(link: Link) -> None:
    """Ask the server for its tools, page by page; what is said to change meanwhile is asked for again."""
    link.stale = False
    try:
        link.tools, link.unlisted = await _listed(link)
    except BaseException:
        link.stale = True
        raise


async def _listed(link: Link) -> tuple[dict[str, ToolList], dict[str, str]]:
    """The tools by name, and those that can't be read, each with why; raises Unreadable."""
    tools: dict[str, ToolList] = {}
    unlisted: dict[str, str] = {}
    cursor: Any = None
    for _ in range(MAX_PAGES):
        page = await link.ask("tools/list", {} if cursor is None else {"cursor": cursor})
        listing = page.get("tools") if isinstance(page, Mapping) else None
        if not isinstance(listing, list):
            raise UnreadableAnswer("the server's list of tools is no list")
        for raw in listing:
            _take(raw, tools, unlisted)
        cursor = page.get("nextCursor")
        if cursor is None:
            return tools, unlisted
    raise UnreadableAnswer(f"the server lists tools without end: more than {MAX_PAGES} pages")


def _take(raw: Any, tools: dict[str, ToolList], unlisted: dict[str, str]) -> None:
    name = raw.get("name") if isinstance(raw, Mapping) else None
    shown = name if isinstance(name, str) and name else "(no name)"
    try:
        listed = read_tool(raw)
    except BadListing as error:
        unlisted[shown] = str(error)
        return
    if listed.name in tools and tools[listed.name] != listed:
        unlisted[shown] = "it is listed twice, and not alike"
        return
    tools[listed.name] = listed


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


def _error_text(error: BaseException) -> str:
    """What an error says, inside of groups."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _output(run: ToolInvocation, result: Any, promised: Any) -> Any:
    """What a call's result gives; one that does not fit what was `promised` is that of a call whose answer came."""
    writes = run.tool.effect is not READ

    def unfit(why: str) -> ToolError:
        # that a write was done is sure, and what it gave is not: somebody has to say
        said = run.failure_text(f"the server's answer does not fit: {why}", 500)
        return ToolError("invalid_output", said, acted=writes, lost=writes)

    def checked(output: Any) -> Any:
        if breaks(promised, output):
            raise unfit("it is not what the server says that this tool gives")
        return output

    blocks = result.get("content", []) if isinstance(result, Mapping) else None
    if not isinstance(blocks, list) or not all(isinstance(block, Mapping) for block in blocks):
        raise unfit("its content is no list of blocks")
    kind = run.tool.adapter.settings.get("result", "structured")
    told_as_text = [(block, _text_of(block, resources=kind == "text")) for block in blocks]
    text = "\n".join(found for _, found in told_as_text if found is not None)
    others = [block for block, found in told_as_text if found is None and _kind(block) != "text"]
    if result.get("isError"):
        told = text or one_line(exact(_told_of(others)))
        raise ToolError("tool_error", f"the server's tool says: {run.failure_text(told, 1000)}", acted=writes)
    if kind == "content":
        return {"content": [dict(block) for block in blocks]}
    structured = result.get("structuredContent")
    if kind == "structured" and structured is not None:
        if not isinstance(structured, Mapping):
            raise unfit("its structured content is no object")
        return checked(dict(structured))
    if others:
        kinds = ", ".join(sorted({_kind(block) for block in others}))
        raise unfit(f"beside text it holds {kinds}, which is lost here: write `result: content`")
    if kind == "text":
        return {"text": text}
    try:
        return checked(loads(text))
    except NotJson:
        raise unfit("it has no structured content, and its text is no JSON: try `result: text`") from None


def _text_of(block: Mapping[str, Any], *, resources: bool) -> str | None:
    """What a block says as text; with `resources` also what an embedded resource holds as text."""
    resource = block.get("resource") if resources and _kind(block) == "resource" else None
    owner = resource if isinstance(resource, Mapping) else block if _kind(block) == "text" else {}
    found = owner.get("text")
    return found if isinstance(found, str) else None


def _kind(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    return kind if isinstance(kind, str) else "something without a type"


def _told_of(blocks: list[Any]) -> list[Any]:
    """Blocks that are no text, for people: a resource's own text is told."""
    return [block.get("resource", block) if isinstance(block.get("resource"), Mapping) else block for block in blocks]
