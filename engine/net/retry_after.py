"""How long a server asks to wait before it is asked again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# a server that asks for more asks for ever
LONGEST = 10_000_000.0


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or until a date; None if it does not, or says nothing."""
    try:
        if headers.get("retry-after-ms"):
            told = float(headers["retry-after-ms"]) / 1000
        elif (text := (headers.get("retry-after") or "").strip()).replace(".", "", 1).isdigit():
            told = float(text)
        elif text:
            told = (parsedate_to_datetime(text) - (now or datetime.now(UTC))).total_seconds()
        else:
            return None
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(told, 0.0), LONGEST) if math.isfinite(told) else None
