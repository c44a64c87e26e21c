"""Collections of a state that share with the state before what they have in common.

A session of a thousand steps must not cost more for its next step than one of ten: taking one more in is
as cheap as it was at the beginning, and what an older state holds is not changed by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Generic, TypeVar

T = TypeVar("T")
V = TypeVar("V")


def copy_with(value: T, **changes: Any) -> T:
    """A copy of a frozen dataclass without slots, with some fields changed; several times cheaper than `replace`."""
    made = object.__new__(type(value))
    fields = made.__dict__
    fields.update(value.__dict__)
    assert changes.keys() <= fields.keys(), f"no such field: {changes.keys() - fields.keys()}"
    fields.update(changes)
    return made


class AppendOnlyList(Generic[V]):
    """A list that only grows; the newest version grows in place, and an older one sees just its own part."""

    __slots__ = ("_items", "_size")

    def __init__(self, items: Iterable[V] = ()) -> None:
        self._items = list(items)
        self._size = len(self._items)

    def with_item(self, item: V) -> AppendOnlyList[V]:
        """The list with one more item."""
        items = self._items
        if len(items) != self._size:
            items = items[: self._size]
        items.append(item)
        made: AppendOnlyList[V] = AppendOnlyList.__new__(AppendOnlyList)
        made._items, made._size = items, self._size + 1
        return made

    def all(self) -> list[V]:
        """All items, oldest first, in a list of the caller's own."""
        return self._items[: self._size]

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[V]:
        return islice(iter(self._items), self._size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AppendOnlyList) and self.all() == other.all()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Log({self.all()!r})"


class SettlingMap(Mapping[str, V]):
    """A map, in order of entry, of a few things that still change, `open`, and many that never will again."""

    __slots__ = ("_past", "_size", "open")

    def __init__(self, entries: Mapping[str, V] | None = None) -> None:
        self._past: dict[str, tuple[int, V]] = {}
        self._size = 0
        self.open: Mapping[str, V] = dict(entries or {})

    def with_item(self, key: str, value: V) -> SettlingMap[V]:
        """The map with an entry put in, or changed where it stands."""
        if key not in self.open and key in self._past and self._past[key][0] < self._size:
            # hardly ever: what never was to change again does
            past = dict(islice(self._past.items(), self._size))
            past[key] = (past[key][0], value)
            return self._map_of(past, self._size, self.open)
        return self._map_of(self._past, self._size, {**self.open, key: value})

    def settled(self, keys: Iterable[str]) -> SettlingMap[V]:
        """The map with some of the open entries among those that never change again, in their order."""
        past, size = self._past, self._size
        if len(past) != size:
            past = dict(islice(past.items(), size))
        left = dict(self.open)
        for key in keys:
            past[key] = (size, left.pop(key))
            size += 1
        return self._map_of(past, size, left)

    @staticmethod
    def _map_of(past: dict[str, tuple[int, V]], size: int, open_: Mapping[str, V]) -> SettlingMap[V]:
        made: SettlingMap[V] = SettlingMap.__new__(SettlingMap)
        made._past, made._size, made.open = past, size, open_
        return made

    def __getitem__(self, key: str) -> V:
        if key in self.open:
            return self.open[key]
        index, value = self._past[key]
        # a newer version has settled it: here it is not there yet
        if index >= self._size:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        yield from islice(iter(self._past), self._size)
        yield from self.open

    def __len__(self) -> int:
        return self._size + len(self.open)

    def __repr__(self) -> str:
        return f"Kept({dict(self)!r})"
