"""Wakes whoever follows a session when something of it happens in this process, and keeps what its model says now."""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import trio

from engine.session.state.event import Event


@dataclass(slots=True, weakref_slot=True)
class PartialText:
    """What a session's model has said so far, the how manieth text that is, and what is set when there is more."""

    number: int = 0
    text: str = ""
    changed: trio.Event = field(default_factory=trio.Event)

    def wake(self) -> None:
        """Let whoever waits look again."""
        self.changed.set()
        self.changed = trio.Event()


class News:
    """What happens to the sessions of this process, by session; kept for as long as somebody wants to know."""

    def __init__(self) -> None:
        self._changed: WeakValueDictionary[str, trio.Event] = WeakValueDictionary()
        self._heard: WeakValueDictionary[str, PartialText] = WeakValueDictionary()

    def tell(self, event: Event) -> None:
        """Something happened to a session."""
        changed = self._changed.pop(event.session_id, None)
        if changed is not None:
            changed.set()
        heard = self._heard.get(event.session_id)
        if heard is not None:
            heard.wake()

    def next(self, session_id: str) -> trio.Event:
        """Set once something more happens to a session."""
        return self._changed.setdefault(session_id, trio.Event())

    def tell_text(self, session_id: str, text: str) -> None:
        """A model has said so much so far."""
        heard = self._heard.get(session_id)
        if heard is not None:
            heard.number += 1
            heard.text = text
            heard.wake()

    def partial_text(self, session_id: str) -> PartialText:
        """What a session's model says from now on; whoever holds it is told."""
        return self._heard.setdefault(session_id, PartialText())
