"""The workers that `engine serve` starts: processes of their own, started again where one dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping

import trio

from engine.cli.console.output import say

# a worker that died is started again after a pause that grows, in seconds
FIRST, LONGEST = 0.5, 30.0
# one that is asked to stop gives its sessions back in so long, in seconds; then it is killed
GRACE = 20.0


class WorkerProcesses:
    """So many workers on a store."""

    def __init__(self, store_url: str, environment: Mapping[str, str], count: int) -> None:
        self._command = [
            # what lies in the directory that this was started in is nobody's library
            sys.executable, "-P", "-m", "engine", "worker", "--store", store_url, "--parent", str(os.getpid()),
            # what sessions say is in their logs, and not in the service's
            "--quiet",
        ]  # fmt: skip
        self._environment = dict(environment)
        self._count = count

    async def run(self, stopping: trio.Event) -> None:
        """Keep them running until they are to stop, and wait for their ends."""
        async with trio.open_nursery() as nursery:
            for _ in range(self._count):
                nursery.start_soon(self._keep, stopping)

    async def _keep(self, stopping: trio.Event) -> None:
        pause = FIRST
        while not stopping.is_set():
            began = trio.current_time()
            try:
                code: int | str = await self._once(stopping)
            except OSError as error:
                code = f"no start: {error}"
            if stopping.is_set():
                return
            pause = FIRST if trio.current_time() - began > LONGEST else min(2 * pause, LONGEST)
            say(f"engine: a worker ended with {code}; the next one starts in {pause:g} s", err=True)
            with trio.move_on_after(pause):
                await stopping.wait()

    async def _once(self, stopping: trio.Event) -> int:
        # a session of its own: Ctrl-C at the terminal reaches the door, which asks the workers to stop
        process = await trio.lowlevel.open_process(
            self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_stop_with, process, stopping)
                code = await process.wait()
                nursery.cancel_scope.cancel()
            return code
        finally:
            if process.poll() is None:
                process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()


async def _stop_with(process: trio.Process, stopping: trio.Event) -> None:
    await stopping.wait()
    process.send_signal(signal.SIGTERM)
    await trio.sleep(GRACE)
    process.kill()
