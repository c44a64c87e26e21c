"""The definitions of all kinds of event, in the order of `EventKind`."""

from __future__ import annotations

from collections.abc import Mapping

from engine.session.state.event import EventKind
from engine.session.state.events.attempt_events import ATTEMPT_EVENTS
from engine.session.state.events.call_events import CALL_EVENTS
from engine.session.state.events.definition import Definition
from engine.session.state.events.job_events import JOB_EVENTS
from engine.session.state.events.request_events import REQUEST_EVENTS
from engine.session.state.events.session_events import SESSION_EVENTS
from engine.session.state.events.step_events import STEP_EVENTS

_ALL = (*SESSION_EVENTS, *STEP_EVENTS, *CALL_EVENTS, *ATTEMPT_EVENTS, *JOB_EVENTS, *REQUEST_EVENTS)
_BY_KIND = {definition.kind: definition for definition in _ALL}

EVENTS: Mapping[EventKind, Definition] = {kind: _BY_KIND[kind] for kind in EventKind}
