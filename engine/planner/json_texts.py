"""The texts of an answer of a model's server: those of a stream that stand in one place belong together."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


class Slot:
    """A text within JSON that can be replaced where it stands."""

    def __init__(self, owner: Any, key: Any) -> None:
        self._owner = owner
        self._key = key

    @property
    def text(self) -> str:
        """What stands there now."""
        return str(self._owner[self._key])

    @text.setter
    def text(self, text: str) -> None:
        self._owner[self._key] = text


# by where they stand, whatever piece they come in
Slots = dict[tuple[str, ...], list[Slot]]


def data_of(body: str) -> list[tuple[str, Any]]:
    """The lines of an event stream, or a whole body, each with the JSON that it holds; None if it holds none."""
    lines = body.split("\n") if any(line.startswith("data:") for line in body.split("\n")) else [body]
    return [(line, _decoded(line.removeprefix("data:"))) for line in lines]


def slots_of(values: Iterable[Any]) -> Slots:
    """The texts of some JSON values."""
    found: Slots = {}
    for value in values:
        _gather(value, (), found)
    return found


def _decoded(text: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _gather(value: Any, place: tuple[str, ...], found: Slots) -> None:
    if isinstance(value, dict):
        own = (*place, str(value["index"])) if "index" in value else place
        items: list[tuple[Any, Any, tuple[str, ...]]] = [(key, item, (*own, str(key))) for key, item in value.items()]
    else:
        items = [(number, item, place) for number, item in enumerate(value)] if isinstance(value, list) else []
    for key, item, where in items:
        if isinstance(item, str):
            found.setdefault(where, []).append(Slot(value, key))
        else:
            _gather(item, where, found)
