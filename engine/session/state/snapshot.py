"""A state as text and back: a cache that spares a long session the folding of its whole log.

It is keyed by `VERSION`, which changes with the fields of any part of a state and with their types: a snapshot
of another version is none.

The text is JSON of lists, whose first item says what the others are: `["tuple", 1, 2]`, or `["Result", ...]` with the
values of the fields in their order, those left out at the end that are as by default.  A mapping that stands in a
state more than once is written once, and is one mapping again: else a state that was loaded would take twice the
memory of the one that was saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from engine.language.value import canonical_of_exact, digest, loads_of_small
from engine.session.state.persistent import AppendOnlyList, SettlingMap
from engine.session.state.state import (
    Approval,
    Call,
    FactReading,
    MeterTotals,
    Phase,
    Request,
    Result,
    ResultStatus,
    State,
    Status,
    StepPhase,
    Used,
)
from engine.spec.bundle import ToolEffect
from engine.spec.limits import Extension, Limits
from engine.spec.request_kind import RequestKind

# a fold that means something else by the same fields counts this up, and so does another form of the text
MEANING = 3

_PARTS: tuple[Any, ...] = (State, Call, Result, Approval, FactReading, Request, Used, MeterTotals, Limits, Extension)
_WORDS: tuple[type[StrEnum], ...] = (Status, Phase, StepPhase, ToolEffect, RequestKind, ResultStatus)
_BY_NAME = {part.__name__: part for part in _PARTS}
_MEMBERS = {kind.__name__: {word.value: word for word in kind} for kind in _WORDS}
_FIELDS = {part: [(f.name, f.default) for f in fields(part)] for part in _PARTS}

VERSION = digest([MEANING, *([part.__name__, [[f.name, f.type] for f in fields(part)]] for part in _PARTS)])[:16]

_MICRO = timedelta(microseconds=1)

# numbers that any JSON parser reads as they are
_SMALL = 2**53


def snapshot(state: State) -> str:
    """The text of a state."""
    return canonical_of_exact(_Writer().plain(state))


def restored(text: str) -> State:
    """The state of a text that `snapshot` wrote in this version."""
    state = _Reader().whole(loads_of_small(text))
    assert isinstance(state, State), "a snapshot holds a state"
    return state


class _Writer:
    """Writes one state; knows which mappings it has written already."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def plain(self, value: Any) -> Any:
        """JSON that says of each value that JSON has no form for what it is."""
        if value is None or isinstance(value, bool) or (isinstance(value, str) and not isinstance(value, StrEnum)):
            return value
        if isinstance(value, int | Decimal):
            small = isinstance(value, int) and -_SMALL < value < _SMALL
            return value if small else ["int" if isinstance(value, int) else "number", str(value)]
        if isinstance(value, StrEnum):
            return [type(value).__name__, value.value]
        for kind, of in _TO_PLAIN:
            if isinstance(value, kind):
                return of(self, value)
        return self._part(value)

    def _part(self, value: Any) -> list[Any]:
        name = type(value).__name__
        assert name in _BY_NAME, f"a state holds no {name}"
        told = [(getattr(value, field), default) for field, default in _FIELDS[type(value)]]
        while told and told[-1][1] is not MISSING and _same(*told[-1]):
            told.pop()
        return [name, *(self.plain(item) for item, _ in told)]

    def mapping(self, value: Mapping[str, Any]) -> list[Any]:
        """A mapping of JSON, or the number of the same one that was written before."""
        if id(value) in self._known:
            return ["same", self._known[id(value)]]
        found = ["map", *self.pairs(value)]
        # a mapping counts when it is whole, as whoever reads it counts
        self._known[id(value)] = len(self._known)
        return found

    def pairs(self, value: Mapping[str, Any]) -> list[Any]:
        """Keys and values in turn."""
        return [part for key, item in value.items() for part in (key, self.plain(item))]

    def items(self, value: Any) -> list[Any]:
        """The items of whatever has some."""
        return [self.plain(item) for item in value]


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


_TO_PLAIN: tuple[tuple[type, Callable[[_Writer, Any], Any]], ...] = (
    (datetime, lambda writer, value: ["time", value.isoformat()]),
    (timedelta, lambda writer, value: ["span", value // _MICRO]),
    (SettlingMap, lambda writer, value: ["kept", len(value) - len(value.open), *writer.pairs(value)]),
    (AppendOnlyList, lambda writer, value: ["log", *writer.items(value)]),
    (Mapping, _Writer.mapping),
    (tuple, lambda writer, value: ["tuple", *writer.items(value)]),
    (frozenset, lambda writer, value: ["set", *sorted(writer.items(value))]),
    (list, lambda writer, value: ["list", *writer.items(value)]),
)


class _Reader:
    """Reads one state; equal texts and times are one object, as they mostly were."""

    def __init__(self) -> None:
        self._known: list[Mapping[str, Any]] = []
        self._texts: dict[str, str] = {}
        self._times: dict[str, datetime] = {}

    def whole(self, plain: Any) -> Any:
        """The value that `_Writer.plain` wrote."""
        (value,) = self.items([plain], 0)
        return value

    def items(self, plain: list[Any], start: int = 1) -> list[Any]:
        """The values of a list from a place on: most are texts and numbers, which cost no call each."""
        texts = self._texts
        return [
            texts.setdefault(item, item) if type(item) is str else item if type(item) is not list else self._item(item)
            for item in plain[start:]
        ]

    def _item(self, plain: list[Any]) -> Any:
        kind = plain[0]
        make = _FROM_PLAIN.get(kind)
        if make is not None:
            return make(self, plain)
        return _MEMBERS[kind][plain[1]] if kind in _MEMBERS else _BY_NAME[kind](*self.items(plain))

    def time(self, plain: list[Any]) -> datetime:
        """A moment."""
        found = self._times.get(plain[1])
        if found is None:
            found = self._times[plain[1]] = datetime.fromisoformat(plain[1])
        return found

    def mapping(self, plain: list[Any]) -> dict[str, Any]:
        """A mapping, which a later one may be the same as."""
        made = self.pairs(plain, 1)
        self._known.append(made)
        return made

    def same(self, plain: list[Any]) -> Mapping[str, Any]:
        """A mapping that was read before."""
        place: int = plain[1]
        return self._known[place]

    def pairs(self, plain: list[Any], start: int) -> dict[str, Any]:
        """Keys and values in turn."""
        told = self.items(plain, start)
        return dict(zip(told[::2], told[1::2], strict=True))

    def settling_map(self, plain: list[Any]) -> SettlingMap[Any]:
        """A map of which so many entries have settled."""
        made: SettlingMap[Any] = SettlingMap(self.pairs(plain, 2))
        return made.settled(plain[2 : 2 + 2 * plain[1] : 2])


_FROM_PLAIN: Mapping[str, Callable[[_Reader, list[Any]], Any]] = {
    "int": lambda reader, plain: int(plain[1]),
    "number": lambda reader, plain: Decimal(plain[1]),
    "time": _Reader.time,
    "span": lambda reader, plain: plain[1] * _MICRO,
    "kept": _Reader.settling_map,
    "log": lambda reader, plain: AppendOnlyList(reader.items(plain)),
    "map": _Reader.mapping,
    "same": _Reader.same,
    "tuple": lambda reader, plain: tuple(reader.items(plain)),
    "set": lambda reader, plain: frozenset(reader.items(plain)),
    "list": _Reader.items,
}
