"""The kinds of event that are about a session as a whole: its start, who drives it, its limits and its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, NotRequired, TypedDict

from engine.language.value import canonical
from engine.session.state.event import Event, EventKind
from engine.session.state.events.definition import ADDED, Definition, same, short
from engine.session.state.holds import H, Own, Words
from engine.session.state.persistent import copy_with
from engine.session.state.state import Phase, State, Status
from engine.spec.limits import Limits


class SessionStartedPayload(TypedDict):
    """A session began: of which agent, under which bundle, for whom, and within which limits.

    `environment` has for each variable that the bundle names a digest of its value, keyed with the `handle_key`.  A
    machine that started it `stands_for` the people who made its token: none of them approves what it asks for.
    """

    agent: Own[str]
    planner: Own[str]
    fallback: NotRequired[Own[list[str]]]
    bundle: Own[str]
    root: Own[str]
    attributes: Annotated[dict[str, Any], H.ATTRIBUTES]
    started_by: Words[str | None]
    limits: Own[dict[str, Any]]
    handle_key: NotRequired[Annotated[str, H.WHOLE, ADDED]]
    environment: NotRequired[Own[dict[str, str]]]
    stands_for: NotRequired[Words[list[str]]]


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
        environment=p.get("environment", {}),
        stands_for=tuple(p.get("stands_for", ())),
    )


def _started_again(state: State, payload: SessionStartedPayload, event: Event) -> State:
    raise ValueError("a session starts once")


def _started_line(entry: dict[str, Any]) -> str:
    about = ", ".join(f"{name}={short(value)}" for name, value in entry["attributes"].items())
    return f"session {entry['session_id']} of {entry['agent']} ({about})"


class SessionClaimedPayload(TypedDict):
    """A driver took the session over; whatever an earlier one still does counts no more."""

    owner: Own[str]
    epoch: Own[int]


def _claimed(state: State, payload: SessionClaimedPayload, event: Event) -> State:
    # what an earlier driver had asked facts for is asked anew, and its keys are the store's to know
    calls = state.calls
    for id_, c in calls.open.items():
        if c.phase is Phase.GATING and not c.leased:
            back = Phase.HELD if c.asked else Phase.PROPOSED
            calls = calls.with_item(id_, copy_with(c, phase=back, wants=(), gate_seq=0))
    # the driver that asked a question is gone, so that its cost is unknown: all that was reserved for it counts
    return copy_with(
        state,
        reserved=None,
        owner=payload["owner"],
        epoch=payload["epoch"],
        clock_at=event.at,
        releasing=False,
        calls=calls,
        taken={},
        expired={},
    )


class SessionReleasedPayload(TypedDict):
    """Its driver lets the session go."""

    owner: Own[str]


def _released(state: State, payload: SessionReleasedPayload, event: Event) -> State:
    return copy_with(state, owner=None, clock_at=None, releasing=True)


class SessionWokenPayload(TypedDict):
    """A moment that the session waited for has come."""


class MessageReceivedPayload(TypedDict):
    """The customer said something."""

    text: Words[str]


def _message(state: State, payload: MessageReceivedPayload, event: Event) -> State:
    return copy_with(state, messages=(*state.messages, payload["text"]), unseen=state.unseen + 1, told_seq=event.seq)


class CancelRequestedPayload(TypedDict):
    """Somebody asked for the session to end."""

    by: Words[str]


def _cancel(state: State, payload: CancelRequestedPayload, event: Event) -> State:
    return copy_with(state, cancel_by=payload["by"])


class LimitCrossedPayload(TypedDict):
    """A limit was reached: how much was used and allowed (times in seconds), and what crossing it does."""

    limit: Own[str]
    used: Own[Any]
    allowed: Own[Any]
    crossing: Own[str]
    tool: NotRequired[Own[str]]


def _crossed(state: State, payload: LimitCrossedPayload, event: Event) -> State:
    return copy_with(state, crossed=state.crossed | {payload["limit"]})


def _crossed_line(entry: dict[str, Any]) -> str:
    return f"limit {entry['limit']} of {canonical(entry['allowed'])} is crossed: {entry['crossing']}"


class SessionEndingPayload(TypedDict):
    """The session starts nothing more, and ends in a state once nothing runs."""

    state: Own[str]
    reason: Own[str]


def _ending(state: State, payload: SessionEndingPayload, event: Event) -> State:
    return copy_with(state, ending=payload["state"], ending_reason=payload["reason"], ending_at=event.at)


class StateTransitionPayload(TypedDict):
    """The session is in another state: what the customer is told, and which requests and jobs it waits for."""

    state: Own[str]
    outcome: Own[str]
    message: Words[str]
    waiting_for: Own[list[str]]
    reason: Own[str]
    problem: NotRequired[Words[str]]


def _transition(state: State, payload: StateTransitionPayload, event: Event) -> State:
    status = Status(payload["state"])
    told = payload["message"] or state.told
    if status is Status.RUNNING:
        # the time of the step begins anew after people were waited for
        state = copy_with(
            state, used=copy_with(state.used, step_active=timedelta(0)), crossed=state.crossed - {"step_time"}
        )
    return copy_with(
        state, status=status, outcome=payload["outcome"], told=told, waiting_for=tuple(payload["waiting_for"])
    )


def _transition_line(entry: dict[str, Any]) -> str:
    outcome = f" {entry['outcome']}" if entry["outcome"] != entry["state"] else ""
    return f"{entry['state']}{outcome}" + (f": {entry['message']}" if entry["message"] else "")


SESSION_EVENTS = (
    Definition(EventKind.SESSION_STARTED, SessionStartedPayload, _started_again, _started_line),
    Definition(
        EventKind.SESSION_CLAIMED,
        SessionClaimedPayload,
        _claimed,
        lambda e: f"driven by {e['owner']} (epoch {e['epoch']})",
        from_outside=True,
        detail=True,
    ),
    Definition(
        EventKind.SESSION_RELEASED,
        SessionReleasedPayload,
        _released,
        lambda e: f"let go by {e['owner']}",
        from_outside=True,
        detail=True,
    ),
    Definition(EventKind.SESSION_WOKEN, SessionWokenPayload, same, lambda e: "its time has come", detail=True),
    Definition(
        EventKind.MESSAGE_RECEIVED,
        MessageReceivedPayload,
        _message,
        lambda e: short(e["text"], 300),
        from_outside=True,
        others=True,
        projected=True,
    ),
    Definition(
        EventKind.CANCEL_REQUESTED,
        CancelRequestedPayload,
        _cancel,
        lambda e: f"by {e['by']}",
        from_outside=True,
        others=True,
        projected=True,
    ),
    Definition(EventKind.LIMIT_CROSSED, LimitCrossedPayload, _crossed, _crossed_line),
    Definition(EventKind.SESSION_ENDING, SessionEndingPayload, _ending, lambda e: f"{e['state']}: {e['reason']}"),
    Definition(EventKind.STATE_TRANSITION, StateTransitionPayload, _transition, _transition_line, projected=True),
)
