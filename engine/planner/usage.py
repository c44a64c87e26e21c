"""What a server tells of the tokens that a request took: counted in full, whatever it is called and whenever it comes.

Counts are cumulative, and a server may tell them in halves, twice, or beside a total: of each the largest counts.
What is not told counts as it was reserved, so that no budget stays open because a server is silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

# far beyond what any model reads: a larger number is nobody's count
MOST = 10**12

_INPUT = ("prompt_tokens", "input_tokens")
_OUTPUT = ("completion_tokens", "output_tokens")
_CACHED = ("cache_read_input_tokens",)
_WRITTEN = ("cache_creation_input_tokens",)
_DETAILS = ("prompt_tokens_details", "input_tokens_details")


@dataclass(frozen=True, slots=True)
class Taken:
    """The tokens of one request: read anew, read from a cache, read and put into it, and written."""

    fresh: int = 0
    cached: int = 0
    cache_write: int = 0
    out: int = 0

    @property
    def read(self) -> int:
        """All that was read."""
        return self.fresh + self.cached + self.cache_write


@dataclass(slots=True)
class Counts:
    """What a server has told so far; None where it has told nothing."""

    read: int | None = None
    cached: int = 0
    written: int = 0
    out: int | None = None
    total: int | None = None

    def take(self, usage: Any, *, last: bool = True) -> None:
        """Take in what an event tells; one that is not the `last` word does not say how much was written."""
        if not isinstance(usage, Mapping):
            return
        self.read = _more(self.read, _first(usage, _INPUT))
        self.out = _more(self.out, _first(usage, _OUTPUT) if last else None)
        self.total = _more(self.total, _count(usage.get("total_tokens")))
        self.cached = _more(self.cached, _first(usage, _CACHED)) or 0
        self.written = _more(self.written, _written(usage)) or 0
        for name in _DETAILS:
            details = usage.get(name)
            if isinstance(details, Mapping):
                self.cached = _more(self.cached, _count(details.get("cached_tokens"))) or 0
                self.written = _more(self.written, _count(details.get("cache_write_tokens"))) or 0

    def taken(self, reserved: Taken, *, beside: bool, answered: bool) -> Taken:
        """What the request counts as: `beside` says that cached tokens are told beside the input, not within it.

        A prompt of no tokens, and an answer of none where something was `answered`, is told by nobody.
        """
        parts = self.cached + self.written
        beside = beside or parts > (self.read or 0)
        read = None if self.read is None and not parts else (self.read or 0) + (parts if beside else 0)
        read, out = read or None, self.out or (None if answered else self.out)
        if self.total:
            if read is None and out is None:
                # a total alone tells neither of its parts
                read = max(self.total - reserved.out, reserved.fresh)
            elif read is None:
                read = max(self.total - (out or 0), 0) or None
            elif out is None or self.total > read + out:
                out = max(self.total - read, 0) or (None if answered else 0)
        out = reserved.out if out is None else out
        if read is None:
            return Taken(reserved.fresh, out=out)
        return Taken(max(read - parts, 0), self.cached, self.written, out)


def _more(before: int | None, told: int | None) -> int | None:
    return told if before is None else before if told is None else max(before, told)


def _first(usage: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((count for name in names if (count := _count(usage.get(name))) is not None), None)


def _written(usage: Mapping[str, Any]) -> int | None:
    """What was put into a cache: as a sum, or by how long it lives there."""
    whole, by_life = _first(usage, _WRITTEN), usage.get("cache_creation")
    if isinstance(by_life, Mapping):
        parts = [count for count in map(_count, by_life.values()) if count is not None]
        return _more(whole, sum(parts)) if parts else whole
    return whole


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return int(value) if 0 <= value <= MOST and value == int(value) else None
