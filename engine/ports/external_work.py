"""Work that happens outside of Trio's sight: in threads and in other processes.

A virtual clock must not jump while some of it is under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_under_way = 0


@contextmanager
def outside() -> Iterator[None]:
    """Counts the enclosed work as under way."""
    global _under_way
    _under_way += 1
    try:
        yield
    finally:
        _under_way -= 1


def busy() -> bool:
    """Whether any of it is under way."""
    return _under_way > 0
