"""A program under a supervisor: fed, read within bounds, and gone with all that descends from it when it is over."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import trio

from engine.tool.supervised_process import SupervisedProgram, open_supervised

STDERR_LIMIT = 70_000

# how long output may still come from one that has ended, in seconds
LINGER = 1.0


class TooMuchOutput(Exception):
    """A program wrote more than may be taken."""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """How a program ended: its exit code, its output, and the end of what it said beside it."""

    code: int
    output: bytes
    stderr_tail: str


async def run_program(
    argv: Sequence[str], *, environment: Mapping[str, str], directory: str, given: bytes, most: int
) -> ProgramResult:
    """Run a program to its end; raises OSError where it can't be started, TooMuchOutput.

    However it ends, cancelled or not, nothing that descends from it is left.
    """
    program = await open_supervised(
        argv,
        environment=environment,
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process = program.process
    output, said = bytearray(), bytearray()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_feed, process, given)
            nursery.start_soon(_hear, process, said)
            nursery.start_soon(_read, program, output, most)
            await process.wait()
            # what it left behind may hold its pipes open, where nobody supervises
            program.end()
            nursery.cancel_scope.deadline = trio.current_time() + LINGER
        code = await program.wait()
    finally:
        await program.finish()
    if len(output) > most:
        raise TooMuchOutput
    return ProgramResult(code, bytes(output), said.decode("utf-8", "replace").strip())


async def _read(program: SupervisedProgram, output: bytearray, most: int) -> None:
    assert program.process.stdout is not None
    async for chunk in program.process.stdout:
        output += chunk
        if len(output) > most:
            program.end()
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
        del said[:-STDERR_LIMIT]
