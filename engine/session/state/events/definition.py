"""What is known of a kind of event: its payload, what it does to the state, how it is told, and who writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NotRequired, get_args, get_origin, get_type_hints

from engine.language.value import canonical
from engine.session.state.event import Event, EventKind
from engine.session.state.holds import Holds
from engine.session.state.state import State

Fold = Callable[[State, Any, Event], State]
Line = Callable[[dict[str, Any]], str]

# marks a field that later versions write always, and that histories of earlier ones do not have
ADDED = object()


@dataclass(frozen=True, slots=True)
class PayloadField:
    """A field of a payload: what it may hold, its type, and whether events may be without it.

    One that was `added` is without it in histories of earlier versions alone.
    """

    holds: Holds
    type: Any
    required: bool
    added: bool


@dataclass(frozen=True)
class Definition:
    """A kind of event.

    `payload` is a TypedDict whose docstring says what happened.  `fold` gives the state after it, and `line` what an
    entry of a trace says to people.  One that is `from_outside` records what somebody or something told the session,
    which a replay feeds again; the others follow.  Those of `others` (people, workers) are appended without the
    session's lease, and say nothing about how long it has been running.  A `detail` is left out of the trace on a
    terminal.  Of one that is `projected` the store keeps something beside the log.  `unnamed` is what a field may
    hold that the payload does not name.
    """

    kind: EventKind
    payload: type
    fold: Fold
    line: Line
    from_outside: bool = False
    others: bool = False
    detail: bool = False
    projected: bool = False
    unnamed: Holds = Holds.WHOLE

    @cached_property
    def fields(self) -> Mapping[str, PayloadField]:
        """The fields of the payload by name."""
        return {name: _field(hint) for name, hint in get_type_hints(self.payload, include_extras=True).items()}

    def holds(self, name: str) -> Holds:
        """What a field may hold; of one that nobody declared, anything."""
        field = self.fields.get(name)
        return self.unnamed if field is None else field.holds

    def added_since(self, payload: Mapping[str, Any]) -> frozenset[str]:
        """The fields that a payload does not have, since they were added later."""
        return frozenset(name for name, field in self.fields.items() if field.added and name not in payload)


def _field(hint: Any) -> PayloadField:
    required = get_origin(hint) is not NotRequired
    if not required:
        (hint,) = get_args(hint)
    type_, *marks = get_args(hint)
    (holds,) = (mark for mark in marks if isinstance(mark, Holds))
    return PayloadField(holds, type_, required, ADDED in marks)


def same(state: State, payload: Any, event: Event) -> State:
    """The fold of an event that is there to be read."""
    return state


def short(value: Any, most: int = 60) -> str:
    """A value in a line: its beginning, where it is long."""
    text = value if isinstance(value, str) else canonical(value)
    return text if len(text) <= most else text[: most - 3] + "..."
