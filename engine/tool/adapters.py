"""The adapter for a tool."""

from __future__ import annotations

from collections.abc import Callable

from engine.ports import Clock, ToolAdapter
from engine.session.bundle import Bundle, Tool
from engine.tool.python import PythonAdapter
from engine.tool.sql import SqlAdapter


class Adapters:
    """The adapters of one bundle, each made when it is first needed."""

    def __init__(self, bundle: Bundle, clock: Clock) -> None:
        self._made: dict[str, ToolAdapter] = {}
        self._makers: dict[str, Callable[[], ToolAdapter]] = {
            "sql": lambda: SqlAdapter(bundle, clock),
            "python": lambda: PythonAdapter(bundle),
        }

    def __call__(self, tool: Tool) -> ToolAdapter:
        """What acts for this tool."""
        kind = tool.adapter.kind
        if kind not in self._made:
            self._made[kind] = self._makers[kind]()
        return self._made[kind]
