"""Waiting for what other processes do: as long as it takes, within ten minutes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

EVERY = 0.05
PATIENCE = 600.0


def until(happened: Callable[[], bool], what: str = "it") -> None:
    """Wait until something has happened; raises AssertionError where it never does."""
    for _ in range(int(PATIENCE / EVERY)):
        if happened():
            return
        time.sleep(EVERY)
    raise AssertionError(f"{what} never happens")


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for yet does not."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        # without /proc there is no more to know than that it can be sent to
        return not Path("/proc/self/stat").exists()
    return status.rpartition(")")[2].split()[0] != "Z"
