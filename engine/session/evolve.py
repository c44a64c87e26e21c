"""`evolve`: the only way state changes.  One small function for each kind of event, in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from engine.policy.arithmetic import add, subtract
from engine.policy.rule import CUSTOMER
from engine.session.event import Event
from engine.session.event import EventKind as K
from engine.session.limits import Limits
from engine.session.persistent import Log, changed
from engine.session.state import (
    Approval,
    Call,
    Metered,
    Phase,
    Reading,
    Request,
    Result,
    State,
    Status,
    StepPhase,
    Used,
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
        state = evolve(state, event)
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
        bundle=p["bundle"],
        root=p["root"],
        attributes=p["attributes"],
        started_by=p["started_by"],
        limits=Limits.from_payload(p["limits"]),
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
        s, reserved=None, owner=p["owner"], epoch=p["epoch"], clock_at=event.at, releasing=False, calls=calls, taken={}
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


def _proposed(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = Call(
        id=p["call_id"],
        name=p["tool"],
        input=p["input"],
        step=event.step,
        effect=p["effect"],
        proposed_at=event.at,
        digest=p["digest"],
        key=p["key"],
        scope=p["scope"],
    )
    return changed(s, calls=s.calls.with_one(call.id, call), used=_reserve(s, call.name, 1))


def _gating(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    reads = sum(1 for fact in p["facts"] if fact["read"])
    used = changed(s.used, fact_reads=s.used.fact_reads + reads)
    phase = Phase.GATING if p["facts"] else call.phase
    gate = call.gate_seq if call.phase is Phase.GATING and call.gate_seq else event.seq
    return changed(_with(s, call, phase=phase, gate_seq=gate, wants=tuple(p["facts"])), used=used)


def _fact(s: State, p: Mapping[str, Any], event: Event) -> State:
    reading = Reading(p["output"], p["problem"], event.seq, p["gate"], event.at)
    if p["problem"] is None:
        entry = {"input": p["input"], "output": p["output"], "at": event.at}
        s = changed(s, seen=_and_one(s.seen, p["tool"], entry))
    return changed(s, readings={**s.readings, p["key"]: reading})


def _verdict(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    if p["verdict"] == "require_approval" and not p["satisfied"]:
        prior = tuple(approval for approval in call.approvals if approval.prior)
        # a job that is asked about goes back to the session, and is enqueued again behind the yes
        return _with(s, call, phase=Phase.HELD, asked=p, approvals=prior, wants=(), gate_seq=0, leased=0)
    return _with(s, call, wants=(), gate_seq=0)


def _call_started(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    phase = Phase.PARKED if p["waits_for_person"] else Phase.STARTED
    s = _reserved(s, call, p)
    s = _with(s, call, phase=phase, started_at=event.at, attempt=p["attempt"], epoch=s.epoch, result=None, due_at=None)
    return changed(s, write_seq=event.seq) if call.effect == "write" else s


def _enqueued(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    s = _reserved(s, call, p)
    return _with(s, call, phase=Phase.ENQUEUED, job=True, leased=0, wants=(), gate_seq=0, result=None)


def _leased(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    # whatever an earlier worker had asked for is asked anew
    return _with(s, call, phase=Phase.PROPOSED, leased=p["epoch"], wants=(), gate_seq=0, due_at=None)


def _job_released(s: State, p: Mapping[str, Any], event: Event) -> State:
    return _with(s, s.calls[p["call_id"]], phase=Phase.ENQUEUED, leased=0, wants=(), gate_seq=0)


def _reserved(s: State, call: Call, p: Mapping[str, Any]) -> State:
    for entry in p.get("reserved", ()):
        metered = s.used.meters.get(entry["meter"], Metered()).with_one(call.id, entry["amount"])
        s = changed(s, used=changed(s.used, meters={**s.used.meters, entry["meter"]: metered}))
    return s


def _probe_asked(s: State, p: Mapping[str, Any], event: Event) -> State:
    want = {"tool": p["tool"], "input": p["input"], "gate": event.seq}
    used = changed(s.used, fact_reads=s.used.fact_reads + 1)
    return changed(_with(s, s.calls[p["call_id"]], probing=want), used=used)


def _probe_read(s: State, p: Mapping[str, Any], event: Event) -> State:
    return _with(s, s.calls[p["call_id"]], probing=None)


def _attempt_failed(s: State, p: Mapping[str, Any], event: Event) -> State:
    call, due = s.calls[p["call_id"]], datetime.fromisoformat(p["due_at"])
    s = _with(s, call, phase=Phase.RETRYING, due_at=due, leased=0)
    return changed(s, used=changed(s.used, retries=s.used.retries + 1))


def _edited(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    return _with(s, call, input=p["input"], digest=p["digest"], key=p["key"])


def _call_cancelled(s: State, p: Mapping[str, Any], event: Event) -> State:
    return _with(s, s.calls[p["call_id"]], cancelled=p["reason"])


def _key_taken(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, taken={**s.taken, p["key"]: p})


def _result(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    if call.job:
        call, s = changed(call, leased=0), changed(s, news=s.news or p["final"])
    result = Result(p["status"], p["reason"], p["message"], p["output"], p["rule"], event.at)
    if not p["final"]:
        return _with(s, call, result=result)
    if p["status"] == "unknown" and not p["settled"]:
        return changed(_with(s, call, phase=Phase.PARKED, result=result), write_seq=event.seq)
    never_started = call.started_at is None
    s = _with(s, call, phase=Phase.ENDED, result=result)
    if call.full_key in s.taken:
        s = changed(s, taken={key: value for key, value in s.taken.items() if key != call.full_key})
    if call.id in s.full:
        s = changed(s, full={id_: full for id_, full in s.full.items() if id_ != call.id})
    if p["status"] != "unknown" and s.used.meters:
        s = changed(s, used=_settle_meters(s.used, call, happened=p["status"] == "ok"))
    if p["status"] == "ok":
        entry = {"input": call.input, "output": p["output"], "at": event.at}
        s = changed(s, succeeded=_and_one(s.succeeded, call.name, entry), seen=_and_one(s.seen, call.name, entry))
    if never_started and not p["reused"]:
        s = changed(s, used=_reserve(s, call.name, -1))
    if call.effect == "write" and not never_started:
        s = changed(s, write_seq=event.seq)
    if p["repair"]:
        s = changed(s, used=changed(s.used, repairs=s.used.repairs + 1))
    return s


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
        return changed(s, limits=s.limits.extended(request.limit), crossed=s.crossed - {request.limit})
    if request.kind != "approval" or request.call_id is None:
        return s
    call = s.calls[request.call_id]
    if p["action"] == "deny":
        marks = {request.digest, call.digest} | ({call.full_key} if call.full_key is not None else set())
        refusal = {"tool": call.name, "input": call.input, "at": event.at}
        return changed(s, denied=s.denied | marks, refusals=(*s.refusals, refusal))
    kept = tuple(approval for approval in call.approvals if approval.digest == p["digest"])
    yes = Approval(frozenset(request.rules), p["digest"], p["by"], p["digest"] != request.digest)
    return _with(s, call, approvals=(*kept, yes), approved_seq=event.seq)


def _confirmed(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, confirmed=(*s.confirmed, p["digest"]))


def _confirmation_used(s: State, p: Mapping[str, Any], event: Event) -> State:
    left = list(s.confirmed)
    left.remove(p["digest"])
    call = s.calls[p["call_id"]]
    yes = Approval(frozenset(p["rules"]), p["digest"], CUSTOMER, prior=True)
    return _with(changed(s, confirmed=tuple(left)), call, approvals=(*call.approvals, yes))


def _closed(s: State, p: Mapping[str, Any], event: Event) -> State:
    request = s.requests[p["request_id"]]
    return changed(s, requests=s.requests.with_one(request.id, replace(request, closed=p["how"])))


def _cancel(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, cancel_by=p["by"])


def _crossed(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, crossed=s.crossed | {p["limit"]})


def _ending(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, ending=p["state"], ending_at=event.at)


def _step_ended(s: State, p: Mapping[str, Any], event: Event) -> State:
    ended = [call for call in s.calls.open.values() if call.ended]
    resulted = s.resulted
    for call in ended:
        resulted = _and_one(resulted, call.name, result_entry(call))
    calls = s.calls.settled(call.id for call in ended)
    over = [r.id for r in s.requests.open.values() if not r.open and (r.call_id is None or calls[r.call_id].ended)]
    return changed(
        s, step_phase=StepPhase.IDLE, crossed=s.crossed - {"step_time"}, calls=calls, resulted=resulted,
        requests=s.requests.settled(over),
    )  # fmt: skip


def result_entry(call: Call) -> dict[str, Any]:
    """What a decision table sees of a call that has ended."""
    result = call.result
    assert result is not None, "a call ends with its result"
    return {
        "id": call.id, "input": call.input, "status": result.status, "reason": result.reason,
        "message": result.message, "output": result.output,
    }  # fmt: skip


def _and_one(
    logs: Mapping[str, Log[Mapping[str, Any]]], tool: str, entry: Mapping[str, Any]
) -> Mapping[str, Log[Mapping[str, Any]]]:
    return {**logs, tool: (logs.get(tool) or Log()).with_one(entry)}


def _transition(s: State, p: Mapping[str, Any], event: Event) -> State:
    status = Status(p["state"])
    told = p["message"] or s.told
    if status is Status.RUNNING:
        # the time of the step begins anew after people were waited for
        s = changed(s, used=changed(s.used, step_active=timedelta(0)), crossed=s.crossed - {"step_time"})
    return changed(s, status=status, outcome=p["outcome"], told=told, waiting_for=tuple(p["waiting_for"]))


def _with(s: State, call: Call, **changes: Any) -> State:
    return changed(s, calls=s.calls.with_one(call.id, changed(call, **changes)))


def _settle_meters(used: Used, call: Call, *, happened: bool) -> Used:
    """The ledger when a call has ended: what it had reserved is spent, or given back."""
    meters = {
        name: metered.without(call.id, happened=happened) if call.id in metered.reserved else metered
        for name, metered in used.meters.items()
    }
    return changed(used, meters=meters)


def _meter_full(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, full={**s.full, p["call_id"]: p})


def _reserve(s: State, tool: str, amount: int) -> Used:
    per_tool = s.used.calls_per_tool
    return changed(
        s.used, calls=s.used.calls + amount, calls_per_tool={**per_tool, tool: per_tool.get(tool, 0) + amount}
    )


_TABLE: Mapping[K, Callable[[State, Mapping[str, Any], Event], State]] = {
    K.SESSION_CLAIMED: _claimed,
    K.SESSION_RELEASED: _released,
    K.SESSION_WOKEN: _same,
    K.MESSAGE_RECEIVED: _message,
    K.STEP_STARTED: _step_started,
    K.QUESTION_RESERVED: _question_reserved,
    K.DECISION_RECORDED: _decided,
    K.DECISION_REJECTED: _rejected,
    K.PLANNER_FAILED: _rejected,
    K.CALL_PROPOSED: _proposed,
    K.GATE_PENDING: _gating,
    K.FACT_READ: _fact,
    K.VERDICT: _verdict,
    K.CALL_STARTED: _call_started,
    K.CALL_EDITED: _edited,
    K.ATTEMPT_FAILED: _attempt_failed,
    K.PROBE_ASKED: _probe_asked,
    K.PROBE_READ: _probe_read,
    K.JOB_ENQUEUED: _enqueued,
    K.JOB_LEASED: _leased,
    K.JOB_RELEASED: _job_released,
    K.JOB_RETRIED: _same,
    K.JOB_DISCARDED: _same,
    K.CALL_CANCELLED: _call_cancelled,
    K.KEY_TAKEN: _key_taken,
    K.METER_FULL: _meter_full,
    K.TOOL_RESULT: _result,
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
