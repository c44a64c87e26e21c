"""What is known of a bundle that somebody brings: what it promises, and how it differs from another.

Each is found by a process of its own, which may take its time and its memory: requests are answered meanwhile.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import trio

from engine.language.value import loads
from engine.proof.policy_texts import files_beside
from engine.spec.bundle import Bundle
from engine.web.problems import HttpProblem

# how long one may take, in seconds, and how many run at once
LONGEST = 300.0
_AT_ONCE = trio.CapacityLimiter(1)
_MOST_ERRORS = 10_000
# who waits beyond these is told to ask again
MOST_WAITING = 8
# comparisons that were made, by the digests of the bundles
_MADE: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
_KEPT = 64

Files = Mapping[str, bytes]


async def broken_guarantees(files: Files) -> tuple[list[dict[str, Any]], list[str]]:
    """What a bundle promises, by guarantee and tool, and the names of those that a call breaks; raises HttpProblem."""
    told = await _asked(("prove",), (files,))
    found = [{name: one.get(name) for name in ("guarantee", "agent", "tool", "status", "why")}
             for one in told["guarantees"]]  # fmt: skip
    return found, sorted({one["guarantee"] for one in found if one["status"] == "refuted"})


async def difference(old: Bundle, new: Bundle) -> dict[str, Any]:
    """How two bundles differ, as `engine diff` tells it, with whether that loosens, or changes who is asked.

    What is not compared by meaning is listed as `not_proved`: other files, and what policies say and read.
    """
    key = old.digest, new.digest
    if key not in _MADE:
        _MADE[key] = await _difference(old.files, new.files)
        if len(_MADE) > _KEPT:
            _MADE.popitem(last=False)
    return _MADE[key]


async def _difference(old: Files, new: Files) -> dict[str, Any]:
    told = await _asked(("diff",), (old, new))
    kinds = {name: found for name, found in told.items() if name != "changes"}
    beside = [one for found in kinds.values() for one in found]
    return {
        "loosens": any(one["loosens"] for one in (*told["changes"], *beside)),
        "changes_people": bool(kinds["reviewers"]) or any(one["before"] == one["after"] for one in told["changes"]),
        "not_proved": [*files_beside(old, new), *(one["of"] for one in (*kinds["words"], *kinds["conditions"]))],
        "conditions": [one["of"] for one in kinds["conditions"]],
        "changes": told["changes"],
        "beside": beside,
    }


async def judged_since(
    files: Files,
    store: str,
    since: datetime | None,
    tell: Callable[[int, int], None] = lambda done, of: None,
    longest: float = LONGEST,
) -> dict[str, Any]:
    """What a bundle would have judged otherwise in the sessions of a store since a moment; raises HttpProblem.

    How many of them are done is told as it goes on; it takes so long at the most, in seconds.
    """
    began = ("--since", since.isoformat()) if since is not None else ()
    words = ("whatif", *began, "--store", store, "--workers", "1", "--format", "jsonl", "--policy")

    def progress(line: bytes) -> None:
        told = loads(line.decode())
        tell(told["done"], told["sessions"])

    # what is sealed in the logs is opened with this process's keys
    told = await _run(words, (files,), dict(os.environ), longest, progress)
    found: dict[str, Any] = told["result"]
    return found


async def _asked(command: Sequence[str], bundles: Sequence[Files]) -> dict[str, Any]:
    """What a command of the engine tells of bundles, as JSON; raises HttpProblem 503 where it tells nothing."""
    # it is told nothing of this process: no secret, no key
    plain = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    async with one_at_once():
        return await _run((command[0], "--format", "json", *command[1:]), bundles, plain, LONGEST)


@asynccontextmanager
async def one_at_once() -> AsyncIterator[None]:
    """For who waits for an answer: one runs, some wait, and further ones are told to ask again (HttpProblem 429)."""
    if _AT_ONCE.statistics().tasks_waiting >= MOST_WAITING:
        raise HttpProblem(429, "too_many_checks", "too many bundles are looked at: ask again")
    async with _AT_ONCE:
        yield


async def _run(
    command: Sequence[str],
    bundles: Sequence[Files],
    environment: Mapping[str, str],
    longest: float,
    progress: Callable[[bytes], None] | None = None,
) -> dict[str, Any]:
    """What a command of the engine tells of bundles, or the last line of it; raises HttpProblem.

    The lines before that are handed to `progress` as they come.
    """
    with ExitStack() as stack:
        folders = []
        for files in bundles:
            folders.append(stack.enter_context(tempfile.TemporaryDirectory(prefix="bundle-")))
            try:
                await trio.to_thread.run_sync(_write, Path(folders[-1]), files)
            except OSError as error:
                raise HttpProblem(422, "invalid", f"/files: a path can't be written: {error.strerror}") from None
        line = [sys.executable, "-P", "-m", "engine", *command, *folders]
        with trio.move_on_after(longest):
            code, out, said = await _lines_of(line, environment, progress)
            # 1 says that there is something to tell
            if code in (0, 1) and out.startswith(b"{"):
                found: dict[str, Any] = loads(out.decode())
                return found
            why = said.decode(errors="replace").strip().splitlines()
            raise HttpProblem(503, "not_known", f"`engine {command[0]}` told nothing: {(why or ['?'])[-1][:300]}")
    raise HttpProblem(503, "not_known", f"`engine {command[0]}` took longer than {longest:g} seconds")


async def _lines_of(
    line: Sequence[str], environment: Mapping[str, str], progress: Callable[[bytes], None] | None
) -> tuple[int, bytes, bytes]:
    """How a process ends, what it told beside its progress, and what it said last on stderr."""
    told, said = b"", b""

    async def read_errors(stream: trio.abc.ReceiveStream) -> None:
        nonlocal said
        async for part in stream:
            said = (said + part)[-_MOST_ERRORS:]

    async with trio.open_nursery() as nursery:
        run = partial(
            trio.run_process, line, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment,
        )  # fmt: skip
        process: trio.Process = await nursery.start(run)
        assert process.stdout is not None
        assert process.stderr is not None
        nursery.start_soon(read_errors, process.stderr)
        async for part in process.stdout:
            told += part
            # the last line is what came out, and stays
            while progress is not None and (end := told.find(b"\n")) + 1 not in (0, len(told)):
                progress(told[:end])
                told = told[end + 1 :]
        await process.wait()
        assert process.returncode is not None
    return process.returncode, told, said


def _write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
