"""The `python` adapter: a function of a file in the bundle, called with the input's fields by name.

Coroutine functions run on Trio.  Plain functions that read run in a thread; plain functions that
write run in a process of their own, which is killed when the call is cancelled.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from tempfile import TemporaryFile
from typing import IO, Any

import trio

from engine.language.value import canonical, loads
from engine.ports.external_work import outside
from engine.ports.tool import AdapterResources, ToolError, ToolInvocation
from engine.spec.bundle import READ, Tool
from engine.tool.python_process import END, KEY, define
from engine.tool.supervised_process import open_supervised

MAX_THREADS = 32


class PythonAdapter:
    """Acts for the python tools of one bundle; files come from the stored bundle, never from the disk."""

    def __init__(self, resources: AdapterResources) -> None:
        self._files = resources.bundle.files
        self._functions: dict[tuple[str, str], Callable[..., Any]] = {}
        # reads that hang keep their threads: they must not keep those of others
        self._threads = trio.CapacityLimiter(MAX_THREADS)

    async def run(self, run: ToolInvocation) -> Any:
        """What the function returns; raises ToolError."""
        settings = run.tool.adapter.settings
        file, name = settings["file"], settings["function"]
        if run.tool.effect is READ or _is_coroutine(self._files[file], name):
            return await self._in_process(run, file, name)
        return await self._in_own_process(run, file, name)

    async def _in_process(self, run: ToolInvocation, file: str, name: str) -> Any:
        try:
            function = self._functions.get((file, name))
            if function is None:
                function = self._functions[file, name] = define(self._files[file].decode(), file, name)
            given = _arguments(function, run)
            if _awaits(function):
                return await function(**given)
            with outside():
                return await trio.to_thread.run_sync(
                    lambda: function(**given), abandon_on_cancel=True, limiter=self._threads
                )
        except trio.Cancelled:
            raise
        except BaseException as error:
            # whatever a tool raises ends its call: a KeyboardInterrupt of its own is none of the user's
            if isinstance(error, BaseExceptionGroup) and error.subgroup(trio.Cancelled) is not None:
                raise
            raise _failed(run, f"{type(error).__name__}: {error}") from None

    async def _in_own_process(self, run: ToolInvocation, file: str, name: str) -> Any:
        task = {
            "source": self._files[file].decode(),
            "file": file,
            "function": name,
            "input": dict(run.input),
            KEY: run.idempotency_key,
        }
        # files without a name: nobody finds them, and whoever is killed leaves nothing of a call on the disk
        with outside(), TemporaryFile() as asked, TemporaryFile() as told, TemporaryFile() as said:
            asked.write(canonical(task).encode("ascii"))
            asked.seek(0)
            status = await _run_to_its_end(asked, told, said)
            told.seek(0)
            written = told.read()
            if not written.endswith(END):
                said.seek(max(said.seek(0, os.SEEK_END) - 20_000, 0))
                last = run.failure_text(said.read().decode("utf-8", "replace").strip(), 500, end=True)
                message = f"its process ended without an answer: {last or f'exit status {status}'}"
                raise ToolError("no_answer", message, lost=True)
            answer = loads(written)
        if "error" in answer:
            raise _failed(run, answer["error"])
        if "unfit" in answer:
            raise ToolError("invalid_output", run.failure_text(answer["unfit"], 1000), lost=True)
        return answer["output"]


def runs_in_thread(tool: Tool, files: Mapping[str, bytes]) -> bool:
    """Whether a run of a tool has a thread of its own, which nobody can stop."""
    if tool.adapter.kind != "python" or tool.effect is not READ:
        return False
    settings = tool.adapter.settings
    return not _is_coroutine(files[settings["file"]], settings["function"])


async def _run_to_its_end(asked: IO[bytes], told: IO[bytes], said: IO[bytes]) -> int:
    """Run the task under a supervisor; however it ends, nothing that descends from it is left."""
    # -P: what lies in the current directory is no module of ours
    command = [sys.executable, "-P", "-m", "engine.tool.python_process", str(told.fileno())]
    program = await open_supervised(
        command, environment=os.environ, pass_fds=(told.fileno(),), stdin=asked, stdout=said, stderr=said
    )
    try:
        return await program.wait()
    finally:
        await program.finish()


def _arguments(function: Callable[..., Any], run: ToolInvocation) -> Mapping[str, Any]:
    return {**run.input, KEY: run.idempotency_key} if _takes_key(function) else dict(run.input)


# asked of each function once: a bundle has a few, and runs them often
@lru_cache(4096)
def _takes_key(function: Callable[..., Any]) -> bool:
    return KEY in inspect.signature(function).parameters


@lru_cache(4096)
def _awaits(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function)


def _failed(run: ToolInvocation, message: str) -> ToolError:
    return ToolError("tool_error", run.failure_text(message, 1000))


@cache
def _is_coroutine(source: bytes, name: str) -> bool:
    return any(isinstance(node, ast.AsyncFunctionDef) and node.name == name for node in ast.parse(source).body)
