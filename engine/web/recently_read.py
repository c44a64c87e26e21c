"""What was read of the store a moment ago, for lists that are looked at often."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")

# another service of the store may have been told something since
KNOWN_FOR = timedelta(seconds=1)


class RecentlyRead(Generic[T]):
    """Read anew once it is older than `KNOWN_FOR`, or once this service itself has changed it."""

    def __init__(self) -> None:
        self._kept: tuple[datetime, T] | None = None

    async def value(self, now: datetime, read: Callable[[], Awaitable[T]]) -> T:
        """What was read, or what there is now."""
        if self._kept is None or abs(now - self._kept[0]) >= KNOWN_FOR:
            self._kept = now, await read()
        return self._kept[1]

    def forget(self) -> None:
        """It was changed here: the next who asks is told of it."""
        self._kept = None
