"""What a server tells of the tokens that a request took: counted in full, whatever it is called and whenever it comes.

Counts are cumulative, and a server may tell them in halves, twice, by two names, or beside a total: of each the largest
counts.  Parts are within the whole that they are told with, unless they are larger: then they stand beside it.
What is not told counts as it was reserved, so that no budget stays open because a server is silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import ceil
from typing import Any

# far beyond what any model reads: a larger number counts as that
MOST = 10**12

READ, OUT, TOTAL, CACHED, WRITTEN, THOUGHT = "read", "out", "total", "cached", "written", "thought"

# what servers call them; names in capitals within words are told as these (`inputTokenCount`)
_MEANS: Mapping[str, str] = {
    "prompt_tokens": READ,
    "input_tokens": READ,
    "completion_tokens": OUT,
    "output_tokens": OUT,
    "total_tokens": TOTAL,
    "cached_tokens": CACHED,
    "cached_input_tokens": CACHED,
    "cache_read_tokens": CACHED,
    "cache_read_input_tokens": CACHED,
    "prompt_cache_hit_tokens": CACHED,
    "cache_write_tokens": WRITTEN,
    "cache_write_input_tokens": WRITTEN,
    "cache_creation_tokens": WRITTEN,
    "cache_creation_input_tokens": WRITTEN,
    "reasoning_tokens": THOUGHT,
    "thinking_tokens": THOUGHT,
    "thoughts_tokens": THOUGHT,
}
_BY_LIFE = "cache_creation"
_STEPS = "iterations"

# where in an event usage may stand, and what it is called; never within what the model itself says
_USAGE = ("usage", "amazon-bedrock-invocationMetrics")
_WITHIN = ("message", "delta", "choices", "x_groq", "response", "content_block", "error")

_NO_COUNT = re.compile("per_|max_|limit|remaining|budget")
_DIGITS = re.compile(r"\s*(?=[0-9])0*+([0-9]*+)(?:\.0*+)?\s*")
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class RequestTokens:
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
    """What a server has told so far, the largest of each; what it has not told is not in here.

    `kinds` are how much of a half was of which kind (text, sound, ...); `least` is the largest count whose meaning
    nobody knows, `so_far` of what was written before the last word on it.
    """

    counts: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    least: int = 0
    so_far: int = 0

    def hear(self, event: Any, *, last: bool = True) -> None:
        """Take in all usage that an event tells, wherever it stands in it."""
        for usage in _usages(event):
            self.take(usage, last=last)

    def take(self, usage: Any, *, last: bool = True) -> None:
        """Take in what is told; one that is not the `last` word does not say how much was written in all."""
        if not isinstance(usage, Mapping):
            return
        for name, value in usage.items():
            plain = _plain(name)
            if plain == _STEPS and isinstance(value, list):
                self._add_up(value)
            elif isinstance(value, Mapping):
                self._details(plain, value)
            elif plain in _MEANS and (last or _MEANS[plain] != OUT):
                self._more(_MEANS[plain], _count(value))
            elif plain in _MEANS:
                self.so_far = max(self.so_far, _count(value) or 0)
            elif _is_count(plain):
                self.least = max(self.least, _count(value) or 0)

    def _more(self, what: str, count: int | None) -> None:
        if count is not None:
            self.counts[what] = max(self.counts.get(what, 0), count)

    def _details(self, name: str, details: Mapping[str, Any]) -> None:
        """What is told of a half: what of it was cached, put into a cache or thought, and of which kind the rest is."""
        if name == _BY_LIFE:
            self._more(WRITTEN, sum(_count(part) or 0 for part in details.values()))
            return
        half = READ if name.startswith(("prompt", "input")) else OUT
        kinds = 0
        for inner, value in details.items():
            plain, count = _plain(inner), _count(value)
            if plain == _BY_LIFE and isinstance(value, Mapping):
                self._details(plain, value)
            elif _MEANS.get(plain) in (CACHED, WRITTEN, THOUGHT):
                self._more(_MEANS[plain], count)
            elif _is_count(plain):
                kinds += count or 0
        self.kinds[half] = max(self.kinds.get(half, 0), kinds)

    def _add_up(self, steps: list[Any]) -> None:
        """What each step of an answer took: the whole is no less than all of them."""
        each = [Counts() for _ in steps]
        for one, step in zip(each, steps, strict=True):
            if isinstance(step, Mapping):
                one.take({name: value for name, value in step.items() if name != _STEPS})
        for what in dict.fromkeys(what for one in each for what in one.counts):
            self._more(what, sum(one.counts.get(what, 0) for one in each))

    def request_tokens(self, reserved: RequestTokens, *, cached_apart: bool, answered: bool) -> RequestTokens:
        """What the request counts as: `cached_apart` says that cached tokens are told beside the input, not within it.

        A prompt of no tokens, and an answer of none where something was `answered`, is told by nobody.
        """
        cached, written = self.counts.get(CACHED, 0), self.counts.get(WRITTEN, 0)
        read, out, total = self._read(cached_apart), self._out(answered), self.counts.get(TOTAL, 0)
        if total:
            if read is None and out is None:
                # a total alone tells neither of its parts
                read = max(total - reserved.out, reserved.fresh)
            elif read is None:
                read = max(total - (out or 0), 0) or None
            elif out is None or total > read + out:
                out = max(total - read, 0) or (None if answered else 0)
        # a part is told also where its whole is not
        read = max(reserved.fresh if read is None else read, cached + written, self.kinds.get(READ, 0))
        said = self.counts.get(THOUGHT, 0) + self.kinds.get(OUT, 0)
        out = max(reserved.out if out is None else out, self.so_far, said, self.least - read)
        return RequestTokens(read - cached - written, cached, written, out)

    def _read(self, cached_apart: bool) -> int | None:
        parts, read = self.counts.get(CACHED, 0) + self.counts.get(WRITTEN, 0), self.counts.get(READ)
        if read is None:
            return None
        return read + (parts if cached_apart or parts > read else 0) or None

    def _out(self, answered: bool) -> int | None:
        thought, out = self.counts.get(THOUGHT, 0), self.counts.get(OUT)
        if out is None:
            return None
        return out + (thought if thought > out else 0) or (None if answered else 0)


def _usages(event: Any) -> Iterator[Any]:
    """All usage that stands in an event."""
    left = [event]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, Mapping):
            yield from (one[name] for name in _USAGE if name in one)
            left += [one[name] for name in _WITHIN if name in one]


def _plain(name: str) -> str:
    """A count's name in the usual spelling."""
    return _WORD.sub("_", name).lower().replace("token_count", "tokens")


def _is_count(name: str) -> bool:
    """Whether a name that nobody knows is one of a count of tokens, and of no speed or bound."""
    return "token" in name and _NO_COUNT.search(name) is None


def _count(value: Any) -> int | None:
    if isinstance(value, str) and (digits := _DIGITS.fullmatch(value)) is not None:
        value = int(digits[1][: len(str(MOST))] or "0")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not value >= 0:
        return None
    return MOST if value >= MOST else ceil(value)
