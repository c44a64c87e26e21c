"""Further attempts, of tools and of requests to models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum


class FailureKind(StrEnum):
    """How a tool's run failed.

    RETRYABLE may work when tried again, and LOST may be done though its answer did not come.  What is CANCELLED is not
    tried again.  ERROR is any other failure.
    """

    ERROR = "error"
    RETRYABLE = "retryable"
    TIMEOUT = "timeout"
    LOST = "lost"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Retry:
    """What a tool asks for when a run of it fails; the agent's budget is the ceiling.

    `attempts` are all of them, `on` the kinds of failure, `jitter` the part of each delay that chance may take off.
    """

    attempts: int
    on: frozenset[FailureKind]
    delay: timedelta
    factor: Decimal
    max_delay: timedelta
    jitter: Decimal

    def delay_after(self, attempt: int, dice: Decimal) -> timedelta:
        """How long to wait after an attempt has failed; `dice` is at least 0 and less than 1."""
        longest = self.max_delay // _MICRO
        grown = min(Decimal(self.delay // _MICRO) * self.factor ** (attempt - 1), Decimal(longest))
        return int(grown * (1 - self.jitter * dice)) * _MICRO


_MICRO = timedelta(microseconds=1)
