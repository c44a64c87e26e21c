"""`evolve`: the only way state changes.  One small function for each kind of event, in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from engine.policy.arithmetic import add, subtract
from engine.policy.rule import CUSTOMER
from engine.session.call_events import CALL_EVENTS, and_one, result_entry, with_call
from engine.session.event import Event
from engine.session.event import EventKind as K
from engine.session.limits import Limits
from engine.session.persistent import changed
from engine.session.state import (
    Approval,
    Phase,
    Request,
    State,
    Status,
    StepPhase,
)

# appended by people and workers, without a claim: they say nothing about how long the session has been running
FOREIGN = frozenset(
    {
        K.MESSAGE_RECEIVED, K.REQUEST_ANSWERED, K.CALL_EDITED, K.CANCEL_REQUESTED, K.CUSTOMER_CONFIRMED,
        K.JOB_LEASED, K.JOB_RELEASED, K.JOB_RETRIED, K.JOB_DISCARDED,
    }
)  # fmt: skip


class BrokenHistory(Exception):
    """Events that do not follow on each other; the log or our own program is at fault."""


def evolve(state: State | None, event: Event) -> State:
    """The state after one more event; raises BrokenHistory on a gap."""
    if state is None:
        if event.seq != 1 or event.kind is not K.SESSION_STARTED:
            raise BrokenHistory(f"the history of {event.session_id} begins with {event.kind} at {event.seq}")
        return _started(event)
    if event.seq != state.seq + 1:
        raise BrokenHistory(f"event {event.seq} follows {state.seq} in {state.session_id}")
    timed = _spend(state, event)
    after = _TABLE[event.kind](timed, event.payload, event)
    # nobody has seen this copy yet: a further one for each event would cost more than the event
    made = changed(after) if after is state else after
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


def _started(event: Event) -> State:
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


def _spend(state: State, event: Event) -> State:
    """Count the time since the driver's last event, if the session ran and was driven."""
    if event.kind in FOREIGN or event.kind is K.SESSION_CLAIMED or state.clock_at is None:
        return state
    if event.at <= state.clock_at:
        return state
    if state.status is not Status.RUNNING:
        return changed(state, clock_at=event.at)
    spent = event.at - state.clock_at
    used = changed(state.used, active=state.used.active + spent, step_active=state.used.step_active + spent)
    return changed(state, used=used, clock_at=event.at)


def _claimed(s: State, p: Mapping[str, Any], event: Event) -> State:
    # what an earlier driver had asked facts for is asked anew, and its keys are the store's to know
    calls = s.calls
    for id_, c in calls.open.items():
        if c.phase is Phase.GATING and not c.leased:
            back = Phase.HELD if c.asked else Phase.PROPOSED
            calls = calls.with_one(id_, changed(c, phase=back, wants=(), gate_seq=0))
    # what a question took whose asker is gone nobody knows: all that was reserved for it counts
    return changed(
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


def _released(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, owner=None, clock_at=None, releasing=True)


def _same(s: State, p: Mapping[str, Any], event: Event) -> State:
    return s


def _message(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, messages=(*s.messages, p["text"]), unseen=s.unseen + 1)


def _step_started(s: State, p: Mapping[str, Any], event: Event) -> State:
    used = changed(s.used, steps=s.used.steps + 1, step_active=timedelta(0))
    turn = p["number"] if s.unseen else s.turn_step
    resulted = {} if s.unseen else s.resulted
    return changed(
        s, step=p["number"], step_phase=StepPhase.PLANNING, asks=s.asks + 1, unseen=0, turn_step=turn, used=used,
        resulted=resulted,
        news=False,
        finishing=p.get("finishing", False),
    )  # fmt: skip


def _decided(s: State, p: Mapping[str, Any], event: Event) -> State:
    decision = {"message": p["message"], "tool_calls": p["tool_calls"], "done": p["done"]}
    return changed(_spent(s, p), decision=decision, step_phase=StepPhase.ACTING, problems=())


def _question_reserved(s: State, p: Mapping[str, Any], event: Event) -> State:
    """The tokens and the cost that a question may take count from before it is asked."""
    return _taken_up(changed(s, reserved=p), p["tokens"], p["cost_usd"])


def _spent(s: State, p: Mapping[str, Any]) -> State:
    """What the question took instead of what was reserved for it."""
    usage = p.get("usage", {"tokens": 0, "cost_usd": 0})
    held = s.reserved or {"tokens": 0, "cost_usd": 0}
    s = _taken_up(s, usage["tokens"] - held["tokens"], subtract(usage["cost_usd"], held["cost_usd"]))
    return changed(s, reserved=None)


def _taken_up(s: State, tokens: int, cost: Any) -> State:
    if not tokens and not cost:
        return s
    used = s.used
    return changed(
        s, used=changed(used, model_tokens=used.model_tokens + tokens, model_cost_usd=add(used.model_cost_usd, cost))
    )


def _rejected(s: State, p: Mapping[str, Any], event: Event) -> State:
    s = _spent(s, p)
    return changed(s, problems=tuple(p["problems"]), asks=s.asks + 1, used=changed(s.used, repairs=s.used.repairs + 1))


def _opened(s: State, p: Mapping[str, Any], event: Event) -> State:
    expires = p["expires_at"]
    request = Request(
        id=p["request_id"],
        kind=p["request_kind"],
        call_id=p["call_id"],
        groups=tuple(p["groups"]),
        rules=tuple(p["rules"]),
        digest=p["digest"],
        schema=p["schema"],
        expires_at=datetime.fromisoformat(expires) if expires else None,
        opened_at=event.at,
        limit=p.get("limit"),
    )
    return changed(s, requests=s.requests.with_one(request.id, request))


def _answered(s: State, p: Mapping[str, Any], event: Event) -> State:
    request = s.requests[p["request_id"]]
    s = changed(s, requests=s.requests.with_one(request.id, replace(request, answered=p)))
    if request.kind == "budget" and request.limit is not None and p["action"] == "approve":
        short = {call.id for call in s.calls.open.values() if call.short_of == request.limit}
        full = {id_: refused for id_, refused in s.full.items() if id_ not in short}
        return changed(s, limits=s.limits.extended(request.limit), crossed=s.crossed - {request.limit}, full=full)
    if request.kind != "approval" or request.call_id is None:
        return s
    call = s.calls[request.call_id]
    if p["action"] == "deny":
        marks = {request.digest, call.digest} | ({call.claim} if call.claim is not None else set())
        refusal = {"tool": call.name, "input": call.input, "at": event.at}
        return changed(s, denied=s.denied | marks, refusals=(*s.refusals, refusal))
    kept = tuple(approval for approval in call.approvals if approval.digest == p["digest"])
    yes = Approval(
        frozenset(request.rules), frozenset(request.groups), p["digest"], p["by"], p["digest"] != request.digest
    )
    return with_call(s, call, approvals=(*kept, yes), approved_seq=event.seq)


def _confirmed(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, confirmed=(*s.confirmed, p["digest"]))


def _confirmation_used(s: State, p: Mapping[str, Any], event: Event) -> State:
    left = list(s.confirmed)
    left.remove(p["digest"])
    call = s.calls[p["call_id"]]
    yes = Approval(frozenset(p["rules"]), frozenset((CUSTOMER,)), p["digest"], CUSTOMER, prior=True)
    return with_call(changed(s, confirmed=tuple(left)), call, approvals=(*call.approvals, yes))


def _closed(s: State, p: Mapping[str, Any], event: Event) -> State:
    request = s.requests[p["request_id"]]
    return changed(s, requests=s.requests.with_one(request.id, replace(request, closed=p["how"])))


def _cancel(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, cancel_by=p["by"])


def _crossed(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, crossed=s.crossed | {p["limit"]})


def _ending(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, ending=p["state"], ending_reason=p["reason"], ending_at=event.at)


def _step_ended(s: State, p: Mapping[str, Any], event: Event) -> State:
    ended = [call for call in s.calls.open.values() if call.ended]
    resulted = s.resulted
    for call in ended:
        resulted = and_one(resulted, call.name, result_entry(call))
    calls = s.calls.settled(call.id for call in ended)
    over = [r.id for r in s.requests.open.values() if not r.open and (r.call_id is None or calls[r.call_id].ended)]
    return changed(
        s, step_phase=StepPhase.IDLE, crossed=s.crossed - {"step_time"}, calls=calls, resulted=resulted,
        requests=s.requests.settled(over),
    )  # fmt: skip


def _transition(s: State, p: Mapping[str, Any], event: Event) -> State:
    status = Status(p["state"])
    told = p["message"] or s.told
    if status is Status.RUNNING:
        # the time of the step begins anew after people were waited for
        s = changed(s, used=changed(s.used, step_active=timedelta(0)), crossed=s.crossed - {"step_time"})
    return changed(s, status=status, outcome=p["outcome"], told=told, waiting_for=tuple(p["waiting_for"]))


_TABLE: Mapping[K, Callable[[State, Mapping[str, Any], Event], State]] = {
    **CALL_EVENTS,
    K.SESSION_CLAIMED: _claimed,
    K.SESSION_RELEASED: _released,
    K.SESSION_WOKEN: _same,
    K.MESSAGE_RECEIVED: _message,
    K.STEP_STARTED: _step_started,
    K.QUESTION_RESERVED: _question_reserved,
    K.DECISION_RECORDED: _decided,
    K.DECISION_REJECTED: _rejected,
    K.PLANNER_FAILED: _rejected,
    K.MODEL_CALLED: _same,
    K.PLANNER_FELL_BACK: _same,
    K.JOB_RETRIED: _same,
    K.JOB_DISCARDED: _same,
    K.REQUEST_OPENED: _opened,
    K.REQUEST_ANSWERED: _answered,
    K.REQUEST_CLOSED: _closed,
    K.CUSTOMER_CONFIRMED: _confirmed,
    K.CONFIRMATION_USED: _confirmation_used,
    K.CANCEL_REQUESTED: _cancel,
    K.LIMIT_CROSSED: _crossed,
    K.SESSION_ENDING: _ending,
    K.STEP_ENDED: _step_ended,
    K.STATE_TRANSITION: _transition,
}
