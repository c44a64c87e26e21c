"""Handles in recorded answers: each session has its own for the same value, and a recording has those of its session.

What stood in a recorded question at a place stands in the new one at the same place; the answer is told with the new
ones.  All handles have one length, so that an answer that comes in pieces keeps its pieces.

Where an answer repeated a value itself, the recording says of which handle the value stood there, and whoever plays it
puts that of their session there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from engine.planner.json_texts import data_of, slots_of
from engine.session.handles import Handles
from engine.session.sensitivity import HANDLE

_HANDLE = re.compile(HANDLE)
_VALUE = re.compile(rf"\[value of ({HANDLE})\]")


def value_of(handle: str) -> str:
    """What a recording has in the place of a value that an answer repeated."""
    return f"[value of {handle}]"


def with_values(decision: Any, handles: Handles) -> Any:
    """A decision that was played with the values of a session where the recorded one had its own."""
    if isinstance(decision, str):
        return _VALUE.sub(lambda found: handles.text_of(found[1]) or found[0], decision)
    if isinstance(decision, dict):
        return {with_values(key, handles): with_values(item, handles) for key, item in decision.items()}
    return [with_values(item, handles) for item in decision] if isinstance(decision, list) else decision


def numbered(asked: str) -> str:
    """A question with numbers for its handles, as one of another session has them."""
    for number, handle in enumerate(dict.fromkeys(_HANDLE.findall(asked))):
        asked = asked.replace(handle, f"handle {number}")
    return asked


def in_place_of(recorded: str, asked: str) -> dict[str, str]:
    """The handles of a question by those of the recorded one that says the same."""
    return dict(zip(dict.fromkeys(_HANDLE.findall(recorded)), dict.fromkeys(_HANDLE.findall(asked)), strict=False))


def with_own_handles(body: str, handles: Mapping[str, str]) -> str:
    """A recorded answer with other handles in the place of its own, also where they come in pieces."""
    if not handles:
        return body
    return rewritten(body, lambda said: _HANDLE.sub(lambda found: handles.get(found[0], found[0]), said))


def rewritten(body: str, change: Callable[[str], str]) -> str:
    """An answer with each of its texts changed, also where it comes in pieces: they stay as long as they were."""
    lines = data_of(body)
    for pieces in slots_of(value for _, value in lines).values():
        whole = "".join(slot.text for slot in pieces)
        new, at = change(whole), 0
        for slot in pieces if new != whole else ():
            # the last one takes what is left
            end = at + len(slot.text) if slot is not pieces[-1] else len(new)
            slot.text, at = new[at:end], end
    return "\n".join(line if value is None else _line(line, value) for line, value in lines)


def _line(line: str, value: Any) -> str:
    told = json.dumps(value, ensure_ascii=False)
    return f"data: {told}" if line.startswith("data:") else told
