"""Did-you-mean: the defined name that a misspelt one is nearest to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice

# of long lists only so many are compared with what was written, and of long words so many characters
MOST_TRIED = 500
LONGEST = 60
# so many are told that share a word with it, and of a list so many names
MOST_ALIKE = 3
MOST_SHOWN = 12


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name within a third of its length in edits, or None; ties go to the alphabet."""
    return _nearest(name, tuple(islice(known, MOST_TRIED)))


# what is tried out before it is offered is asked for again
@lru_cache(maxsize=512)
def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    best: tuple[int, str] | None = None
    same = [candidate for candidate in known if _letters(candidate) == _letters(name)]
    if same and name not in same:
        return min(same)
    for candidate in known:
        limit = max(1, max(len(name), len(candidate)) // 3)
        distance = _distance(name.lower(), candidate.lower(), limit)
        if distance <= limit and (best is None or (distance, candidate) < best):
            best = (distance, candidate)
    return best[1] if best else _by_words(name, known)


def _letters(name: str) -> str:
    """A name however its words are joined, and whatever its case."""
    return re.sub(r"[\s_.-]+", "", name[:LONGEST]).lower() or name


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The help line for a misspelt name: the nearest one, those that share a word with it, or all that exist."""
    names = sorted(set(known))
    near = nearest(name, names)
    if near is not None:
        return f"did you mean `{near}`?"
    if not names:
        return ""
    alike = _sharing(name, names)
    if 0 < len(alike) <= MOST_ALIKE:
        return f"did you mean {' or '.join(f'`{n}`' for n in alike)}?"
    first = alike[:MOST_SHOWN]
    shown = [*first, *(n for n in names if n not in first)][:MOST_SHOWN]
    return f"defined here: {', '.join(f'`{n}`' for n in shown)}" + (", ..." if len(names) > len(shown) else "")


def _by_words(name: str, known: Iterable[str]) -> str | None:
    """The only known name that holds `name`, or one of its longer parts nearly, as one of its parts."""
    parts = [part for part in name.replace("-", "_").split("_") if len(part) >= 3]
    hits = [
        candidate
        for candidate in islice(known, MOST_TRIED)
        for own in [candidate.replace("-", "_").split("_")]
        if parts and all(any(_distance(p, o, 1) <= 1 for o in own) for p in parts)
    ]
    return hits[0] if len(hits) == 1 else None


def _sharing(name: str, known: Iterable[str]) -> list[str]:
    """The known names that have a word of `name`."""
    parts = _parts(name)
    return [one for one in islice(known, MOST_TRIED) if parts & _parts(one)]


def _parts(name: str) -> set[str]:
    """The words of a name, however they are joined; short ones tell little."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:LONGEST]).lower().replace("-", "_").split("_")
    return {word for word in words if len(word) >= 3}


def _distance(a: str, b: str, limit: int) -> int:
    """Edits (with swaps of neighbours) between two words, or more than `limit` once that is certain."""
    if len(a) > LONGEST or len(b) > LONGEST:
        return limit + 1
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row = row, [i]
        for j, y in enumerate(b, 1):
            cost = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
        before = previous
    return row[-1]
