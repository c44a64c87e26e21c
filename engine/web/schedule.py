"""A schedule as an operator has configured it: when which session begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

_MINUTE = timedelta(minutes=1)


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

    def last(self, now: datetime) -> datetime | None:
        """The newest time that has come, in UTC; None if none ever has."""
        minute = now.astimezone(self.zone).replace(second=0, microsecond=0)
        return _first(CronSim(self.cron, minute + _MINUTE, reverse=True))

    def next(self, now: datetime) -> datetime | None:
        """The first time that is still to come, in UTC; None if none ever does."""
        return _first(CronSim(self.cron, now.astimezone(self.zone)))


def _first(times: CronSim) -> datetime | None:
    found: datetime | None = next(times, None)
    return found.astimezone(UTC) if found is not None else None
