"""A program under a supervisor of its own: however it ends, and however the engine does, nothing of it is left.

Where there is no supervisor (anywhere but on Linux) a program has a process group, and what leaves it goes on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import trio

SUPERVISOR = str(Path(__file__).with_name("supervisor.py"))
LINUX = sys.platform.startswith("linux")

# how long a supervisor may take to kill what is left before it is killed itself, in seconds
PATIENCE = 10.0


class SupervisedProgram:
    """A program that runs; `process` has its pipes."""

    def __init__(self, process: trio.Process, hold: int | None, told: int | None) -> None:
        self.process = process
        self._hold = hold
        self._told = told
        self._said: bytes | None = None

    async def wait(self) -> int:
        """How it ended: its exit code, or a negative signal; raises OSError if it could not be started."""
        await self.process.wait()
        if self._told is None:
            return self.process.returncode or 0
        if self._said is None:
            self._said = os.read(self._told, 64)
        how, _, number = self._said.decode().split(" left ")[0].partition(" ")
        if how == "failed":
            raise OSError(int(number), os.strerror(int(number)))
        if how == "exit":
            return int(number)
        # a supervisor that says nothing was killed, and the program with it
        return -int(number or signal.SIGKILL)

    def end(self) -> None:
        """Let nothing of it go on; it is over when `wait` returns."""
        if self._hold is not None:
            os.close(self._hold)
            self._hold = None
        elif self._told is None:
            self._kill_group()

    async def finish(self) -> None:
        """End it and wait for that, whoever is cancelled; its pipes are closed."""
        self.end()
        with trio.CancelScope(shield=True):
            with trio.move_on_after(PATIENCE):
                await self.process.wait()
            self._kill_group()
            await self.process.wait()
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                if stream is not None:
                    await stream.aclose()
        if self._told is not None:
            self._said = self._said if self._said is not None else os.read(self._told, 64)
            os.close(self._told)
            self._told = None

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


async def open_supervised(
    argv: Sequence[str], *, environment: Mapping[str, str], pass_fds: Sequence[int] = (), **pipes: Any
) -> SupervisedProgram:
    """Start a program under a supervisor, with further descriptors; raises OSError where that can't be started."""
    start = partial(trio.lowlevel.open_process, env=dict(environment), start_new_session=True, **pipes)
    if not LINUX:
        return SupervisedProgram(await start(list(argv), pass_fds=pass_fds), None, None)
    life, hold = os.pipe()
    told, tell = os.pipe()
    try:
        command = [sys.executable, "-I", "-S", SUPERVISOR, str(life), str(tell), *argv]
        process = await start(command, pass_fds=(life, tell, *pass_fds))
    except BaseException:
        os.close(hold)
        os.close(told)
        raise
    finally:
        os.close(life)
        os.close(tell)
    return SupervisedProgram(process, hold, told)
