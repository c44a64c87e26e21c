"""A schedule as an operator has configured it: when which session begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

_MOST_STEPS = 10_000


class Misfire(StrEnum):
    """What becomes of a time that came while nothing ran."""

    SKIP = "skip"
    ONCE = "once"


class Overlap(StrEnum):
    """What becomes of a time that comes while the session of the one before is not over."""

    SKIP = "skip"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times by the clock of a zone, and the session that begins at each."""

    name: str
    cron: str
    zone: ZoneInfo
    agent: str | None
    tenant: str | None
    message: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    misfire: Misfire = Misfire.SKIP
    overlap: Overlap = Overlap.SKIP

    def newest(self, after: datetime, now: datetime) -> datetime | None:
        """The newest time behind one and up to another, in UTC; None if none has come."""
        found, steps = None, 0
        for time in self._times(after):
            if time > now:
                break
            found, steps = time, steps + 1
            if steps == _MOST_STEPS:
                # long missed: of a time that comes so often the newest lies within the last days
                return self.newest(max(time, now - timedelta(days=2)), now) or time
        return found

    def next(self, now: datetime) -> datetime | None:
        """The first time that is still to come, in UTC; None if none ever does."""
        return next(self._times(now), None)

    def _times(self, after: datetime) -> Iterator[datetime]:
        """The times behind a moment, in UTC and in their order: where clocks are put back cron has some again."""
        known = after
        for found in CronSim(self.cron, after.astimezone(self.zone)):
            time = found.astimezone(UTC)
            if time > known:
                known = time
                yield time
