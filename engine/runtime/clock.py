"""The clock of a run: wall time that moves with Trio's, so that deadlines and recorded times agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import trio


class TrioClock:
    """Starts at a moment and goes on as Trio's clock does; make it inside of `trio.run`."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start or datetime.now(UTC)
        self._zero = trio.current_time()

    def now(self) -> datetime:
        """See `ports.Clock`."""
        return self._start + timedelta(seconds=trio.current_time() - self._zero)
