"""`evolve`: the only way state changes.  What each kind of event does to it stands with its definition (`events`).

State is what its events add up to, and nothing else: the same events give the same state, on any machine and in any
later version.  So a session is stored as its events alone; a snapshot only spares folding them, and what-if, replay
and proofs of what happened fold them as the driver did.

What holds: sequence numbers have no gaps; time never runs backwards; a fold reads the state and its event, writes a
copy, and knows no bundle, no clock and no limit that the log does not hold.  A fold's meaning never changes for
events that are stored: what is to be told otherwise is another kind of event, or a field that was added.

What can go wrong: events that do not follow on each other, or say nothing that can be followed (BrokenHistory: the
log was damaged, or a program is at fault; nothing is guessed).
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import EngineError
from engine.session.state.event import Event, EventKind
from engine.session.state.events.session_events import started
from engine.session.state.events.table import EVENTS
from engine.session.state.persistent import copy_with
from engine.session.state.state import State, Status

# they say nothing about how long the session has been running
_UNTIMED = frozenset(kind for kind, definition in EVENTS.items() if definition.others) | {EventKind.SESSION_CLAIMED}
_FOLDS = {kind: definition.fold for kind, definition in EVENTS.items()}


class BrokenHistory(EngineError):
    """Events that do not follow on each other; the log or our own program is at fault."""


def evolve(state: State | None, event: Event) -> State:
    """The state after one more event; raises BrokenHistory on a gap."""
    if state is None:
        if event.seq != 1 or event.kind is not EventKind.SESSION_STARTED:
            raise BrokenHistory(f"the history of {event.session_id} begins with {event.kind} at {event.seq}")
        return started(event)
    if event.seq != state.seq + 1:
        raise BrokenHistory(f"event {event.seq} follows {state.seq} in {state.session_id}")
    timed = _spend(state, event)
    after = _FOLDS[event.kind](timed, event.payload, event)
    # nobody has seen this copy yet: a further one for each event would cost more than the event
    made = copy_with(after) if after is state else after
    fields = made.__dict__
    fields["seq"] = event.seq
    if event.at > state.now:
        fields["now"] = event.at
    return made


def fold(events: Iterable[Event], state: State | None = None) -> State:
    """The state after all of the events; raises BrokenHistory where there is none."""
    for event in events:
        try:
            state = evolve(state, event)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            told = f"event {event.seq} of {event.session_id}, {event.kind}, says nothing that can be followed"
            raise BrokenHistory(f"{told}: {type(error).__name__} {error}") from error
    if state is None:
        raise BrokenHistory("a session without events")
    return state


def _spend(state: State, event: Event) -> State:
    """Count the time since the driver's last event, if the session ran and was driven."""
    if event.kind in _UNTIMED or state.clock_at is None:
        return state
    if event.at <= state.clock_at:
        return state
    if state.status is not Status.RUNNING:
        return copy_with(state, clock_at=event.at)
    spent = event.at - state.clock_at
    used = copy_with(state.used, active=state.used.active + spent, step_active=state.used.step_active + spent)
    return copy_with(state, used=used, clock_at=event.at)
