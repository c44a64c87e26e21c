"""Commands without the time that it takes to read the engine's code: a process has read it, and forks for each command.

What a command is told and what it gives is as in a process that was started for it: its arguments, directory,
environment and files, its exit code, and what is done when it ends.  What the interpreter is told by its environment
can't be told to a fork (`fits`): such a command is started, as those are that a test stops.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent
# what the engine imports where it is needed
NEEDED = ("httpx2", "jinja2", "jsonschema", "trio", "yaml", "simpleeval", "pydantic", "sqlite3", "cryptography.fernet")
# the longest that a command may take, in seconds
LONGEST = 600
FILES = 3


def fits(env: Mapping[str, str]) -> bool:
    """Whether a fork can stand for a process with this environment."""
    return _of_interpreter(env) == _of_interpreter(os.environ)


def _of_interpreter(env: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in env.items() if name.startswith(("PYTHON", "LC_", "LANG"))}


def run(arguments: Sequence[str], cwd: Path, env: Mapping[str, str]) -> tuple[int, str, str]:
    """Run a command to its end: its exit code, and what it wrote to each of its outputs."""
    pipes = [os.pipe(), os.pipe()]
    head = json.dumps({"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}).encode()
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(_server().path)
        socket.send_fds(asked, [len(head).to_bytes(4, "big")], [0, *(end for _, end in pipes)])
        asked.sendall(head)
        for _, end in pipes:
            os.close(end)
        with ThreadPoolExecutor(2) as pool:
            out, err = pool.map(_text, [begin for begin, _ in pipes])
        return int(asked.makefile().read()), out, err


def _text(pipe: int) -> str:
    with open(pipe, encoding="utf-8") as file:
        return file.read()


@dataclass(frozen=True)
class _Server:
    """Where a server listens, and the end of a pipe that its client alone has: the server ends with it."""

    path: str
    process: subprocess.Popen[bytes]
    held: int

    def end(self) -> None:
        os.close(self.held)
        self.process.wait()


@cache
def _server() -> _Server:
    """This process's own."""
    path = os.path.join(tempfile.mkdtemp(prefix="engine-"), "warm")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(50)
        alive, held = os.pipe()
        command = [sys.executable, "-m", __name__, str(listening.fileno()), str(alive)]
        process = subprocess.Popen(
            command, cwd=ROOT, pass_fds=(listening.fileno(), alive), stdin=subprocess.DEVNULL
        )  # fmt: skip
        os.close(alive)
    server = _Server(path, process, held)
    atexit.register(server.end)
    return server


def _serve(listening: socket.socket, alive: int) -> None:
    """Fork for each command that comes, until nobody is left who could send one; returns in what runs a command."""
    for name in NEEDED:
        import_module(name)
    for module in pkgutil.walk_packages([str(ROOT / "engine")], "engine."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listening.fileno(), alive], [], [])
        if alive in ready:
            os._exit(0)
        asked, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            os.close(alive)
            return _take(asked)
        asked.close()


def _take(asked: socket.socket) -> None:
    """Become the command that is asked for; what watches over it says how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, files, _, _ = socket.recv_fds(asked, 4, FILES)
    with asked.makefile("rb") as said:
        head = json.loads(said.read(int.from_bytes(length, "big")))
    child = os.fork()
    if child:
        for number in (*files, 0, 1, 2):
            os.close(number)
        asked.sendall(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
        os._exit(0)
    asked.close()
    signal.alarm(LONGEST)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(head["cwd"])
    os.environ.clear()
    os.environ.update(head["env"])
    time.tzset()
    sys.argv = ["engine", *head["arguments"]]
    sys.path[0] = head["cwd"]


def _become_engine() -> NoReturn:
    """Run `python -m engine`, and end as a process does; what it has in memory goes with it, unlike its files."""
    code: object = 0
    try:
        runpy.run_module("engine", run_name="__main__", alter_sys=True)
    except SystemExit as left:
        code = left.code
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else code is not None)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
    _become_engine()
