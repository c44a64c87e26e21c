"""How long something took, or is left, as people say it."""

from __future__ import annotations

from datetime import timedelta


def span_told(span: timedelta) -> str:
    """A span in its two largest units, of a short one the seconds.

    >>> [span_told(timedelta(seconds=one)) for one in (40, 3720, 200000, -1)]
    ['40 s', '1 h 2 min', '2 d 7 h', 'over']
    """
    seconds = int(span.total_seconds())
    if seconds < 0:
        return "over"
    if seconds < 60:
        return f"{seconds} s"
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{rest // 60} min" if not days else ""]
    return " ".join([part for part in parts if part][:2])
