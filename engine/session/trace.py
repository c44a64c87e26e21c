"""A session's log as people and programs read it: flat entries, and one line for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.diagnostic.visible import line as visible
from engine.language.value import canonical, timestamp
from engine.session.sealed_tokens import shown
from engine.session.state.event import Event, EventKind
from engine.session.state.events.table import EVENTS

Entry = dict[str, Any]

# what a session draws and names things by is told to nobody
_UNTOLD = frozenset({"handle_key"})


def entry(event: Event) -> Entry:
    """One event, flat: step and kind, the payload's fields, and the rest of the envelope."""
    return {
        "step": event.step,
        "kind": event.kind.value,
        **{name: value for name, value in shown(event.payload).items() if name not in _UNTOLD},
        "seq": event.seq,
        "at": timestamp(event.at),
        "session_id": event.session_id,
    }


def entries(events: Iterable[Event]) -> list[Entry]:
    """A log as flat entries, a step's results in the decision's order; `seq` tells the real one."""
    found = [entry(event) for event in events]
    # of what was erased nobody knows which call it was about
    order = {e.get("call_id"): n for n, e in enumerate(e for e in found if e["kind"] == EventKind.CALL_PROPOSED)}
    slots: list[int] = []
    for index, e in enumerate([*found, {"kind": EventKind.STATE_TRANSITION, "step": -1}]):
        if slots and (e["kind"] == EventKind.STATE_TRANSITION or e["step"] != found[slots[0]]["step"]):
            ordered = sorted((found[slot] for slot in slots), key=lambda r: (order.get(r.get("call_id"), -1), r["seq"]))
            for slot, result in zip(slots, ordered, strict=True):
                found[slot] = result
            slots = []
        if e["kind"] == EventKind.TOOL_RESULT:
            slots.append(index)
    return found


def headline(entry: Entry) -> str:
    """What an entry says, in one line for people."""
    try:
        text = EVENTS[EventKind(entry["kind"])].line(entry)
    except (LookupError, TypeError, ValueError, AttributeError):
        # an event that was erased, or that says something else than its kind does
        text = f"({entry['kind']} without what it should say) {canonical(entry)}"
    # a user's text must not steer the reader's terminal
    return visible(text)
