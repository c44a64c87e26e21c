"""A state as text and back: a cache that spares a long session the folding of its whole log.

It is keyed by `VERSION`, which changes with the shape of any part of a state: a snapshot of another version is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from engine.language.value import canonical_of_exact, digest, loads_own
from engine.session.state.persistent import AppendOnlyList, SettlingMap
from engine.session.state.state import (
    Approval,
    Call,
    FactReading,
    Metered,
    Phase,
    Request,
    Result,
    State,
    Status,
    StepPhase,
    Used,
)
from engine.spec.limits import Extension, Limits

# a fold that means something else by the same fields counts this up
MEANING = 1

_PARTS: tuple[Any, ...] = (State, Call, Result, Approval, FactReading, Request, Used, Metered, Limits, Extension)
_WORDS: tuple[type[StrEnum], ...] = (Status, Phase, StepPhase)
_BY_NAME = {part.__name__: part for part in (*_PARTS, *_WORDS)}

VERSION = digest([MEANING, *([part.__name__, [f.name for f in fields(part)]] for part in _PARTS)])[:16]

_MICRO = timedelta(microseconds=1)


def snapshot(state: State) -> str:
    """The text of a state."""
    return canonical_of_exact(_plain(state))


def restored(text: str) -> State:
    """The state of a text that `snapshot` wrote in this version."""
    state = _whole(loads_own(text))
    assert isinstance(state, State), "a snapshot holds a state"
    return state


def _plain(value: Any) -> Any:
    """JSON that says of each value that JSON has no form for what it is."""
    if value is None or isinstance(value, bool | int | Decimal):
        return value
    if isinstance(value, StrEnum):
        return {"is": type(value).__name__, "value": value.value}
    if isinstance(value, str):
        return value
    for kind, of in _TO_PLAIN:
        if isinstance(value, kind):
            return of(value)
    name = type(value).__name__
    assert name in _BY_NAME, f"a state holds no {name}"
    return {"is": name, "value": {f.name: _plain(getattr(value, f.name)) for f in fields(value)}}


def _tagged(name: str, of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: {"is": name, "value": of(value)}


def _pairs(mapping: Mapping[str, Any]) -> list[Any]:
    return [[key, _plain(item)] for key, item in mapping.items()]


def _items(items: Any) -> list[Any]:
    return [_plain(item) for item in items]


_TO_PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (datetime, _tagged("time", lambda value: value.isoformat())),
    (timedelta, _tagged("span", lambda value: value // _MICRO)),
    (SettlingMap, _tagged("kept", lambda value: [len(value) - len(value.open), _pairs(value)])),
    (AppendOnlyList, _tagged("log", _items)),
    (Mapping, _tagged("map", _pairs)),
    (tuple, _tagged("tuple", _items)),
    (frozenset, _tagged("set", lambda value: sorted(_items(value)))),
    (list, _items),
)


def _whole(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_whole(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    name, value = plain["is"], plain["value"]
    if name in _FROM_PLAIN:
        return _FROM_PLAIN[name](value)
    part = _BY_NAME[name]
    return part(**{key: _whole(item) for key, item in value.items()}) if isinstance(value, dict) else part(value)


def _kept(value: Any) -> SettlingMap[Any]:
    settled, pairs = value
    kept: SettlingMap[Any] = SettlingMap({key: _whole(item) for key, item in pairs})
    return kept.settled([key for key, _ in pairs[:settled]])


_FROM_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "time": datetime.fromisoformat,
    "span": lambda value: value * _MICRO,
    "kept": _kept,
    "log": lambda value: AppendOnlyList(_whole(item) for item in value),
    "map": lambda value: {key: _whole(item) for key, item in value},
    "tuple": lambda value: tuple(_whole(item) for item in value),
    "set": lambda value: frozenset(_whole(item) for item in value),
}
