"""The adapter for a tool."""

from __future__ import annotations

from typing import Any

from engine.extras import MissingExtra, missing_kind, unusable
from engine.ports.kinds import ADAPTERS, UnusableKind, adapter_kind
from engine.ports.resources import EnvironmentFault
from engine.ports.tool import AdapterResources, ToolAdapter, ToolError, ToolInvocation
from engine.spec.bundle import Bundle, Tool


class Adapters:
    """The adapters of one bundle, each made when it is first needed: what most bundles do without is not imported."""

    def __init__(self, resources: AdapterResources) -> None:
        self._resources = resources
        self._made: dict[str, ToolAdapter] = {}

    def __call__(self, tool: Tool) -> ToolAdapter:
        """What acts for this tool; raises EnvironmentFault where nothing that is installed does."""
        name = tool.adapter.kind
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> ToolAdapter:
        try:
            kind = adapter_kind(name)
            if kind is None:
                raise missing_kind("adapter", name)
            made: ToolAdapter = kind.load()(self._resources)
        except UnusableKind as error:
            raise MissingExtra(str(error)) from error
        except ImportError as error:
            extra = ADAPTERS[name].extra if name in ADAPTERS else ""
            if not extra:
                raise
            return _WithoutLibrary(self._resources.bundle, unusable(extra, f"tools of the kind {name}", error))
        return made


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
        server = self._servers.get(tool.adapter.settings.get("server", ""))
        if server is not None and server.optional:
            raise ToolError("server_unavailable", f"server {server.name}: {self._fault}", acted=False)
        raise self._fault
