"""Tools of the tests' own: every run is a line in a file, fsynced, before the tool does anything else."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from engine.ports.clock import Clock
from engine.ports.tool import ToolAdapter, ToolInvocation
from engine.spec.bundle import Bundle, Tool

Act = Callable[[ToolInvocation], Awaitable[Any]]


async def nothing(run: ToolInvocation) -> Any:
    """Give an empty object at once."""
    return {}


async def hang(run: ToolInvocation) -> Any:
    """Never end."""
    await trio.sleep_forever()


def after(seconds: float, output: Any = None) -> Act:
    """Take a while."""

    async def act(run: ToolInvocation) -> Any:
        await trio.sleep(seconds)
        return {} if output is None else output

    return act


@dataclass
class Acting:
    """The adapters of a test: an act for each tool, and the file of what was run and what ended."""

    path: Path
    acts: dict[str, Act] = field(default_factory=dict)

    def __call__(self, bundle: Bundle, clock: Clock) -> Callable[[Tool], ToolAdapter]:
        return lambda tool: _Adapter(self, tool.name)

    def note(self, line: str) -> None:
        with self.path.open("a") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def runs(self, tool: str) -> int:
        return self.lines.count(f"run {tool}")


@dataclass
class _Adapter:
    acting: Acting
    name: str

    async def run(self, run: ToolInvocation) -> Any:
        self.acting.note(f"run {self.name}")
        try:
            output = await self.acting.acts.get(self.name, nothing)(run)
        except trio.Cancelled:
            self.acting.note(f"cancelled {self.name}")
            raise
        self.acting.note(f"end {self.name}")
        return output
