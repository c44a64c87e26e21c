"""The `python` adapter: a function of a file in the bundle, called with the input's fields by name.

Coroutine functions run on Trio.  Plain functions that read run in a thread; plain functions that
write run in a process of their own, which is killed when the call is cancelled.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

import trio

from engine.policy.value import NotJson, canonical, loads
from engine.ports import ToolError, ToolRun
from engine.session.bundle import READ, Bundle
from engine.tool.outside import outside
from engine.tool.python_process import KEY, define


class PythonAdapter:
    """Acts for the python tools of one bundle; files come from the stored bundle, never from the disk."""

    def __init__(self, bundle: Bundle) -> None:
        self._files = bundle.files
        self._functions: dict[tuple[str, str], Callable[..., Any]] = {}

    async def run(self, run: ToolRun) -> Any:
        """What the function returns; raises ToolError."""
        settings = run.tool.adapter.settings
        file, name = settings["file"], settings["function"]
        if run.tool.effect == READ or _is_coroutine(self._files[file], name):
            return await self._in_process(run, file, name)
        return await self._in_own_process(run, file, name)

    async def _in_process(self, run: ToolRun, file: str, name: str) -> Any:
        try:
            function = self._functions.get((file, name))
            if function is None:
                function = self._functions[file, name] = define(self._files[file].decode(), file, name)
            given = _given(function, run)
            if inspect.iscoroutinefunction(function):
                return await function(**given)
            with outside():
                return await trio.to_thread.run_sync(lambda: function(**given), abandon_on_cancel=True)
        except Exception as error:
            raise _failed(f"{type(error).__name__}: {error}") from None

    async def _in_own_process(self, run: ToolRun, file: str, name: str) -> Any:
        task = {
            "source": self._files[file].decode(),
            "file": file,
            "function": name,
            "input": dict(run.input),
            KEY: run.idempotency_key,
        }
        command = [sys.executable, "-m", "engine.tool.python_process"]
        with outside():
            done = await trio.run_process(
                command,
                stdin=canonical(task).encode(),
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                deliver_cancel=_kill,
            )
        try:
            answer = loads(done.stdout)
        except NotJson:
            message = done.stderr.decode("utf-8", "replace")[-500:] or f"exit status {done.returncode}"
            raise _failed(f"its process ended without an answer: {message}") from None
        if "error" in answer:
            raise _failed(answer["error"])
        return answer["output"]


def _given(function: Callable[..., Any], run: ToolRun) -> Mapping[str, Any]:
    takes_key = KEY in inspect.signature(function).parameters
    return {**run.input, KEY: run.idempotency_key} if takes_key else dict(run.input)


def _failed(message: str) -> ToolError:
    return ToolError("tool_error", message[:1000])


def _is_coroutine(source: bytes, name: str) -> bool:
    return any(isinstance(node, ast.AsyncFunctionDef) and node.name == name for node in ast.parse(source).body)


async def _kill(process: trio.Process) -> None:
    process.kill()
