"""The time of a PostgreSQL server, as a process knows it between two of its answers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class ServerClock:
    """Goes on by itself from what the server said last, and is never ahead of it.

    It is behind by as long as an answer takes on its way.  What this machine's own clock says, or is set to, is no
    matter.
    """

    def __init__(self) -> None:
        self._said = datetime.now(UTC), time.monotonic()

    def learn(self, said: datetime) -> None:
        """Take in what the server has just said."""
        self._said = said.astimezone(UTC), time.monotonic()

    def now(self) -> datetime:
        """See `ports.Clock`."""
        said, at = self._said
        return said + timedelta(seconds=time.monotonic() - at)
