"""Streamed tool calls put together, whatever servers do with indexes, ids and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.planner.answer import Answer, RawCall
from engine.policy.value import NotJson, canonical, loads


@dataclass(slots=True)
class _Growing:
    index: int | None
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether its arguments are complete."""
        text = "".join(self.arguments)
        try:
            loads(text)
        except NotJson:
            return False
        return bool(text.strip())


class Calls:
    """The calls of one streamed answer, in the order in which they appeared."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._calls: list[_Growing] = []

    def add(self, part: Mapping[str, Any]) -> None:
        """Take in a piece: a new call, or more of one that is known.

        A piece belongs to the call of its index that has its id; without an id to the newest of its index, without an
        index to the newest of all.  Another name behind complete arguments begins another call.
        """
        function = part.get("function") or {}
        index, id_, name = _number(part.get("index")), text_of_id(part.get("id"), self._answer), function.get("name")
        name = name if isinstance(name, str) else ""
        call = self._known(index, id_, name)
        if call is None:
            self._calls.append(call := _Growing(index))
        call.id = call.id or id_
        call.name = _together(call.name, name)
        arguments = text_of_arguments(function.get("arguments"), self._answer)
        call.arguments.append(arguments)
        self._answer.size += len(name) + len(arguments)

    def _known(self, index: int | None, id_: str, name: str) -> _Growing | None:
        among = [call for call in self._calls if index is None or call.index == index]
        newest = among[-1] if among else None
        if id_:
            same = next((call for call in among if call.id == id_), None)
            if same is not None or newest is None or newest.id:
                return same
        if newest is None or (name and name != newest.name and newest.whole):
            return None
        return newest

    def made(self) -> list[RawCall]:
        """The calls as they are when the answer is over."""
        numbered = [call.index for call in self._calls if call.index is not None]
        if len(set(numbered)) < len(numbered):
            self._answer.repair("calls that share an index")
        return [RawCall(call.id, call.name, "".join(call.arguments)) for call in self._calls]


def text_of_id(value: Any, answer: Answer) -> str:
    """A call's id as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        answer.repair("an id that is a number")
        return str(value)
    return value if isinstance(value, str) else ""


def text_of_arguments(value: Any, answer: Answer) -> str:
    """A call's arguments as text: some servers send the object itself; raises NotJson for what is no JSON."""
    if isinstance(value, Mapping):
        answer.repair("arguments that are an object")
        return canonical(value)
    return value if isinstance(value, str) else ""


def _together(so_far: str, piece: str) -> str:
    """A name in pieces, or told anew in each of them."""
    if piece.startswith(so_far):
        return piece
    return so_far if piece == so_far or not piece else so_far + piece


def _number(index: Any) -> int | None:
    if isinstance(index, str) and index.isdigit():
        return int(index[:9])
    return index if isinstance(index, int) and not isinstance(index, bool) else None
