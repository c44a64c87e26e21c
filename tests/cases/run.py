"""One case in a directory of its own: what it said, what it took, and what it left running."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.cases.expected import Case

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
# seconds in which what a case has told to end has to be gone
GRACE = 5.0
# what no process of a case may take, in kilobytes: the machine is to be there afterwards
CEILING = 6_000_000


@dataclass(frozen=True)
class Ran:
    """`problem` is empty if all was as expected; `megabytes` is the most that one process of the engine held."""

    output: str
    seconds: float
    megabytes: int
    problem: str


def run(case: Case, folder: Path, at: Path, engine: Path) -> Ran:
    """Run a case in the empty directory `at`."""
    at = at.resolve()
    began = time.monotonic()
    with (at / "said").open("w+b") as said:
        script = f"ulimit -v {CEILING}\n. {HERE / 'steps.sh'}\n{case.run}\n"
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=_made(at / "work"),
            env=_surroundings(case, folder, at, engine),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(case.seconds)
        except subprocess.TimeoutExpired:
            code = None
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        took = time.monotonic() - began
        running = _left(at)
        said.seek(0)
        output = _shown(said.read().decode(errors="replace"))
    most = _measured(at / "measured")
    return Ran(output, took, most, _problem(case, code, output, most, running))


def _problem(case: Case, code: int | None, output: str, most: int, running: list[str]) -> str:
    problems = [f"it does not say {text!r}" for text in case.says if not _said(text, output)]
    problems += [f"it says {text!r}" for text in case.never if _said(text, output)]
    if code is None:
        problems.append(f"it is not over after {case.seconds} s")
    elif code != case.exit:
        problems.append(f"it exits with {code} instead of {case.exit}")
    if most > case.megabytes:
        problems.append(f"a process took {most} MB, and may take {case.megabytes}")
    problems += [f"it left running: {name}" for name in running]
    return "; ".join(problems)


def _said(text: str, output: str) -> bool:
    """Whether a line has the text, in which `...` is anything, and any white space is one space."""
    wanted = re.compile(".*".join(re.escape(" ".join(part.split())) for part in text.split("...")))
    return any(wanted.search(" ".join(line.split())) for line in output.splitlines())


def _made(at: Path) -> Path:
    at.mkdir()
    return at


def _surroundings(case: Case, folder: Path, at: Path, engine: Path) -> dict[str, str]:
    """PORT and PORT2 are free; `engine` on the path writes what memory it took."""
    port, port2 = _free_ports()
    measured = _made(at / "bin") / "engine"
    measured.write_text(f'#!/bin/sh\nexec {engine.parent}/python {HERE}/measured.py {at}/measured {engine} "$@"\n')
    measured.chmod(0o755)
    return {
        "PATH": f"{measured.parent}:{engine.parent}:{os.environ['PATH']}",
        "HOME": str(at),
        "LANG": "C.UTF-8",
        "TMPDIR": str(_made(at / "tmp")),
        "ENGINE": str(measured),
        "ENGINE_ITSELF": str(engine),
        "ENGINE_STORE": f"sqlite:///{at / 'work'}/e.db",
        "PROJECT": str(PROJECT),
        "CASES": str(folder),
        "CASE": str(folder / case.place),
        "PORT": str(port),
        "PORT2": str(port2),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _left(at: Path) -> list[str]:
    """What still runs in the case's directory a while after its end; it is killed."""
    until = time.monotonic() + GRACE
    while (running := _running(at)) and time.monotonic() < until:
        time.sleep(0.1)
    for pid in running:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return list(running.values())


def _running(at: Path) -> dict[int, str]:
    """Processes that work in the directory, or were started with its paths: the engine clears a program's environment."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            inside = Path(os.readlink(entry / "cwd")).is_relative_to(at) or str(at) in line
        except OSError:
            continue
        if inside and line:
            found[int(entry.name)] = line[:120]
    return found


def _measured(at: Path) -> int:
    """The most of what was measured, in MB."""
    return max((int(line) // 1024 for line in at.read_text().split()), default=0) if at.exists() else 0


def _shown(text: str) -> str:
    """A text whose control characters steer no terminal."""
    return "".join(c if c == "\n" or c.isprintable() else " " if c == "\t" else f"<{ord(c):02x}>" for c in text)
