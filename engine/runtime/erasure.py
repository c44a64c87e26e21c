"""A session whose person's key was destroyed: nothing of it can be opened or sealed, and all that it can do is end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from engine.runtime.person_keys import KeyDestroyed
from engine.session.sealed_tokens import shown
from engine.session.state.event import Event, EventKind

BY = "engine keys erase"

# what the end of a session writes; none of it is made of anything but what is hidden already
_OF_THE_END = frozenset(
    {
        EventKind.SESSION_CLAIMED,
        EventKind.SESSION_RELEASED,
        EventKind.SESSION_WOKEN,
        EventKind.CANCEL_REQUESTED,
        EventKind.SESSION_ENDING,
        EventKind.CALL_CANCELLED,
        EventKind.LIMIT_CROSSED,
        EventKind.PROBE_READ,
        EventKind.TOOL_RESULT,
        EventKind.REQUEST_OPENED,
        EventKind.REQUEST_CLOSED,
        EventKind.STEP_ENDED,
        EventKind.STATE_TRANSITION,
    }
)


class ErasedSeals:
    """Does for an erased session what `Seals` does for others: everything stands as `[sensitive]`."""

    def learn(self, events: Iterable[Event]) -> None:
        """Nothing is known."""

    def opened(self, event: Event) -> Event:
        """The event as people may see it."""
        return replace(event, payload=shown(event.payload))

    def open_value(self, value: Any) -> Any:
        """The same of a value."""
        return shown(value)

    def sealed(self, event: Event) -> Event:
        """The event as it is, if it is of the end; raises KeyDestroyed for what would go on."""
        if event.kind not in _OF_THE_END:
            raise KeyDestroyed
        return event

    def meter_key(self, meter: str, tool: str, key: str) -> str:
        """Nothing is added to a meter any more; raises KeyDestroyed."""
        raise KeyDestroyed
