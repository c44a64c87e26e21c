"""One program and all that descends from it: run, and gone when the program ends or when the engine does (Linux).

    python -I -S supervisor.py LIFE STATUS ARGV...

LIFE is the read end of a pipe whose other end the engine alone holds: its end of file is the order to end.  STATUS is
the write end of another: it is told `failed ERRNO`, `exit N` or `signal N`, and ` left N` where some could not be
killed.  This process adopts every orphan below it, so that whatever forks and leaves its session is found all the
same.  It has one thread and imports nothing that takes long: it starts once for each program.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

# in seconds: one round of looking for children, and how long those are waited for that can't die
ROUND = 0.02
LONGEST = 5.0


def control(option: int, value: int) -> None:
    """One call of prctl; raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def children() -> list[int]:
    """The direct children: orphans of every generation become ours, so that these are enough in the end.

    A child that was not waited for keeps its number, so that no stranger is ever hit.
    """
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except FileNotFoundError:
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and _parent(name) == me]


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def reap(program: int, status: int | None) -> tuple[int | None, bool]:
    """Wait for whoever has ended; the program's status if it is among them, and whether any child is left."""
    while True:
        try:
            pid, how = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status, False
        if pid == 0:
            return status, True
        if pid == program:
            status = how


def kill_all(program: int, status: int | None, awake: int) -> tuple[int | None, int]:
    """Kill children until there are none; those of a killed one become ours and are found in the next round."""
    until = time.monotonic() + LONGEST
    while True:
        for pid in children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        status, more = reap(program, status)
        if not more:
            return status, 0
        if time.monotonic() > until:
            return status, len(children())
        select.select([awake], [], [], ROUND)
        with contextlib.suppress(BlockingIOError):
            os.read(awake, 512)


def start(argv: list[str]) -> tuple[int, int]:
    """The program in a session of its own: its number, and the errno that it could not be started with or 0."""
    told, tell = os.pipe2(os.O_CLOEXEC)
    me = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            # a signal to its whole group does not reach us
            os.setsid()
            # right here, where there is one thread: it follows the process then, and covers one that kills us
            control(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != me:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            # whatever the engine was started with is not the program's to find
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execvp(argv[0], argv)
        except OSError as error:
            os.write(tell, str(error.errno).encode())
        except BaseException:
            os.write(tell, b"22")
        finally:
            os._exit(127)
    os.close(tell)
    said = os.read(told, 16)
    os.close(told)
    return pid, int(said or 0)


def main() -> None:
    """Run the program that the arguments name, to its end or to the engine's."""
    life, told, argv = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    for descriptor in (life, told):
        os.set_inheritable(descriptor, False)
    control(PR_SET_CHILD_SUBREAPER, 1)
    awake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    over: list[bool] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: over.append(True))
    program, errno = start(argv)
    # the pipes are the program's alone: their ends reach the engine only if nobody else holds them
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    status: int | None = None
    while status is None and not over and not errno:
        ready, _, _ = select.select([life, awake], [], [])
        if awake in ready:
            os.read(awake, 512)
        status, _ = reap(program, status)
        if life in ready and not os.read(life, 512):
            break
    status, left = kill_all(program, status, awake)
    with contextlib.suppress(BrokenPipeError):
        os.write(told, (_how(status, errno) + (f" left {left}" if left else "")).encode())
    os._exit(0)


def _how(status: int | None, errno: int) -> str:
    if errno:
        return f"failed {errno}"
    if status is None:
        return f"signal {signal.SIGKILL.value}"
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"


if __name__ == "__main__":
    main()
