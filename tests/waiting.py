"""Waiting for what other processes do: as long as it takes, within a minute."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY = 0.05
PATIENCE = 60.0


def until(happened: Callable[[], bool], what: str = "it") -> None:
    """Wait until something has happened; raises AssertionError where it never does."""
    for _ in range(int(PATIENCE / EVERY)):
        if happened():
            return
        time.sleep(EVERY)
    raise AssertionError(f"{what} never happens")
