"""Since when past sessions are looked at."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.language.value import duration


def moment_of(text: str, now: datetime) -> datetime:
    """The moment that a span such as `7d`, counted back from now, or a day such as `2026-01-31` names.

    Raises ValueError.

    >>> moment_of("7d", datetime(2026, 1, 31, tzinfo=UTC)).isoformat()
    '2026-01-24T00:00:00+00:00'
    """
    try:
        span = duration(text)
        if span is not None:
            return now - span
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found
    except (ValueError, OverflowError):
        raise ValueError(f"{text} is no span such as 7d and no day such as 2026-01-31") from None
