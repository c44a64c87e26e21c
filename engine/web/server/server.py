"""Accepts connections and keeps count of them; each lives and dies alone."""

from __future__ import annotations

import errno
import logging
from collections.abc import Sequence

import trio

from engine.web.server.connection import Application, ClientConnection, ClientGone
from engine.web.server.limits import ServerLimits

_log = logging.getLogger("engine.web")

# what the operating system says when it has no more descriptors or memory for a connection
_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class HttpServer:
    """An application behind listeners; `drain` lets what is being answered end, and takes nothing new."""

    def __init__(self, application: Application, draining: trio.Event, limits: ServerLimits | None = None) -> None:
        """`draining` is set once it drains, for all who would wait."""
        self._application = application
        self._limits = limits or ServerLimits()
        self._open: dict[ClientConnection, trio.CancelScope] = {}
        self.draining = draining

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def drain(self) -> None:
        """Take no more connections and no more requests; `serve` returns when all is answered, or in its time."""
        self.draining.set()

    async def serve(self, listeners: Sequence[trio.SocketListener]) -> None:
        """Accept until it drains; the listeners are closed then."""
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as accepting:
                for listener in listeners:
                    accepting.start_soon(self._accept, listener, nursery)
                await self.draining.wait()
                accepting.cancel_scope.cancel()
            for listener in listeners:
                await listener.aclose()
            for connection, scope in list(self._open.items()):
                if connection.waiting:
                    scope.cancel()
            nursery.cancel_scope.deadline = trio.current_time() + self._limits.drain_time

    async def _accept(self, listener: trio.SocketListener, nursery: trio.Nursery) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                _log.warning("no more connections can be taken: %s", error)
                self._let_go_of_idle(1)
                await trio.sleep(0.1)
                continue
            if len(self._open) >= self._limits.connections and not self._let_go_of_idle(1):
                await trio.aclose_forcefully(stream)
                continue
            nursery.start_soon(self._connection, stream)

    async def _connection(self, stream: trio.SocketStream) -> None:
        """One connection; nothing that goes wrong with it reaches another."""
        with trio.CancelScope() as scope:
            connection = ClientConnection(stream, self._application, self._limits, self.draining)
            self._open[connection] = scope
            try:
                await connection.run()
            except ClientGone:
                pass
            except Exception:
                _log.exception("a connection was dropped")
            finally:
                del self._open[connection]
                with trio.CancelScope(shield=True):
                    await trio.aclose_forcefully(stream)

    def _let_go_of_idle(self, most: int | None = None) -> int:
        """Close connections that wait for a request, or for the rest of one, the oldest first; how many."""
        idle = [scope for connection, scope in self._open.items() if not connection.busy][:most]
        for scope in idle:
            scope.cancel()
        return len(idle)
