"""The adapter for a tool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.extras import unusable
from engine.ports.clock import Clock
from engine.ports.resources import Connections, EnvironmentFault, Secrets
from engine.ports.tool import ToolAdapter, ToolError, ToolInvocation
from engine.spec.bundle import Bundle, Tool
from engine.tool.python import PythonAdapter
from engine.tool.sql import SqlAdapter


class Adapters:
    """The adapters of one bundle, each made when it is first needed."""

    def __init__(self, bundle: Bundle, clock: Clock, *, secrets: Secrets, connections: Connections) -> None:
        self._made: dict[str, ToolAdapter] = {}
        self._makers: dict[str, Callable[[], ToolAdapter]] = {
            "sql": lambda: SqlAdapter(bundle, clock),
            "python": lambda: PythonAdapter(bundle),
            "http": lambda: _http(secrets, connections),
            "command": lambda: _command(bundle, secrets),
            "mcp": lambda: _mcp(bundle, secrets, connections),
        }

    def __call__(self, tool: Tool) -> ToolAdapter:
        """What acts for this tool."""
        kind = tool.adapter.kind
        if kind not in self._made:
            self._made[kind] = self._makers[kind]()
        return self._made[kind]


# what most bundles do without is imported when it is needed


def _http(secrets: Secrets, connections: Connections) -> ToolAdapter:
    from engine.tool.http import HttpAdapter

    return HttpAdapter(secrets, connections)


def _command(bundle: Bundle, secrets: Secrets) -> ToolAdapter:
    from engine.tool.command import CommandAdapter

    return CommandAdapter(bundle, secrets)


def _mcp(bundle: Bundle, secrets: Secrets, connections: Connections) -> ToolAdapter:
    try:
        from engine.tool.mcp import McpAdapter
    except ImportError as error:
        return _WithoutLibrary(bundle, unusable("mcp", "tools of servers", error))

    return McpAdapter(bundle, secrets, connections)


class _WithoutLibrary:
    """Acts for no tool: that of an optional server is unavailable, any other keeps its session from going on."""

    def __init__(self, bundle: Bundle, fault: EnvironmentFault) -> None:
        self._servers = bundle.servers
        self._fault = fault

    async def run(self, run: ToolInvocation) -> Any:
        """See `ports.ToolAdapter`; raises MissingExtra."""
        return await self.ready(run.tool)

    async def ready(self, tool: Tool) -> object:
        """See `ports.Prepared`; raises MissingExtra."""
        server = self._servers[tool.adapter.settings["server"]]
        if server.optional:
            raise ToolError("server_unavailable", f"server {server.name}: {self._fault}", acted=False)
        raise self._fault
