"""Handles in recorded answers: each session has its own for the same value, and a recording has those of its session.

What stood in a recorded question at a place stands in the new one at the same place; the answer is told with the new
ones.  All handles have one length, so that an answer that comes in pieces keeps its pieces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from engine.planner.json_texts import data_of, slots_of
from engine.session.handles import HANDLE

_HANDLE = re.compile(HANDLE)


def numbered(asked: str) -> str:
    """A question with numbers for its handles, as one of another session has them."""
    for number, handle in enumerate(dict.fromkeys(_HANDLE.findall(asked))):
        asked = asked.replace(handle, f"handle {number}")
    return asked


def in_place_of(recorded: str, asked: str) -> dict[str, str]:
    """The handles of a question by those of the recorded one that says the same."""
    return dict(zip(dict.fromkeys(_HANDLE.findall(recorded)), dict.fromkeys(_HANDLE.findall(asked)), strict=False))


def told(body: str, handles: Mapping[str, str]) -> str:
    """A recorded answer with other handles in the place of its own, also where they come in pieces."""
    if not handles:
        return body
    lines = data_of(body)
    for pieces in slots_of(value for _, value in lines).values():
        whole = "".join(slot.text for slot in pieces)
        new = _HANDLE.sub(lambda found: handles.get(found[0], found[0]), whole)
        at = 0
        for slot in pieces if new != whole else ():
            slot.text, at = new[at : at + len(slot.text)], at + len(slot.text)
    return "\n".join(line if value is None else _line(line, value) for line, value in lines)


def _line(line: str, value: Any) -> str:
    told = json.dumps(value, ensure_ascii=False)
    return f"data: {told}" if line.startswith("data:") else told
