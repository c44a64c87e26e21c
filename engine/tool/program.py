"""A program in a process group of its own: fed, read within bounds, and gone with all its children when it is over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import trio

SAID = 70_000

# how long output may still come from one that has ended, in seconds
LINGER = 1.0


class TooMuchOutput(Exception):
    """A program wrote more than may be taken."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code, its output, and the end of what it said beside it."""

    code: int
    output: bytes
    said: str


async def run_program(
    argv: Sequence[str], *, environment: Mapping[str, str], directory: str, given: bytes, most: int
) -> Ended:
    """Run a program to its end; raises OSError where it can't be started, TooMuchOutput.

    However it ends, cancelled or not, nothing of its group is left.
    """
    process = await trio.lowlevel.open_process(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=directory,
        env=dict(environment), start_new_session=True,
    )  # fmt: skip
    output, said = bytearray(), bytearray()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_feed, process, given)
            nursery.start_soon(_hear, process, said)
            nursery.start_soon(_read, process, output, most)
            await process.wait()
            # what it left behind may hold its pipes open
            _kill(process)
            nursery.cancel_scope.deadline = trio.current_time() + LINGER
    finally:
        _kill(process)
        with trio.CancelScope(shield=True):
            await process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    await stream.aclose()
    if len(output) > most:
        raise TooMuchOutput
    return Ended(process.returncode or 0, bytes(output), said.decode("utf-8", "replace").strip())


async def _read(process: trio.Process, output: bytearray, most: int) -> None:
    assert process.stdout is not None
    async for chunk in process.stdout:
        output += chunk
        if len(output) > most:
            _kill(process)
            return


async def _feed(process: trio.Process, given: bytes) -> None:
    assert process.stdin is not None
    # a program need not read what it is given
    with contextlib.suppress(trio.BrokenResourceError):
        await process.stdin.send_all(given)
    await process.stdin.aclose()


async def _hear(process: trio.Process, said: bytearray) -> None:
    assert process.stderr is not None
    async for chunk in process.stderr:
        said += chunk
        del said[:-SAID]


def _kill(process: trio.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
