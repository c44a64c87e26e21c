"""The clock of a run: wall time that moves with Trio's, so that deadlines and recorded times agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import trio


class TrioClock:
    """Starts at a moment once it is first asked, and goes on as Trio's clock does; without one it starts at this."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self._began: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """See `ports.Clock`; it is asked inside of `trio.run`."""
        if self._began is None:
            self._began = self._start or datetime.now(UTC), trio.current_time()
        start, zero = self._began
        return start + timedelta(seconds=trio.current_time() - zero)
