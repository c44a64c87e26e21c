"""Wake-ups between the processes on one SQLite file: who appends says of which session, and who waits looks at once.

Each process that waits has a datagram socket of its own in a folder beside the file, which nobody else may open.  A
wake-up says nothing but a session's id, and may be lost: whoever waits looks from time to time all the same.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from engine.private_files import make_folder
from engine.random_bytes import random_hex

# how long the folder's content is believed, in seconds; a path that is longer is no address
LISTED_FOR, LONGEST_PATH, LARGEST = 0.5, 100, 200
_GONE = {errno.ECONNREFUSED, errno.ENOENT}


def folder_of(file: Path) -> Path:
    """Where the sockets of a store's file lie."""
    return file.with_name(f"{file.name}.wake")


class WakeSender:
    """Tells the others of what this process appends; it never waits, and what nobody takes is lost."""

    def __init__(self, file: Path) -> None:
        self._folder = folder_of(file)
        self._socket: socket.socket | None = None
        self._listed: list[str] = []
        self._listed_at = float("-inf")

    def tell(self, session_id: str) -> None:
        """Wake whoever waits for a session, in all other processes."""
        for path in self._others():
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.setblocking(False)
            try:
                self._socket.sendto(session_id.encode()[:LARGEST], path)
            except OSError as error:
                if error.errno in _GONE:
                    # its process died
                    with contextlib.suppress(OSError):
                        os.unlink(path)
                    self._listed_at = float("-inf")

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()

    def _others(self) -> list[str]:
        now = time.monotonic()
        if now - self._listed_at > LISTED_FOR:
            own = f"{os.getpid()}-"
            try:
                names = os.listdir(self._folder)
            except OSError:
                names = []
            self._listed = [str(self._folder / name) for name in names if not name.startswith(own)]
            self._listed_at = now
        return self._listed


class WakeListener:
    """Waits for sessions to change in other processes; without a socket it only lets time pass."""

    def __init__(self, inbox: trio.socket.SocketType | None) -> None:
        self._inbox = inbox
        self._waiting: dict[str, trio.Event] = {}
        self._any = trio.Event()

    async def run(self) -> None:
        """Take wake-ups, until cancelled."""
        while self._inbox is not None:
            session_id = (await self._inbox.recv(LARGEST)).decode("utf-8", "replace")
            waiting = self._waiting.pop(session_id, None)
            if waiting is not None:
                waiting.set()
            self._any.set()
            self._any = trio.Event()

    async def wait(self, session_id: str, seconds: float) -> None:
        """Until a session changes, or so many seconds have passed."""
        event = self._waiting.setdefault(session_id, trio.Event())
        with trio.move_on_after(seconds):
            await event.wait()
        if self._waiting.get(session_id) is event and not event.statistics().tasks_waiting:
            del self._waiting[session_id]

    async def wait_any(self) -> None:
        """Until any session changes; for ever without a socket."""
        await self._any.wait()


@asynccontextmanager
async def listening(file: Path | None) -> AsyncIterator[WakeListener]:
    """A listener at a socket beside a store's file, for the length of the context; None of a store that has no file."""
    path = str(folder_of(file) / f"{os.getpid()}-{random_hex(4)}") if file is not None else ""
    if not path or len(os.fsencode(path)) > LONGEST_PATH:
        yield WakeListener(None)
        return
    inbox = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM)
    try:
        make_folder(Path(path).parent)
        await inbox.bind(path)
        os.chmod(path, 0o600)
        listener = WakeListener(inbox)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listener.run)
            yield listener
            nursery.cancel_scope.cancel()
    finally:
        inbox.close()
        with contextlib.suppress(OSError):
            os.unlink(path)
