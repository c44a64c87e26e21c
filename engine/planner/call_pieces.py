"""Calls put together, whatever servers do with indexes, ids, names and arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.language.value import NotJson, canonical, loads
from engine.planner.answer import Fault, ModelAnswer, RawCall, check_calls
from engine.planner.server_json import text_of_object

# far beyond what a tool may be called
MAX_NAME = 1_000

# an object that says nothing
NOTHING = "{}"

# why a stream is no answer that says the same, or another thing, from its beginning once more
ANEW = "the answer begins anew: nobody knows which of both is meant"

SEVERAL_IDS = "pieces of several ids"

OBJECT = "arguments that are an object"

_SPECIAL = re.compile(r'[\\"{}\[\]]')


@dataclass(slots=True)
class Arguments:
    """The arguments of one call: texts that belong together, or one object; all else breaks them.

    An object without fields may be told before the texts.  `_note` is the repair that an object is.
    """

    _answer: ModelAnswer
    _note: str = ""
    _texts: list[str] = field(default_factory=list)
    _object: str | None = None
    _null: bool = False
    broken: str = ""
    _read: int = 0
    _depth: int = 0
    _begun: bool = False
    _within_text: bool = False
    _escapes: bool = False

    def add(self, piece: Any) -> None:
        """Take in what a server tells as arguments."""
        if piece is None:
            self._null = True
        elif isinstance(piece, str):
            self._texts.append(piece)
            self._answer.size += len(piece)
        else:
            self._whole_object(piece)

    def _whole_object(self, piece: Any) -> None:
        try:
            told = text_of_object(piece)
        except NotJson as error:
            self.broken = self.broken or str(error)
            return
        if self._note:
            self._answer.repair(self._note)
        self._answer.size += len(told)
        if self._object not in (None, NOTHING, told):
            self.broken = self.broken or "they are two objects"
        self._object = told

    @property
    def text(self) -> str:
        """What they are when the answer is over; what breaks them is told by `broken` then."""
        text = "".join(self._texts)
        if self._object is not None and not (text.strip() and self._object == NOTHING):
            if text.strip() and not _says(text, self._object):
                self.broken = self.broken or "they are an object and a text"
            return self._object
        if self._null and not text:
            self.broken = self.broken or "it is null, and no object"
        return text

    @property
    def whole(self) -> bool:
        """Whether an object that has begun is complete; each piece is looked at once, however often it is asked."""
        for piece in self._texts[self._read :]:
            self._follow(piece)
        self._read = len(self._texts)
        return self._object is not None or (self._begun and self._depth <= 0 and not self._within_text)

    def _follow(self, piece: str) -> None:
        escaped = 0 if self._escapes else -1
        for found in _SPECIAL.finditer(piece):
            if found.start() == escaped:
                continue
            if found[0] == "\\":
                escaped = found.end()
            elif found[0] == '"':
                self._within_text = not self._within_text
            elif not self._within_text:
                self._begun = True
                self._depth += 1 if found[0] in "{[" else -1
        self._escapes = escaped == len(piece)


@dataclass(slots=True)
class _Growing:
    index: int | None
    arguments: Arguments
    id: str = ""
    name: str = ""


class Calls:
    """The calls of one streamed answer, in the order in which they appeared."""

    def __init__(self, answer: ModelAnswer) -> None:
        self._answer = answer
        self._calls: list[_Growing] = []

    def add(self, part: Mapping[str, Any]) -> None:
        """Take in a piece: a new call, or more of one that is known; raises Fault.

        A piece belongs to the call of its index that has its id; without an id to the newest of its index, without an
        index to the newest of all.  Another name behind complete arguments begins another call.
        """
        function = part.get("function") or {}
        index, id_, name = _number(part.get("index")), text_of_id(part.get("id"), self._answer), function.get("name")
        name = text_of_name(name if name is not None else "")
        call = self._growing_call(index, id_, name)
        if call is None:
            check_calls(len(self._calls) + 1)
            self._calls.append(call := _Growing(index, Arguments(self._answer, OBJECT)))
        call.id = call.id or id_
        call.name = text_of_name(_together(call.name, name))
        self._answer.size += len(name)
        if "arguments" in function:
            call.arguments.add(function["arguments"])

    def _growing_call(self, index: int | None, id_: str, name: str) -> _Growing | None:
        among = [call for call in self._calls if index is None or call.index == index]
        newest = among[-1] if among else None
        if id_:
            same = next((call for call in among if call.id == id_), None)
            if same is not None or newest is None or newest.id:
                return same
        if newest is None or (name and name != newest.name and newest.arguments.whole):
            return None
        return newest

    def calls(self) -> list[RawCall]:
        """The calls as they are when the answer is over."""
        numbered = [call.index for call in self._calls if call.index is not None]
        made = [raw_call(call.id, call.name, call.arguments) for call in self._calls]
        if len(set(numbered)) < len(numbered):
            self._answer.repair("calls that share an index")
            if SEVERAL_IDS in self._answer.repairs:
                raise ValueError(ANEW)
        check_told_once([(call.index, raw) for call, raw in zip(self._calls, made, strict=True)])
        return made


def check_told_once(calls: Iterable[tuple[Any, RawCall]]) -> None:
    """Raise ValueError where calls of one index, or of one id, are the same: it is one call, and would run twice."""
    known: set[tuple[str, Any, str, str]] = set()
    for index, call in calls:
        said = (call.name, _alike(call.arguments))
        for what, mark in (("index", index), ("id", call.id or None)):
            if mark is not None and (what, mark, *said) in known:
                raise ValueError(f"a call of `{call.name[:100]}` is told twice")
            known.add((what, mark, *said))


def _alike(arguments: str) -> str:
    """Arguments in one form, whatever the order of their fields."""
    try:
        return canonical(loads(arguments))
    except NotJson:
        return arguments


def raw_call(id_: str, name: str, arguments: Arguments) -> RawCall:
    """A call whose arguments are all there."""
    text = arguments.text
    return RawCall(id_, name, text, arguments.broken)


def text_of_id(value: Any, answer: ModelAnswer) -> str:
    """A call's id as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        answer.repair("an id that is a number")
        return str(value)
    return value if isinstance(value, str) else ""


def text_of_name(value: Any) -> str:
    """The name of a tool that is called; raises Fault for what can be none."""
    if not isinstance(value, str):
        raise Fault("broken_arguments", "the name of a tool that is called is no text")
    if len(value) > MAX_NAME:
        raise Fault("broken_arguments", f"a tool is called by a name of more than {MAX_NAME} characters")
    return value


def _says(text: str, told: str) -> bool:
    try:
        return canonical(loads(text)) == told
    except NotJson:
        return False


def _together(so_far: str, piece: str) -> str:
    """A name in pieces, or told anew in each of them."""
    if piece.startswith(so_far):
        return piece
    return so_far if piece == so_far or not piece else so_far + piece


def _number(index: Any) -> int | None:
    if isinstance(index, str) and index.isdigit():
        return int(index[:9])
    return index if isinstance(index, int) and not isinstance(index, bool) else None
