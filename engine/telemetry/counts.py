"""What the events of sessions add up to: a pure fold, from the first event of each on.

Holds, failures and stops by a budget are different things to whoever is called at night, and are counted apart.  No
value of a call is in any of it, and no tenant: names of tools, rules, groups and agents are what an author wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.session.state.event import Event, EventKind
from engine.session.state.state import FINAL

# seconds that people may take, from at once to a week
BUCKETS = (10.0, 60.0, 300.0, 1800.0, 3600.0, 14400.0, 86400.0, 604800.0)
Labels = tuple[str, ...]


def failure_of(event: Event) -> str:
    """What failed: a `tool` or a `planner`; empty for what is none, as a hold or a stop by a budget."""
    match event.kind:
        case EventKind.TOOL_RESULT if event.payload["final"]:
            return "tool" if event.payload["status"] in ("terminal_error", "unknown") else ""
        case EventKind.PLANNER_FAILED | EventKind.DECISION_REJECTED:
            return "planner"
        case _:
            return ""


@dataclass
class WaitCounts:
    """How long people were asked: how many waits were within each of the buckets, how many there were, and in all."""

    within: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    number: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        for at, most in enumerate(BUCKETS):
            self.within[at] += seconds <= most
        self.number += 1
        self.seconds += seconds


@dataclass
class EventCounts:
    """How often what happened, by labels; `waits` are about requests, by how they ended."""

    started: dict[Labels, float] = field(default_factory=dict)
    ended: dict[Labels, float] = field(default_factory=dict)
    verdicts: dict[Labels, float] = field(default_factory=dict)
    asks: dict[Labels, float] = field(default_factory=dict)
    calls: dict[Labels, float] = field(default_factory=dict)
    failures: dict[Labels, float] = field(default_factory=dict)
    budget_stops: dict[Labels, float] = field(default_factory=dict)
    model_calls: dict[Labels, float] = field(default_factory=dict)
    tokens: dict[Labels, float] = field(default_factory=dict)
    cost: dict[Labels, float] = field(default_factory=dict)
    claims: dict[Labels, float] = field(default_factory=dict)
    waits: dict[Labels, WaitCounts] = field(default_factory=dict)
    _agents: dict[str, str] = field(default_factory=dict)
    _opened: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    _judged: set[str] = field(default_factory=set)
    _states: dict[str, str] = field(default_factory=dict)

    def add(self, events: Iterable[Event]) -> None:
        """Count further events of a session, each once and in their order."""
        for event in events:
            if event.payload:  # of one that was erased only that it was is known
                self._add(event, event.payload)

    def _add(self, event: Event, payload: Mapping[str, Any]) -> None:
        if kind := failure_of(event):
            _more(self.failures, (kind,))
        match event.kind:
            case EventKind.SESSION_STARTED:
                self._agents[event.session_id] = payload["agent"]
                _more(self.started, (payload["agent"],))
            case EventKind.STATE_TRANSITION:
                self._transition(event.session_id, payload)
            case EventKind.SESSION_CLAIMED:
                _more(self.claims, ())
            case EventKind.VERDICT:
                self._judged.add(f"{event.session_id}/{payload['call_id']}")
                _more(self.verdicts, (payload["tool"], payload["rule"] or "", payload["verdict"]))
                for rule in payload["asks"]:
                    _more(self.asks, (payload["tool"], rule))
            case EventKind.TOOL_RESULT if payload["final"]:
                # a tool that no rule has judged may be one that somebody made up
                call = f"{event.session_id}/{payload['call_id']}"
                known = call in self._judged
                self._judged.discard(call)
                _more(self.calls, (payload["tool"] if known else "unknown", payload["status"]))
            case EventKind.LIMIT_CROSSED:
                _more(self.budget_stops, (payload["limit"], payload["crossing"]))
            case EventKind.MODEL_CALLED:
                self._model(payload)
            case EventKind.REQUEST_OPENED:
                self._opened[payload["request_id"]] = event.at, ",".join(payload["groups"])
            case EventKind.REQUEST_ANSWERED:
                # of a yes that counted later the time until it was said
                at = datetime.fromisoformat(payload["said_at"]) if "said_at" in payload else event.at
                self._closed(payload["request_id"], payload["action"], at)
            case EventKind.REQUEST_CLOSED:
                self._closed(payload["request_id"], payload["how"], event.at)
            case _:
                pass

    def _transition(self, session_id: str, payload: Mapping[str, Any]) -> None:
        state = payload["state"]
        if state in FINAL and self._states.get(session_id) != state:
            _more(self.ended, (self._agents.get(session_id, ""), payload["outcome"] or "", state))
        self._states[session_id] = state

    def _model(self, payload: Mapping[str, Any]) -> None:
        of = payload["planner"], payload["model"]
        _more(self.model_calls, (*of, payload["status"]))
        _more(self.tokens, (*of, "in"), payload["tokens_in"])
        _more(self.tokens, (*of, "out"), payload["tokens_out"])
        if payload["cost_usd"] is not None:
            _more(self.cost, of, float(payload["cost_usd"]))

    def _closed(self, request_id: str, how: str, at: datetime) -> None:
        opened = self._opened.pop(request_id, None)
        if opened is not None:
            self.waits.setdefault((opened[1], how), WaitCounts()).add((at - opened[0]).total_seconds())


def _more(counts: dict[Labels, float], labels: Labels, by: float = 1) -> None:
    counts[labels] = counts.get(labels, 0) + by
