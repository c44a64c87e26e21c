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
from engine.session.state import inputs
from engine.session.state.event import EventKind
from engine.session.state.state import Call, Phase, ResultStatus, State
from engine.spec.bundle import WRITE

Record = Callable[..., None]


def job_draft(state: State, call_id: str, reply: inputs.Input, draft: Draft, record: Mapping[type, Record]) -> Draft:
    """What a reply about a leased job means: recorded, then the call judged if its turn has come."""
    if isinstance(reply, inputs.JobLeased):
        _leased(draft, reply)
    elif isinstance(reply, inputs.JobReleased):
        _released(draft, reply)
    else:
        record[type(reply)](draft, reply)
    _judge(draft, call_id)
    if not draft.state.final:
        wake(draft)
    return draft


def _leased(draft: Draft, reply: inputs.JobLeased) -> None:
    call = draft.state.calls[reply.call_id]
    tool = draft.tool(call.name)
    if call.ended or not call.job:
        return
    if call.phase is not Phase.STARTED:
        _emit_lease(draft, reply)
        return
    # the worker that ran it is gone
    if call.cancelled is not None:
        end_cancelled(draft, call)
    elif call.effect is WRITE and not tool.honours_key:
        mark_uncertain(draft, call, "cut_off", "the worker stopped while it ran")
    elif not give_up_cut_off(draft, call, "its worker"):
        _emit_lease(draft, reply)


def _emit_lease(draft: Draft, reply: inputs.JobLeased) -> None:
    call = draft.state.calls[reply.call_id]
    draft.emit(
        EventKind.JOB_LEASED, step=call.step, call_id=call.id, tool=call.name, owner=reply.owner, epoch=reply.epoch
    )


def _released(draft: Draft, reply: inputs.JobReleased) -> None:
    call = draft.state.calls[reply.call_id]
    if not call.leased or call.ended:
        return
    may_have_acted = call.phase is Phase.STARTED and reply.acted and call.effect is WRITE
    if call.cancelled is not None:
        end_cancelled(draft, call, acted=reply.acted)
    elif may_have_acted and not draft.tool(call.name).honours_key:
        mark_uncertain(draft, call, "cut_off", "the worker stopped while it ran")
    else:
        acted = {"acted": True} if may_have_acted else {}
        draft.emit(EventKind.JOB_RELEASED, step=call.step, call_id=call.id, tool=call.name, **acted)


def _judge(draft: Draft, call_id: str) -> None:
    """The gate once more, on fresh facts, right before the tool runs."""
    while True:
        call = draft.state.calls[call_id]
        if not call.leased or call.phase not in (Phase.PROPOSED, Phase.GATING):
            return
        if draft.state.ending:
            draft.result(call, ResultStatus.BLOCKED, "session_ended", "the session ended before it could start")
        elif not judge_call(draft, call):
            return
        _close_if_over(draft, call_id)


def _close_if_over(draft: Draft, call_id: str) -> None:
    """Nobody is asked about a call of a session that is over."""
    call = draft.state.calls[call_id]
    if draft.state.final and call.phase is Phase.HELD:
        withdraw(draft, call)
        draft.result(call, ResultStatus.BLOCKED, "asked_after_end", "it needs a yes, and the session is over")


# -- from people


def retry(draft: Draft, reply: inputs.JobRetryRequested) -> inputs.InputRefused | None:
    """Propose a job that failed for good once more, as a new call with the same input, and enqueue it."""
    dead = draft.state.calls.get(reply.call_id)
    refused = _no_job(dead, reply.call_id)
    if refused is not None or dead is None:
        return refused
    if not dead.ended or dead.ok:
        return inputs.InputRefused("not_dead", f"job {dead.id} has not failed for good")
    retries = [call for id_, call in draft.state.calls.items() if id_.startswith(f"{dead.id}~")]
    for call in (dead, *retries):
        if not call.ended:
            return inputs.InputRefused("already_retried", f"job {dead.id} is being tried again")
        if call.ok:
            told = f"job {dead.id} was done when it was tried again: see job {call.id}"
            return inputs.InputRefused("already_done", told)
        if call.result is not None and call.result.status is ResultStatus.UNKNOWN:
            told = f"nobody knows whether job {call.id} happened: answer its settle request before it is tried again"
            return inputs.InputRefused("unknown", told)
    new = f"{dead.id}~{len(retries) + 1}"
    draft.emit(EventKind.JOB_RETRIED, step=dead.step, call_id=dead.id, tool=dead.name, by=reply.by, new=new)
    draft.emit(
        EventKind.CALL_PROPOSED,
        step=dead.step,
        call_id=new,
        tool=dead.name,
        input=dead.input,
        effect=dead.effect.value,
        digest=dead.digest,
        key=dead.key,
        scope=dead.scope,
    )
    call = draft.state.calls[new]
    reserved = reserve(draft, call)
    if reserved is None:
        return inputs.InputRefused("meter_full", "a meter that it adds to is full")
    enqueue(draft, call, draft.tool(call.name), reserved)
    return None


def discard(draft: Draft, reply: inputs.JobDiscardRequested) -> inputs.InputRefused | None:
    """Give a job up: one that waits ends as failed, one that has failed is out of the list of the dead."""
    call = draft.state.calls.get(reply.call_id)
    refused = _no_job(call, reply.call_id)
    if refused is not None or call is None:
        return refused
    if call.ok:
        return inputs.InputRefused("done", f"job {call.id} is done")
    if call.leased:
        return inputs.InputRefused("running", f"job {call.id} is being run: cancel the session, or wait for its end")
    draft.emit(EventKind.JOB_DISCARDED, step=call.step, call_id=call.id, tool=call.name, by=reply.by)
    if call.phase in (Phase.ENQUEUED, Phase.RETRYING):
        draft.result(call, ResultStatus.TERMINAL_ERROR, "discarded", f"given up by {reply.by}")
        if not draft.state.final:
            wake(draft)
    return None


def _no_job(call: Call | None, call_id: str) -> inputs.InputRefused | None:
    return None if call is not None and call.job else inputs.InputRefused("no_such_job", f"there is no job {call_id}")
