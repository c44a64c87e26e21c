"""JSON of a model's server: all of it is read, and what could not be a value of ours is marked where it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import trio

from engine.language.value import NotJson, canonical, exact, number
from engine.planner.answer import Fault

# larger ones are read in a thread, which is left alone when the time is over
LARGE = 50_000

# how many entries a list of an answer may have: calls of an event, choices, parts of a text, blocks
MOST_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class Unfit:
    """What stands for a number beyond bounds, for NaN, or for an object that has a key twice."""

    why: str


async def parsed(text: str | bytes) -> Any:
    """What a server says; raises ValueError."""
    if len(text) < LARGE:
        return read(text)
    return await trio.to_thread.run_sync(read, text, abandon_on_cancel=True)


def read(text: str | bytes) -> Any:
    """JSON with exact numbers, and Unfit where a part of it is no value of ours; raises ValueError, RecursionError."""
    plain = text if isinstance(text, str) else utf8(text)
    return json.loads(plain, parse_float=_number, parse_int=_whole, parse_constant=_constant, object_pairs_hook=_object)


def utf8(raw: bytes) -> str:
    """Bytes as a text; raises ValueError: what stood in the place of a broken character could get into a call."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8 (at byte {error.start})") from None


def fields(value: Any, what: str) -> Mapping[str, Any]:
    """An object of an answer, which is called so; raises ValueError for what is none."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, Unfit):
        raise ValueError(f"{what} can't be read: {value.why}")
    raise ValueError(f"{what} is {kind_of(value)}, and no object")


def field_of(value: Any, name: str, what: str) -> Any:
    """What an object of an answer has to have; raises ValueError where it has not."""
    found = fields(value, what)
    if name not in found:
        raise ValueError(f"{what} has no `{name}`")
    return found[name]


def text_of_object(value: Any) -> str:
    """An object of a server's JSON as a text; raises NotJson for what is no object, or not fit to be one of ours."""
    if not isinstance(value, Mapping | Unfit):
        raise NotJson(f"it is {kind_of(value)}, and no object")
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, Unfit):
            raise NotJson(one.why)
        left += one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
    return canonical(exact(value))


def entries(value: Any) -> Sequence[Any]:
    """A list of an answer, which may be left out; raises Fault for one that is too long, ValueError for no list."""
    if not value:
        return ()
    if not isinstance(value, list):
        raise ValueError(f"a list was expected, and here is {kind_of(value)}")
    if len(value) > MOST_ENTRIES:
        raise Fault("too_large", f"the answer has a list of {len(value)} entries, more than {MOST_ENTRIES}")
    return value


def kind_of(value: Any) -> str:
    """What a value of an answer is, in words."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    kinds: dict[type, str] = {str: "a text", list: "a list", dict: "an object", Unfit: "no value"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "a number")


def _number(text: str) -> Any:
    try:
        return number(text)
    except NotJson as error:
        return Unfit(str(error))


def _whole(text: str) -> Any:
    return int(text) if len(text) < _SMALL else _number(text)


_SMALL = 18


def _constant(text: str) -> Unfit:
    return Unfit(f"`{text}` is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Unfit("an object has the same key twice")
