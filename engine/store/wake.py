"""Wake-ups between the processes on one store: who appends says of which session, and who waits looks at once.

A wake-up says nothing but a session's id, and may be lost: whoever waits looks from time to time all the same.

On a SQLite file each process that waits has a datagram socket of its own in a folder beside it, which nobody else may
open.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import trio

from engine.private_files import make_folder
from engine.random_bytes import random_hex

# how long the folder's content is believed, in seconds; a path that is longer is no address
LISTED_FOR, LONGEST_PATH, LARGEST = 0.5, 100, 200
# how often who waits looks all the same, in seconds: where wake-ups come, since one may be lost, and where none do
LOOK_SELDOM, LOOK_OFTEN = 0.5, 0.25
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

    def tell(self, session_ids: Iterable[str]) -> None:
        """Wake whoever waits for sessions, in all other processes."""
        for path in self._others():
            try:
                for session_id in session_ids:
                    self._opened().sendto(session_id.encode()[:LARGEST], path)
            except OSError as error:
                if error.errno in _GONE:
                    # its process died
                    with contextlib.suppress(OSError):
                        os.unlink(path)
                    self._listed_at = float("-inf")

    def _opened(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        return self._socket

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


class SessionWatch:
    """Who waits for a session to change: also for what changed since the last wait, so that nothing is read in vain."""

    def __init__(self, look_every: float) -> None:
        self._look_every = look_every
        self._changed = trio.Event()

    def wake(self) -> None:
        """The session has changed."""
        self._changed.set()

    async def wait(self) -> None:
        """Until the session has changed, or it is time to look all the same."""
        with trio.move_on_after(self._look_every):
            await self._changed.wait()
        self._changed = trio.Event()


class WakeListener:
    """Waits for sessions to change in other processes; where nobody tells it of them it only lets time pass."""

    def __init__(self, *, is_told: bool = False) -> None:
        self._look_every = LOOK_SELDOM if is_told else LOOK_OFTEN
        self._watches: dict[str, list[SessionWatch]] = {}
        self._any = trio.Event()

    def tell(self, session_ids: Iterable[str] | None) -> None:
        """Sessions have changed in another process; None where nobody knows which."""
        for session_id in session_ids if session_ids is not None else list(self._watches):
            self.wake(session_id)
        self._any.set()
        self._any = trio.Event()

    def wake(self, session_id: str) -> None:
        """Wake whoever watches a session; a process that has changed it itself says so here."""
        for watch in self._watches.get(session_id, ()):
            watch.wake()

    @contextmanager
    def watching(self, session_id: str, look_every: float | None = None) -> Iterator[SessionWatch]:
        """A watch of a session, for as long as somebody waits for it; how often it looks may be said, in seconds."""
        watch = SessionWatch(look_every if look_every is not None else self._look_every)
        watches = self._watches.setdefault(session_id, [])
        watches.append(watch)
        try:
            yield watch
        finally:
            watches.remove(watch)
            if not watches:
                del self._watches[session_id]

    async def wait_any(self) -> None:
        """Until any session changes; for ever where nobody tells."""
        await self._any.wait()


async def _take(inbox: trio.socket.SocketType, listener: WakeListener) -> None:
    while True:
        listener.tell([(await inbox.recv(LARGEST)).decode("utf-8", "replace")])


@asynccontextmanager
async def listening(file: Path) -> AsyncIterator[WakeListener]:
    """A listener at a socket beside a store's file, for the length of the context."""
    path = str(folder_of(file) / f"{os.getpid()}-{random_hex(4)}")
    if len(os.fsencode(path)) > LONGEST_PATH:
        yield WakeListener()
        return
    inbox = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM)
    try:
        make_folder(Path(path).parent)
        await inbox.bind(path)
        os.chmod(path, 0o600)
        listener = WakeListener(is_told=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_take, inbox, listener)
            yield listener
            nursery.cancel_scope.cancel()
    finally:
        inbox.close()
        with contextlib.suppress(OSError):
            os.unlink(path)
