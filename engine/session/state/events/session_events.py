"""The kinds of event that are about a session as a whole: its start, who drives it, its limits and its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, NotRequired, TypedDict

from engine.language.value import canonical
from engine.session.state.event import Event
from engine.session.state.event import EventKind as K
from engine.session.state.events.definition import ADDED, Definition, same, short
from engine.session.state.holds import H, Own, Words
from engine.session.state.persistent import copy_with
from engine.session.state.state import Phase, State, Status
from engine.spec.limits import Limits


class SessionStartedPayload(TypedDict):
    """A session began: of which agent, under which bundle, for whom, and within which limits."""

    agent: Own[str]
    planner: Own[str]
    fallback: NotRequired[Own[list[str]]]
    bundle: Own[str]
    root: Own[str]
    attributes: Annotated[dict[str, Any], H.ATTRIBUTES]
    started_by: Words[str | None]
    limits: Own[dict[str, Any]]
    handle_key: NotRequired[Annotated[str, H.WHOLE, ADDED]]


def started(event: Event) -> State:
    """The state that the first event of a session makes."""
    p = event.payload
    return State(
        session_id=event.session_id,
        seq=event.seq,
        now=event.at,
        agent=p["agent"],
        planner=p["planner"],
        fallback=tuple(p.get("fallback", ())),
        bundle=p["bundle"],
        root=p["root"],
        attributes=p["attributes"],
        started_by=p["started_by"],
        limits=Limits.from_payload(p["limits"]),
        handle_key=p.get("handle_key", ""),
    )


def _started_again(s: State, p: SessionStartedPayload, event: Event) -> State:
    raise ValueError("a session starts once")


def _started_line(e: dict[str, Any]) -> str:
    about = ", ".join(f"{name}={short(value)}" for name, value in e["attributes"].items())
    return f"session {e['session_id']} of {e['agent']} ({about})"


class SessionClaimedPayload(TypedDict):
    """A driver took the session over; whatever an earlier one still does counts no more."""

    owner: Own[str]
    epoch: Own[int]


def _claimed(s: State, p: SessionClaimedPayload, event: Event) -> State:
    # what an earlier driver had asked facts for is asked anew, and its keys are the store's to know
    calls = s.calls
    for id_, c in calls.open.items():
        if c.phase is Phase.GATING and not c.leased:
            back = Phase.HELD if c.asked else Phase.PROPOSED
            calls = calls.with_item(id_, copy_with(c, phase=back, wants=(), gate_seq=0))
    # the driver that asked a question is gone, so that its cost is unknown: all that was reserved for it counts
    return copy_with(
        s,
        reserved=None,
        owner=p["owner"],
        epoch=p["epoch"],
        clock_at=event.at,
        releasing=False,
        calls=calls,
        taken={},
        expired={},
    )


class SessionReleasedPayload(TypedDict):
    """Its driver lets the session go."""

    owner: Own[str]


def _released(s: State, p: SessionReleasedPayload, event: Event) -> State:
    return copy_with(s, owner=None, clock_at=None, releasing=True)


class SessionWokenPayload(TypedDict):
    """A moment that the session waited for has come."""


class MessageReceivedPayload(TypedDict):
    """The customer said something."""

    text: Words[str]


def _message(s: State, p: MessageReceivedPayload, event: Event) -> State:
    return copy_with(s, messages=(*s.messages, p["text"]), unseen=s.unseen + 1, told_seq=event.seq)


class CancelRequestedPayload(TypedDict):
    """Somebody asked for the session to end."""

    by: Words[str]


def _cancel(s: State, p: CancelRequestedPayload, event: Event) -> State:
    return copy_with(s, cancel_by=p["by"])


class LimitCrossedPayload(TypedDict):
    """A limit was reached: how much was used and allowed (times in seconds), and what crossing it does."""

    limit: Own[str]
    used: Own[Any]
    allowed: Own[Any]
    crossing: Own[str]
    tool: NotRequired[Own[str]]


def _crossed(s: State, p: LimitCrossedPayload, event: Event) -> State:
    return copy_with(s, crossed=s.crossed | {p["limit"]})


def _crossed_line(e: dict[str, Any]) -> str:
    return f"limit {e['limit']} of {canonical(e['allowed'])} is crossed: {e['crossing']}"


class SessionEndingPayload(TypedDict):
    """The session starts nothing more, and ends in a state once nothing runs."""

    state: Own[str]
    reason: Own[str]


def _ending(s: State, p: SessionEndingPayload, event: Event) -> State:
    return copy_with(s, ending=p["state"], ending_reason=p["reason"], ending_at=event.at)


class StateTransitionPayload(TypedDict):
    """The session is in another state: what the customer is told, and which requests and jobs it waits for."""

    state: Own[str]
    outcome: Own[str]
    message: Words[str]
    waiting_for: Own[list[str]]
    reason: Own[str]
    problem: NotRequired[Words[str]]


def _transition(s: State, p: StateTransitionPayload, event: Event) -> State:
    status = Status(p["state"])
    told = p["message"] or s.told
    if status is Status.RUNNING:
        # the time of the step begins anew after people were waited for
        s = copy_with(s, used=copy_with(s.used, step_active=timedelta(0)), crossed=s.crossed - {"step_time"})
    return copy_with(s, status=status, outcome=p["outcome"], told=told, waiting_for=tuple(p["waiting_for"]))


def _transition_line(e: dict[str, Any]) -> str:
    outcome = f" {e['outcome']}" if e["outcome"] != e["state"] else ""
    return f"{e['state']}{outcome}" + (f": {e['message']}" if e["message"] else "")


SESSION_EVENTS = (
    Definition(K.SESSION_STARTED, SessionStartedPayload, _started_again, _started_line),
    Definition(
        K.SESSION_CLAIMED,
        SessionClaimedPayload,
        _claimed,
        lambda e: f"driven by {e['owner']} (epoch {e['epoch']})",
        from_outside=True,
        detail=True,
    ),
    Definition(
        K.SESSION_RELEASED,
        SessionReleasedPayload,
        _released,
        lambda e: f"let go by {e['owner']}",
        from_outside=True,
        detail=True,
    ),
    Definition(K.SESSION_WOKEN, SessionWokenPayload, same, lambda e: "its time has come", detail=True),
    Definition(
        K.MESSAGE_RECEIVED,
        MessageReceivedPayload,
        _message,
        lambda e: short(e["text"], 300),
        from_outside=True,
        others=True,
        projected=True,
    ),
    Definition(
        K.CANCEL_REQUESTED,
        CancelRequestedPayload,
        _cancel,
        lambda e: f"by {e['by']}",
        from_outside=True,
        others=True,
        projected=True,
    ),
    Definition(K.LIMIT_CROSSED, LimitCrossedPayload, _crossed, _crossed_line),
    Definition(K.SESSION_ENDING, SessionEndingPayload, _ending, lambda e: f"{e['state']}: {e['reason']}"),
    Definition(K.STATE_TRANSITION, StateTransitionPayload, _transition, _transition_line, projected=True),
)
