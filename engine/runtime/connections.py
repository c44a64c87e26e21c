"""What is opened once and used by many sessions: pooled clients, servers that run beside the engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import trio

T = TypeVar("T")


class NotEntered(RuntimeError):
    """The engine was used for what has to be closed again, without being entered."""


@dataclass(slots=True)
class _OpenConnection:
    """A connection: open with its value, or failed with its error, once `ready`."""

    scope: trio.CancelScope
    ready: trio.Event
    value: Any = None
    error: Exception | None = None


class ConnectionPool:
    """Each connection lives in a task of its own, from the first use to the end of the engine."""

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None
        self._manager: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._held: dict[str, _OpenConnection] = {}

    async def __aenter__(self) -> ConnectionPool:
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._manager is not None, "entered before it is left"
        for held in self._held.values():
            held.scope.cancel()
        manager, self._manager, self._nursery = self._manager, None, None
        return await manager.__aexit__(kind, error, trace)

    async def hold(self, key: str, opened: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        """What is open under a key, opened if it is not; raises what opening it raises."""
        held = self._held.get(key)
        if held is None:
            if self._nursery is None:
                raise NotEntered("enter the engine (`async with engine:`): it uses what has to be closed again")
            held = self._held[key] = _OpenConnection(trio.CancelScope(), trio.Event())
            self._nursery.start_soon(self._keep, key, held, opened)
        await held.ready.wait()
        if held.error is not None:
            raise held.error
        value: T = held.value
        return value

    def drop(self, key: str, value: object) -> None:
        """Close what is open under a key if it is this value: it is of no use any more."""
        held = self._held.get(key)
        if held is not None and held.value is value and held.ready.is_set():
            del self._held[key]
            held.scope.cancel()

    async def _keep(
        self, key: str, held: _OpenConnection, opened: Callable[[], AbstractAsyncContextManager[Any]]
    ) -> None:
        try:
            with held.scope:
                async with opened() as held.value:
                    held.ready.set()
                    await trio.sleep_forever()
        except Exception as error:
            # who waits for it is told; who used it sees it fail
            held.error = error
        finally:
            held.error = held.error or (None if held.ready.is_set() else ConnectionError(f"{key} was not opened"))
            held.ready.set()
            if self._held.get(key) is held:
                del self._held[key]
