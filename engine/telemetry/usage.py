"""What sessions used and what people were asked, by day, tenant and agent: a pure fold of their events.

Of a session that was erased only what was counted before stands.  No value of a call is in any of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from engine.session.state.event import Event, EventKind
from engine.session.state.state import FINAL
from engine.spec.request_kind import RequestKind
from engine.telemetry.counts import failure_of


@dataclass
class AskedRule:
    """How often people were asked because of a rule, and what became of it; `seconds` are the waits for answers."""

    asked: int = 0
    unchanged: int = 0
    edited: int = 0
    denied: int = 0
    unanswered: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, other: AskedRule) -> None:
        """Count what another one has counted."""
        self.asked += other.asked
        self.unchanged += other.unchanged
        self.edited += other.edited
        self.denied += other.denied
        self.unanswered += other.unanswered
        self.seconds += other.seconds


@dataclass
class DayUsage:
    """What happened on a day; costs in USD.

    `ended` counts by the final state, `asked` by rules and groups, `failures` by kind and `budget_stops` by limit.
    """

    started: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    calls: int = 0
    model_calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: Decimal = Decimal(0)
    holds: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    budget_stops: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    asked: dict[tuple[str, str], AskedRule] = field(default_factory=dict)

    def add(self, other: DayUsage) -> None:
        """Count what another one has counted."""
        for name in ("started", "steps", "calls", "model_calls", "tokens_in", "tokens_out", "cost_usd", "holds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("ended", "failures", "budget_stops", "rules"):
            getattr(self, name).update(getattr(other, name))
        for key, one in other.asked.items():
            self.asked.setdefault(key, AskedRule()).add(one)


@dataclass(frozen=True, slots=True)
class UsageKey:
    """Of what a `DayUsage` is."""

    day: date
    tenant: str | None
    agent: str


@dataclass(frozen=True, slots=True)
class _Asked:
    at: datetime
    rule: str
    group: str
    of: DayUsage


class UsageCounts:
    """Usage by day, tenant and agent; each session's events are added once and in their order."""

    def __init__(self) -> None:
        self.days: dict[UsageKey, DayUsage] = {}
        self._sessions: dict[str, tuple[str | None, str]] = {}
        self._states: dict[str, str] = {}
        self._asked: dict[str, _Asked] = {}

    def add(self, events: Iterable[Event], tenant: str | None) -> None:
        """Count further events of a session, which was started for a tenant."""
        for event in events:
            if not event.payload:
                continue
            if event.kind is EventKind.SESSION_STARTED:
                self._sessions[event.session_id] = tenant, event.payload["agent"]
            known = self._sessions.get(event.session_id)
            if known is not None:
                of = self.days.setdefault(UsageKey(event.at.date(), *known), DayUsage())
                self._add(of, event, event.payload)

    def _add(self, of: DayUsage, event: Event, payload: Mapping[str, Any]) -> None:
        if kind := failure_of(event):
            of.failures[kind] += 1
        match event.kind:
            case EventKind.SESSION_STARTED:
                of.started += 1
            case EventKind.STEP_STARTED:
                of.steps += 1
            case EventKind.CALL_STARTED if payload["attempt"] == 1:
                of.calls += 1
            case EventKind.VERDICT if payload["rule"]:
                # of several rules that ask about a call each does
                of.rules.update({payload["rule"], *payload["asks"]})
            case EventKind.LIMIT_CROSSED:
                of.budget_stops[payload["limit"]] += 1
            case EventKind.MODEL_CALLED:
                of.model_calls += 1
                of.tokens_in += payload["tokens_in"]
                of.tokens_out += payload["tokens_out"]
                of.cost_usd += Decimal(str(payload["cost_usd"] or 0))
            case EventKind.STATE_TRANSITION:
                self._transition(of, event.session_id, payload["state"])
            case EventKind.REQUEST_OPENED if payload["request_kind"] == RequestKind.APPROVAL:
                self._opened(of, event, payload)
            case EventKind.REQUEST_ANSWERED | EventKind.REQUEST_CLOSED:
                self._closed(event, payload)
            case _:
                pass

    def _transition(self, of: DayUsage, session_id: str, state: str) -> None:
        if state in FINAL and self._states.get(session_id) != state:
            of.ended[state] += 1
        self._states[session_id] = state

    def _opened(self, of: DayUsage, event: Event, payload: Mapping[str, Any]) -> None:
        of.holds += 1
        rule, group = ", ".join(payload["rules"]), ", ".join(payload["groups"])
        of.asked.setdefault((rule, group), AskedRule()).asked += 1
        self._asked[payload["request_id"]] = _Asked(event.at, rule, group, of)

    def _closed(self, event: Event, payload: Mapping[str, Any]) -> None:
        asked = self._asked.pop(payload["request_id"], None)
        if asked is None:
            return
        counts = asked.of.asked[asked.rule, asked.group]
        if event.kind is EventKind.REQUEST_CLOSED:
            counts.unanswered += payload["how"] == "expired"
            return
        # of a yes that counted later the time until it was said
        said_at = datetime.fromisoformat(payload["said_at"]) if "said_at" in payload else event.at
        counts.seconds.append((said_at - asked.at).total_seconds())
        if payload["action"] == "deny":
            counts.denied += 1
        elif payload.get("edited"):
            counts.edited += 1
        else:
            counts.unchanged += 1
