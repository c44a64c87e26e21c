"""What events do to calls: from a proposal to its result, with what it reads, reserves and leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from engine.session.event import Event
from engine.session.event import EventKind as K
from engine.session.persistent import Log, changed
from engine.session.shared_meters import is_meter
from engine.session.state import Call, Metered, Phase, Reading, Result, State, Used


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
    return changed(with_call(s, call, phase=phase, gate_seq=gate, wants=tuple(p["facts"]), short_of=""), used=used)


def _fact(s: State, p: Mapping[str, Any], event: Event) -> State:
    reading = Reading(p["output"], p["problem"], event.seq, p["gate"], event.at)
    if p["problem"] is None and not is_meter(p["tool"]):
        entry = {"input": p["input"], "output": p["output"], "at": event.at}
        s = changed(s, seen=and_one(s.seen, p["tool"], entry))
    return changed(s, readings={**s.readings, p["key"]: reading})


def _verdict(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    if p["verdict"] == "require_approval" and not p["satisfied"]:
        prior = tuple(approval for approval in call.approvals if approval.prior)
        # a job that is asked about goes back to the session, and is enqueued again behind the yes
        return with_call(
            s, call, phase=Phase.HELD, asked=p, approvals=prior, wants=(), gate_seq=0, leased=0, short_of=""
        )
    # what waited for more of a limit is a proposal like any other once it is judged again
    phase = Phase.PROPOSED if call.phase is Phase.OVER_BUDGET else call.phase
    return with_call(s, call, phase=phase, wants=(), gate_seq=0, short_of="")


def _call_started(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    phase = Phase.PARKED if p["waits_for_person"] else Phase.STARTED
    s = _reserved(s, call, p)
    s = with_call(
        s, call, phase=phase, started_at=event.at, attempt=p["attempt"], epoch=s.epoch, result=None, due_at=None,
        generation=p.get("generation", 0), in_doubt=_in_doubt(call, call.phase is Phase.STARTED),
    )  # fmt: skip
    return changed(s, write_seq=event.seq) if call.effect == "write" else s


def _enqueued(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    s = _reserved(s, call, p)
    return with_call(
        s, call, phase=Phase.ENQUEUED, job=True, leased=0, wants=(), gate_seq=0, result=None,
        due_at=datetime.fromisoformat(p["run_at"]), generation=p.get("generation", 0),
    )  # fmt: skip


def _leased(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    # whatever an earlier worker had asked for is asked anew
    return with_call(
        s, call, phase=Phase.PROPOSED, leased=p["epoch"], wants=(), gate_seq=0, due_at=None,
        in_doubt=_in_doubt(call, call.phase is Phase.STARTED),
    )  # fmt: skip


def _job_released(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    doubt = _in_doubt(call, p.get("acted", False))
    return with_call(s, call, phase=Phase.ENQUEUED, leased=0, wants=(), gate_seq=0, in_doubt=doubt)


def _reserved(s: State, call: Call, p: Mapping[str, Any]) -> State:
    for entry in p.get("reserved", ()):
        metered = s.used.meters.get(entry["meter"], Metered()).with_one(call.id, entry["amount"])
        s = changed(s, used=changed(s.used, meters={**s.used.meters, entry["meter"]: metered}))
    return s


def _probe_asked(s: State, p: Mapping[str, Any], event: Event) -> State:
    want = {"tool": p["tool"], "input": p["input"], "gate": event.seq}
    used = changed(s.used, fact_reads=s.used.fact_reads + 1)
    return changed(with_call(s, s.calls[p["call_id"]], probing=want), used=used)


def _probe_read(s: State, p: Mapping[str, Any], event: Event) -> State:
    return with_call(s, s.calls[p["call_id"]], probing=None)


def _attempt_failed(s: State, p: Mapping[str, Any], event: Event) -> State:
    call, due = s.calls[p["call_id"]], datetime.fromisoformat(p["due_at"])
    doubt = _in_doubt(call, p.get("acted", False))
    s = with_call(s, call, phase=Phase.RETRYING, due_at=due, leased=0, in_doubt=doubt)
    return changed(s, used=changed(s.used, retries=s.used.retries + 1))


def _in_doubt(call: Call, acted: bool) -> bool:
    """Whether nobody knows of an attempt of a write if it acted: one was `acted` maybe, or is gone with who ran it."""
    return call.in_doubt or (acted and call.effect == "write")


def _not_begun(s: State, p: Mapping[str, Any], event: Event) -> State:
    # what it had taken (its key, its meters) it still holds, and the attempt was none
    call = s.calls[p["call_id"]]
    return with_call(s, call, phase=Phase.PROPOSED, attempt=call.attempt - 1, wants=(), gate_seq=0)


def _edited(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    return with_call(s, call, input=p["input"], digest=p["digest"], key=p["key"])


def _over_budget(s: State, p: Mapping[str, Any], event: Event) -> State:
    return with_call(s, s.calls[p["call_id"]], phase=Phase.OVER_BUDGET, short_of=p["limit"], wants=(), gate_seq=0)


def _call_cancelled(s: State, p: Mapping[str, Any], event: Event) -> State:
    return with_call(s, s.calls[p["call_id"]], cancelled=p["reason"])


def _key_taken(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, taken={**s.taken, p["key"]: p})


def _key_expired(s: State, p: Mapping[str, Any], event: Event) -> State:
    return changed(s, expired={**s.expired, p["key"]: p["generation"]})


def _result(s: State, p: Mapping[str, Any], event: Event) -> State:
    call = s.calls[p["call_id"]]
    if call.job:
        # of what nobody knows yet there is nothing to tell the planner: a person is asked first
        told = p["final"] and (p["status"] != "unknown" or p["settled"])
        call, s = changed(call, leased=0), changed(s, news=s.news or told)
    result = Result(p["status"], p["reason"], p["message"], p["output"], p["rule"], event.at)
    if not p["final"]:
        return with_call(s, call, result=result)
    if p["status"] == "unknown" and not p["settled"]:
        return changed(with_call(s, call, phase=Phase.PARKED, result=result), write_seq=event.seq)
    never_started = call.started_at is None
    s = with_call(s, call, phase=Phase.ENDED, result=result)
    if call.claim in s.taken:
        s = changed(s, taken={key: value for key, value in s.taken.items() if key != call.claim})
    if call.id in s.full:
        s = changed(s, full={id_: full for id_, full in s.full.items() if id_ != call.id})
    if p["status"] != "unknown" and s.used.meters:
        s = changed(s, used=_settle_meters(s.used, call, happened=p["status"] == "ok"))
    if p["status"] == "ok":
        entry = {"input": call.input, "output": p["output"], "at": event.at}
        s = changed(s, succeeded=and_one(s.succeeded, call.name, entry), seen=and_one(s.seen, call.name, entry))
    if never_started and not p["reused"]:
        s = changed(s, used=_reserve(s, call.name, -1))
    if call.effect == "write" and not never_started:
        s = changed(s, write_seq=event.seq)
    if p["repair"]:
        s = changed(s, used=changed(s.used, repairs=s.used.repairs + 1))
    return s


def with_call(s: State, call: Call, **changes: Any) -> State:
    """The state with some fields of a call changed."""
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


def result_entry(call: Call) -> dict[str, Any]:
    """How a call ended, with the words of its log."""
    result = call.result
    assert result is not None, "a call ends with its result"
    return {
        "id": call.id, "input": call.input, "status": result.status, "reason": result.reason,
        "message": result.message, "output": result.output, "rule": result.rule,
    }  # fmt: skip


def and_one(
    logs: Mapping[str, Log[Mapping[str, Any]]], tool: str, entry: Mapping[str, Any]
) -> Mapping[str, Log[Mapping[str, Any]]]:
    """The logs by tool with one more entry for a tool."""
    return {**logs, tool: (logs.get(tool) or Log()).with_one(entry)}


CALL_EVENTS: Mapping[K, Callable[[State, Mapping[str, Any], Event], State]] = {
    K.CALL_PROPOSED: _proposed,
    K.GATE_PENDING: _gating,
    K.FACT_READ: _fact,
    K.VERDICT: _verdict,
    K.CALL_STARTED: _call_started,
    K.CALL_NOT_BEGUN: _not_begun,
    K.CALL_EDITED: _edited,
    K.CALL_OVER_BUDGET: _over_budget,
    K.ATTEMPT_FAILED: _attempt_failed,
    K.PROBE_ASKED: _probe_asked,
    K.PROBE_READ: _probe_read,
    K.JOB_ENQUEUED: _enqueued,
    K.JOB_LEASED: _leased,
    K.JOB_RELEASED: _job_released,
    K.CALL_CANCELLED: _call_cancelled,
    K.KEY_TAKEN: _key_taken,
    K.KEY_EXPIRED: _key_expired,
    K.METER_FULL: _meter_full,
    K.TOOL_RESULT: _result,
}
