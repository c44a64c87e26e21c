"""Values in statements: the store's `?` and `?1` as PostgreSQL's `$1`."""

from __future__ import annotations

import re
from functools import lru_cache

# texts in quotes hold no values
_PLACE = re.compile(r"'[^']*'|\?(\d*)")


@lru_cache(maxsize=1000)
def numbered(sql: str) -> tuple[str, tuple[int, ...]]:
    """A statement with its values numbered without a gap, and which of the given values each of them is, from 0.

    A plain `?` is the one behind the highest so far, as in SQLite.

        >>> numbered("SELECT ?2, ?")
        ('SELECT $1, $2', (1, 2))
    """
    highest = 0
    order: list[int] = []

    def place(match: re.Match[str]) -> str:
        nonlocal highest
        if match[1] is None:
            return match[0]
        number = int(match[1] or highest + 1)
        highest = max(highest, number)
        if number - 1 not in order:
            order.append(number - 1)
        return f"${order.index(number - 1) + 1}"

    return _PLACE.sub(place, sql), tuple(order)
