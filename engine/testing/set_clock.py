"""A clock that stands still until a test moves it: the contracts of stores say when things happen."""

from __future__ import annotations

from datetime import datetime, timedelta

from engine.ports.store import Store
from engine.testing.log_events import START


class SetClock:
    """See `ports.Clock`; a store under a contract is opened with one."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        """See `ports.Clock`."""
        return self._now

    def set(self, seconds: float) -> None:
        """Be so many seconds behind `START`."""
        self._now = START + timedelta(seconds=seconds)


def set_clock(store: Store, seconds: float) -> None:
    """Move the clock of a store that was opened with a `SetClock`; raises TypeError for another one."""
    clock = store.clock
    if not isinstance(clock, SetClock):
        raise TypeError("a store under a contract is opened with a `SetClock`, as `open_store(url, clock=SetClock())`")
    clock.set(seconds)
