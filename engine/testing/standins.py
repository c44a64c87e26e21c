"""Tools of a pathway: stubs that do not act for real, and a count of what every tool did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from engine.policy.value import span
from engine.ports import Clock, ToolAdapter, ToolError, ToolRun
from engine.reach import Connections, Secrets
from engine.session.bundle import Bundle, Tool
from engine.testing.border import Border
from engine.testing.expectations import same
from engine.tool.adapters import Adapters


@dataclass(slots=True)
class Stub:
    """Gives an output or fails, after a while; `fails` counts down to where it no longer does.

    `calls` say what it does for some inputs.
    """

    output: Any
    error: str | None
    after: float
    fails: int | None = None
    retryable: bool = False
    calls: Sequence[Mapping[str, Any]] = ()

    async def run(self, run: ToolRun) -> Any:
        """See `ports.ToolAdapter`."""
        await trio.sleep(self.after)
        for known in self.calls:
            if all(same(run.input.get(name), value) for name, value in known.get("input", {}).items()):
                if known.get("error") is not None:
                    raise ToolError("tool_error", known["error"])
                return known.get("output")
        if self.error is not None and self.fails != 0:
            self.fails = None if self.fails is None else self.fails - 1
            raise ToolError("tool_error", self.error, retryable=self.retryable, acted=not self.retryable)
        return self.output


def stubs_of(declared: Mapping[str, Any]) -> dict[str, Stub]:
    """The stubs that a fixture declares, by tool."""
    return {
        tool: Stub(
            spec.get("output"),
            spec.get("error"),
            span(spec.get("after", "0s")).total_seconds(),
            spec.get("fails"),
            spec.get("retryable", False),
            spec.get("calls", ()),
        )
        for tool, spec in declared.items()
    }


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a tool, noted before it begins: whose session it was, under which key, and what it gave."""

    tool: Tool
    session_id: str
    key: str | None
    input: Mapping[str, Any]
    gave: list[Any] = field(default_factory=list)


class Counted:
    """Adapters that note each run before it begins, whatever comes of it."""

    def __init__(
        self, stubs: Mapping[str, ToolAdapter], border: Border, secrets: Secrets, connections: Connections
    ) -> None:
        self._stubs = stubs
        self._border = border
        self._secrets = secrets
        self._connections = connections
        self.runs: list[Run] = []

    @property
    def ran(self) -> Counter[str]:
        """How often each tool ran."""
        return Counter(run.tool.name for run in self.runs)

    def __call__(self, bundle: Bundle, clock: Clock) -> Callable[[Tool], ToolAdapter]:
        """The adapters of a bundle, counted."""
        real = Adapters(bundle, clock, secrets=self._secrets, connections=self._connections)

        def adapter(tool: Tool) -> ToolAdapter:
            kept = None if tool.name in self._stubs else self._border.adapter(tool)
            # what was kept from acting did not run
            return kept or _Counting(self._stubs.get(tool.name) or real(tool), self.runs)

        return adapter


@dataclass(frozen=True, slots=True)
class _Counting:
    inner: ToolAdapter
    runs: list[Run]

    async def run(self, run: ToolRun) -> Any:
        noted = Run(run.tool, run.session_id, run.idempotency_key, run.input)
        self.runs.append(noted)
        output = await self.inner.run(run)
        noted.gave.append(output)
        return output
