"""A session whose person's key was destroyed: nothing of it can be opened or sealed, and all that it can do is end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from engine.runtime.person_keys import KeyDestroyed
from engine.session.sealed_tokens import shown
from engine.session.state.event import Event
from engine.session.state.event import EventKind as K

BY = "engine keys erase"

# what the end of a session writes; none of it is made of anything but what is hidden already
_OF_THE_END = frozenset(
    {
        K.SESSION_CLAIMED,
        K.SESSION_RELEASED,
        K.SESSION_WOKEN,
        K.CANCEL_REQUESTED,
        K.SESSION_ENDING,
        K.CALL_CANCELLED,
        K.LIMIT_CROSSED,
        K.PROBE_READ,
        K.TOOL_RESULT,
        K.REQUEST_OPENED,
        K.REQUEST_CLOSED,
        K.STEP_ENDED,
        K.STATE_TRANSITION,
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
