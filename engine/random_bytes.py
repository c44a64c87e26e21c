"""Random bytes of the operating system, asked for many at a time: a system call for a few costs more than their use.

What was handed out is never handed out again: not to another thread, and not to a process that was forked.
"""

from __future__ import annotations

import os
import threading

_AT_ONCE = 4096


class _Supply:
    """What was read and not handed out yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = b""
        self._used = 0

    def take(self, count: int) -> bytes:
        """So many bytes, which nobody else gets."""
        with self._lock:
            if len(self._left) - self._used < count:
                self._left, self._used = os.urandom(max(_AT_ONCE, count)), 0
            self._used += count
            return self._left[self._used - count : self._used]


_supply = _Supply()


def _begin_anew() -> None:
    global _supply
    _supply = _Supply()


os.register_at_fork(after_in_child=_begin_anew)


def random_hex(count: int) -> str:
    """So many bytes in hexadecimal, twice as many characters."""
    return _supply.take(count).hex()
