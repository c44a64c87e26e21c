"""Jobs: calls that the session hands over, and a worker judges again, runs, and tells the end of.

A worker does not drive the session: it appends what happens to its one call, under the lease of that job, whatever
else the session does meanwhile and even when it is over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.session.decide.draft import Draft
from engine.session.decide.gate_calls import enqueue, judge_call
from engine.session.decide.meters import reserve
from engine.session.decide.requests import wake, withdraw
from engine.session.decide.transitions import end_cancelled
from engine.session.decide.uncertain import give_up_cut_off, mark_uncertain
from engine.session.state import inputs as r
from engine.session.state.event import EventKind as K
from engine.session.state.state import Call, Phase, ResultStatus, State
from engine.spec.bundle import WRITE

Record = Callable[..., None]


def job_draft(state: State, call_id: str, reply: r.Input, d: Draft, record: Mapping[type, Record]) -> Draft:
    """What a reply about a leased job means: recorded, then the call judged if its turn has come."""
    if isinstance(reply, r.JobLeased):
        _leased(d, reply)
    elif isinstance(reply, r.JobReleased):
        _released(d, reply)
    else:
        record[type(reply)](d, reply)
    _judge(d, call_id)
    if not d.state.final:
        wake(d)
    return d


def _leased(d: Draft, reply: r.JobLeased) -> None:
    call = d.state.calls[reply.call_id]
    tool = d.tool(call.name)
    if call.ended or not call.job:
        return
    if call.phase is not Phase.STARTED:
        _emit_lease(d, reply)
        return
    # the worker that ran it is gone
    if call.cancelled is not None:
        end_cancelled(d, call)
    elif call.effect is WRITE and not tool.honours_key:
        mark_uncertain(d, call, "cut_off", "the worker stopped while it ran")
    elif not give_up_cut_off(d, call, "its worker"):
        _emit_lease(d, reply)


def _emit_lease(d: Draft, reply: r.JobLeased) -> None:
    call = d.state.calls[reply.call_id]
    d.emit(K.JOB_LEASED, step=call.step, call_id=call.id, tool=call.name, owner=reply.owner, epoch=reply.epoch)


def _released(d: Draft, reply: r.JobReleased) -> None:
    call = d.state.calls[reply.call_id]
    if not call.leased or call.ended:
        return
    may_have_acted = call.phase is Phase.STARTED and reply.acted and call.effect is WRITE
    if call.cancelled is not None:
        end_cancelled(d, call, acted=reply.acted)
    elif may_have_acted and not d.tool(call.name).honours_key:
        mark_uncertain(d, call, "cut_off", "the worker stopped while it ran")
    else:
        acted = {"acted": True} if may_have_acted else {}
        d.emit(K.JOB_RELEASED, step=call.step, call_id=call.id, tool=call.name, **acted)


def _judge(d: Draft, call_id: str) -> None:
    """The gate once more, on fresh facts, right before the tool runs."""
    while True:
        call = d.state.calls[call_id]
        if not call.leased or call.phase not in (Phase.PROPOSED, Phase.GATING):
            return
        if d.state.ending:
            d.result(call, ResultStatus.BLOCKED, "session_ended", "the session ended before it could start")
        elif not judge_call(d, call):
            return
        _close_if_over(d, call_id)


def _close_if_over(d: Draft, call_id: str) -> None:
    """Nobody is asked about a call of a session that is over."""
    call = d.state.calls[call_id]
    if d.state.final and call.phase is Phase.HELD:
        withdraw(d, call)
        d.result(call, ResultStatus.BLOCKED, "asked_after_end", "it needs a yes, and the session is over")


# -- from people


def retry(d: Draft, reply: r.JobRetryRequested) -> r.InputRefused | None:
    """Propose a job that failed for good once more, as a new call with the same input, and enqueue it."""
    dead = d.state.calls.get(reply.call_id)
    refused = _no_job(dead, reply.call_id)
    if refused is not None or dead is None:
        return refused
    if not dead.ended or dead.ok:
        return r.InputRefused("not_dead", f"job {dead.id} has not failed for good")
    retries = [call for id_, call in d.state.calls.items() if id_.startswith(f"{dead.id}~")]
    for call in (dead, *retries):
        if not call.ended:
            return r.InputRefused("already_retried", f"job {dead.id} is being tried again")
        if call.ok:
            return r.InputRefused("already_done", f"job {dead.id} was done when it was tried again: see job {call.id}")
        if call.result is not None and call.result.status is ResultStatus.UNKNOWN:
            told = f"nobody knows whether job {call.id} happened: answer its settle request before it is tried again"
            return r.InputRefused("unknown", told)
    new = f"{dead.id}~{len(retries) + 1}"
    d.emit(K.JOB_RETRIED, step=dead.step, call_id=dead.id, tool=dead.name, by=reply.by, new=new)
    d.emit(
        K.CALL_PROPOSED,
        step=dead.step,
        call_id=new,
        tool=dead.name,
        input=dead.input,
        effect=dead.effect.value,
        digest=dead.digest,
        key=dead.key,
        scope=dead.scope,
    )
    call = d.state.calls[new]
    reserved = reserve(d, call)
    if reserved is None:
        return r.InputRefused("meter_full", "a meter that it adds to is full")
    enqueue(d, call, d.tool(call.name), reserved)
    return None


def discard(d: Draft, reply: r.JobDiscardRequested) -> r.InputRefused | None:
    """Give a job up: one that waits ends as failed, one that has failed is out of the list of the dead."""
    call = d.state.calls.get(reply.call_id)
    refused = _no_job(call, reply.call_id)
    if refused is not None or call is None:
        return refused
    if call.ok:
        return r.InputRefused("done", f"job {call.id} is done")
    if call.leased:
        return r.InputRefused("running", f"job {call.id} is being run: cancel the session, or wait for its end")
    d.emit(K.JOB_DISCARDED, step=call.step, call_id=call.id, tool=call.name, by=reply.by)
    if call.phase in (Phase.ENQUEUED, Phase.RETRYING):
        d.result(call, ResultStatus.TERMINAL_ERROR, "discarded", f"given up by {reply.by}")
        if not d.state.final:
            wake(d)
    return None


def _no_job(call: Call | None, call_id: str) -> r.InputRefused | None:
    return None if call is not None and call.job else r.InputRefused("no_such_job", f"there is no job {call_id}")
