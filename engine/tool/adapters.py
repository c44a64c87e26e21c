"""The adapter for a tool."""

from __future__ import annotations

from collections.abc import Callable

from engine.ports import Clock, ToolAdapter
from engine.reach import Connections, Secrets
from engine.session.bundle import Bundle, Tool
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
    from engine.tool.mcp import McpAdapter

    return McpAdapter(bundle, secrets, connections)
