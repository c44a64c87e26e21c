"""The time of a run."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; all times are aware and in UTC."""

    def now(self) -> datetime:
        """This moment."""
        ...
