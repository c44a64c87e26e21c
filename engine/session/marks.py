"""What of an agent and its tools schemas mark `x-sensitive`, as far as the store seals and compares by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.language.expression import Expression
from engine.session.sensitivity import is_marked
from engine.spec.bundle import Meter, Tool


class Marks:
    """What of an agent and its tools is marked."""

    def __init__(self, attributes: Mapping[str, Any], meters: Iterable[Meter]) -> None:
        properties = attributes.get("properties", {})
        self.attributes = is_marked(attributes)
        self.tenant = is_marked(properties.get("tenant")) if isinstance(properties, Mapping) else False
        self._meters = tuple(meters)
        self._of: dict[str, tuple[bool, bool]] = {}

    def input_of(self, tool: Tool | None) -> bool:
        """Whether an input may hold what is sensitive; of a tool that is not there it may."""
        return True if tool is None else self._both(tool)[0]

    def any_of(self, tool: Tool | None) -> bool:
        """The same of what a tool says, which may repeat its input or its output."""
        return True if tool is None else any(self._both(tool))

    def key_of(self, tool: Tool) -> bool:
        """Whether an idempotency key may hold what is sensitive: as the bundle says, whatever the call."""
        return self._may_read(tool, tool.idempotency.key if tool.idempotency is not None else ())

    def meter_of(self, meter: str, tool: Tool) -> bool:
        """The same of the key that a call adds to a meter under, which has the tenant in it."""
        return self.tenant or self._may_read(tool, [m.per[tool.name] for m in self._meters if m.name == meter])

    def compares(self, tool: Tool) -> bool:
        """Whether the store compares something of a tool's calls that may hold what is sensitive."""
        if any(self.meter_of(meter.name, tool) for meter in self._meters if tool.name in meter.per):
            return True
        if tool.idempotency is None:
            return False
        return self.tenant or self.key_of(tool) or (bool(tool.idempotency.compare) and self.input_of(tool))

    def _may_read(self, tool: Tool, expressions: Iterable[Expression]) -> bool:
        reads = {name for one in expressions for name in one.reads}
        return ("input" in reads and self.input_of(tool)) or ("session" in reads and self.attributes)

    def _both(self, tool: Tool) -> tuple[bool, bool]:
        if tool.name not in self._of:
            self._of[tool.name] = (is_marked(tool.input_schema), is_marked(tool.output_schema))
        return self._of[tool.name]
