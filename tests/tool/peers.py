"""Runs of tools against peers of the tests' own, outside of any session."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.ports.tool import AdapterResources, ToolError, ToolInvocation
from engine.runtime.connections import ConnectionPool
from engine.runtime.host_secrets import HostSecrets
from engine.spec.bundle import Bundle
from engine.tool.adapters import Adapters
from engine.trio_clock import TrioClock
from tests.bundle_texts import agent, bundle, tool

SECRETS = {"API_KEY": "canary-0815-secret"}


def with_tool(name: str, adapter: str, effect: str = "read", *, output: str = "{}", more: str = "",
              files: tuple[tuple[str, str], ...] = ()) -> Bundle:  # fmt: skip
    """A bundle with one tool of this adapter."""
    anything = "{type: object, properties: {id: {}, n: {}, q: {}, list: {}, to: {type: string}}}"
    key = "idempotency: none\n" if effect == "write" and "idempotency:" not in more else ""
    made = tool(name, effect, input=anything, output=output, more=f"adapter: {adapter}\n{key}{more}")
    return bundle(agent(f"[{name}]"), made, *files)


async def run(made: Bundle, name: str, *, key: str | None = None, root: Path = Path("/"), timeout: float = 600,
              secrets: Mapping[str, str] = SECRETS, times: int = 1, **input_: Any) -> Any:  # fmt: skip
    """What a run of the tool gives; raises ToolError."""
    async with ConnectionPool() as connections:
        known = HostSecrets(secrets)
        adapters = Adapters(AdapterResources(made, TrioClock(), known, connections))
        for _ in range(times):
            given = ToolInvocation(made.tools[name], input_, {"tenant": "acme"}, key, "s1", str(root), known.masked)
            with trio.fail_after(timeout):
                output = await adapters(made.tools[name]).run(given)
        return output


async def cancelled_after(noted: Path, made: Bundle) -> None:
    """Run the tool `act`, and cancel it once what it runs has noted itself in a file."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, made, "act")
        with trio.fail_after(600):
            while not await trio.Path(noted).exists() or not await trio.Path(noted).read_text():  # noqa: ASYNC110
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()


async def failure(*given: Any, **more: Any) -> ToolError:
    """The error that a run ends with."""
    with pytest.raises(BaseExceptionGroup) as group:
        await run(*given, **more)
    error: BaseException = group.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ToolError), error
    return error
