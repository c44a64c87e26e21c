"""Some tests go over much: CI runs their short form, and `make long` (`LONG=1`) the whole."""

from __future__ import annotations

import os

IS_LONG = os.environ.get("LONG", "0") != "0"


def either(long: int, short: int) -> int:
    """How much is gone over: `long` under `LONG=1`, else `short`."""
    return long if IS_LONG else short
