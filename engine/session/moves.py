"""What follows from the state by itself: a table of moves, tried from the top until none has anything to do.

Each move looks at the state, writes the events that its case calls for, and says whether it wrote any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from engine.policy.arithmetic import EvaluationError
from engine.policy.template import Template
from engine.session.draft import Draft
from engine.session.event import EventKind as K
from engine.session.gating import judge_call, record_start
from engine.session.limits import STOP
from engine.session.names import stop_names
from engine.session.pending import in_grace, pending
from engine.session.state import Call, Phase, Request, Status, StepPhase

_UNSTARTED = (Phase.PROPOSED, Phase.GATING, Phase.HELD)


def advance(d: Draft) -> None:
    """Write all that follows; afterwards the state waits for effects, for people, or is over."""
    while not d.state.final and any(move(d) for move in MOVES):
        pass


# -- waking up


def wake(d: Draft) -> bool:
    """A waiting session runs on when what it waits for has changed."""
    s = d.state
    if s.status is Status.RUNNING:
        return False
    due = any(_expired(d, request) for request in s.open_requests())
    changed = s.unseen > 0 if s.status is Status.AWAITING_MESSAGE else waiting_for(d) != s.waiting_for
    if not (due or changed or s.cancel_by):
        return False
    d.emit(K.STATE_TRANSITION, state="running", outcome="running", message="", waiting_for=[], reason="")
    return True


def expire(d: Draft) -> bool:
    """A question that nobody answered in time is closed, and what waited for it ends."""
    for request in d.state.open_requests():
        if _expired(d, request):
            d.emit(K.REQUEST_CLOSED, request_id=request.id, how="expired")
            _end_unanswered(d, request)
            return True
    return False


def _expired(d: Draft, request: Request) -> bool:
    return request.expires_at is not None and d.state.now >= request.expires_at


def _end_unanswered(d: Draft, request: Request) -> None:
    call = d.state.calls.get(request.call_id or "")
    if call is None or call.ended:
        return
    if request.kind == "approval":
        withdraw(d, call)
        d.result(call, "blocked", "approval_expired", "nobody approved it in time")
    elif request.kind == "settle":
        d.result(call, "unknown", "never_settled", "nobody could say in time whether it happened", settled=True)
    else:
        d.result(call, "terminal_error", f"{request.kind}_expired", "nobody answered in time")


def withdraw(d: Draft, call: Call) -> None:
    """Close what is still asked about a call."""
    for request in d.state.open_requests():
        if request.call_id == call.id:
            d.emit(K.REQUEST_CLOSED, request_id=request.id, how="withdrawn")


def heed_answers(d: Draft) -> bool:
    """An answer that ends a call: a person's no, a handoff's result, a settled write."""
    for request in d.state.requests.values():
        call = d.state.calls.get(request.call_id or "")
        answer = request.answered
        if answer is None or call is None or call.ended:
            continue
        if request.kind == "approval" and answer["action"] == "deny" and request.digest == call.digest:
            withdraw(d, call)
            d.result(call, "blocked", "denied_by_reviewer", answer["note"] or f"denied by {answer['by']}")
            return True
        if call.phase is Phase.PARKED and request.kind in ("input", "choice"):
            d.result(call, "ok", output=answer["value"])
            return True
        if call.phase is Phase.PARKED and request.kind == "settle":
            settle(d, call, answer)
            return True
    return False


def settle(d: Draft, call: Call, answer: Mapping[str, Any]) -> None:
    """Record what a person found out about a write that nobody could vouch for."""
    value = answer["value"]
    if value == "did_not_happen":
        d.result(call, "terminal_error", "did_not_happen", f"settled by {answer['by']}", settled=True)
    elif value == "abandon":
        d.result(call, "unknown", "abandoned", f"given up by {answer['by']}", settled=True)
    else:
        d.result(call, "ok", "", f"settled by {answer['by']}", value["happened"], settled=True)


# -- limits and endings


def cross_wall_clock(d: Draft) -> bool:
    """The session has run for as long as it may."""
    s, limit = d.state, d.state.limits.wall_clock
    if s.ending or limit is None or s.used.active < limit:
        return False
    return _end_by_limit(d, "wall_clock", Status.TIMED_OUT, _seconds(s.used.active), _seconds(limit))


def cross_repairs(d: Draft) -> bool:
    """The planner broke its contract once too often."""
    s, limit = d.state, d.state.limits.repairs
    if s.ending or limit is None or s.used.repairs <= limit:
        return False
    return _end_by_limit(d, "repairs", Status.FAILED, s.used.repairs, limit)


def cross_fact_reads(d: Draft) -> bool:
    """The fact reads are used up, and the agent says that this stops the session."""
    s = d.state
    if s.ending or "fact_reads" not in s.crossed or s.limits.crossing["fact_reads"] != STOP:
        return False
    d.emit(K.SESSION_ENDING, state=Status.OUT_OF_BUDGET.value, reason="fact_reads")
    return True


def _end_by_limit(d: Draft, limit: str, status: Status, used: object, allowed: object) -> bool:
    d.emit(K.LIMIT_CROSSED, limit=limit, used=used, allowed=allowed, crossing=status.value)
    d.emit(K.SESSION_ENDING, state=status.value, reason=limit)
    return True


def heed_cancel(d: Draft) -> bool:
    """Somebody asked for the session to end."""
    if d.state.ending or d.state.cancel_by is None:
        return False
    d.emit(K.SESSION_ENDING, state=Status.CANCELLED.value, reason=f"cancelled by {d.state.cancel_by}")
    return True


def end_grace(d: Draft) -> bool:
    """Running calls had their time to end by themselves."""
    s = d.state
    if not in_grace(s) or not s.running_calls() or s.ending_at is None or s.limits.grace is None:
        return False
    if d.at < s.ending_at + s.limits.grace:
        return False
    seconds = _seconds(s.limits.grace)
    d.emit(K.LIMIT_CROSSED, limit="grace", used=seconds, allowed=seconds, crossing="cancel")
    return True


def wind_up(d: Draft) -> bool:
    """An ending session starts nothing more, cancels what runs, and is over when nothing does."""
    s = d.state
    if s.ending is None:
        return False
    reason = "session_cancelled" if s.ending == Status.CANCELLED else "session_ended"
    for call in s.calls.values():
        if call.phase in _UNSTARTED:
            withdraw(d, call)
            d.result(call, "blocked", reason, "the session ended before it could start")
            return True
        if call.phase is Phase.PARKED and call.result is None:
            withdraw(d, call)
            d.result(call, "terminal_error", reason, "the session ended before anybody answered")
            return True
        if call.phase is Phase.STARTED and call.cancelled is None and not in_grace(s):
            d.emit(K.CALL_CANCELLED, step=call.step, call_id=call.id, tool=call.name, reason=reason)
            return True
    if s.running_calls():
        return False
    finish(d, Status(s.ending), s.ending, "")
    return True


def cross_step_time(d: Draft) -> bool:
    """The step took too long: what runs is cancelled, what waits never starts, and the planner goes on."""
    s, limit = d.state, d.state.limits.step_time
    if s.ending or limit is None or s.step_phase is StepPhase.IDLE or "step_time" in s.crossed:
        return False
    if s.used.step_active < limit:
        return False
    d.emit(
        K.LIMIT_CROSSED, limit="step_time", used=_seconds(s.used.step_active), allowed=_seconds(limit),
        crossing="end_step",
    )  # fmt: skip
    for call in s.step_calls():
        if call.phase is Phase.STARTED and call.cancelled is None:
            d.emit(K.CALL_CANCELLED, step=call.step, call_id=call.id, tool=call.name, reason="step_deadline")
        elif call.phase in (Phase.PROPOSED, Phase.GATING):
            d.result(call, "blocked", "step_deadline", "the step's time was over before it could start")
    if s.step_phase is StepPhase.PLANNING:
        d.emit(K.STEP_ENDED, reason="step_deadline")
    return True


def _seconds(span: timedelta) -> float | int:
    micros = span // timedelta(microseconds=1)
    return micros // 1_000_000 if micros % 1_000_000 == 0 else round(micros / 1_000_000, 6)


# -- calls


def conclude_cut_off(d: Draft) -> bool:
    """A call that an earlier driver had started: again under its key where that is safe, else unknown."""
    for call in d.state.running_calls():
        if call.epoch == d.state.epoch:
            continue
        tool = d.tool(call.name)
        safe = call.effect == "read" or tool.honours_key
        if call.cancelled is not None:
            end_cancelled(d, call)
        elif safe and not d.state.ending:
            record_start(d, call, tool)
        elif safe:
            d.result(call, "terminal_error", "session_cancelled", "the session ended while it ran")
        else:
            make_unknown(d, call, "cut_off", "the engine stopped while it ran")
        return True
    return False


def end_cancelled(d: Draft, call: Call) -> None:
    """The end of a call whose run was cancelled; a write is never assumed undone."""
    reason = call.cancelled or "session_cancelled"
    if call.effect == "write" and not d.tool(call.name).honours_key:
        make_unknown(d, call, reason, "it was cancelled while it ran and may have acted")
    else:
        d.result(call, "terminal_error", reason, "it was cancelled while it ran")


def make_unknown(d: Draft, call: Call, reason: str, message: str) -> None:
    """Nobody can vouch for a write: say so, and ask a person."""
    d.result(call, "unknown", reason, message)
    d.open_request(
        "settle",
        call=d.state.calls[call.id],
        groups=(),
        reason=reason,
        message=f"did this call of {call.name} happen?",
        expires=d.state.limits.expires["settle"],
    )


def gate_calls(d: Draft) -> bool:
    """Judge the calls whose turn has come."""
    s = d.state
    if s.step_phase is not StepPhase.ACTING or s.ending:
        return False
    calls = s.step_calls()
    for call in calls:
        if call.phase in _UNSTARTED and _behind_failed_write(call, calls):
            withdraw(d, call)
            d.result(call, "blocked", "earlier_write_not_done", "an earlier write of the step did not happen")
            return True
        if _has_turn(d, call, calls) and judge_call(d, call):
            return True
    return _note_waiting(d, calls)


def _behind_failed_write(call: Call, calls: list[Call]) -> bool:
    if call.effect != "write":
        return False
    return any(_failed(other) for other in calls[: calls.index(call)] if other.effect == "write")


def _failed(call: Call) -> bool:
    return (call.ended and not call.ok) or (call.phase is Phase.PARKED and call.result is not None)


def _has_turn(d: Draft, call: Call, calls: list[Call]) -> bool:
    s = d.state
    if call.phase is Phase.HELD:
        asked = [r for r in s.requests.values() if r.call_id == call.id and r.closed is None]
        if not call.approvals or any(r.open for r in asked):
            return False
    elif call.phase not in (Phase.PROPOSED, Phase.GATING):
        return False
    limit = s.limits.concurrency
    if limit is not None and len(s.running_calls()) >= limit:
        return False
    if call.effect != "write":
        return True
    earlier = calls[: calls.index(call)]
    return all(c.ended for c in calls if c.effect != "write") and all(c.ok for c in earlier if c.effect == "write")


def _note_waiting(d: Draft, calls: list[Call]) -> bool:
    """No proposal stands unexplained: a call that can't be judged yet says what it is behind."""
    for call in calls:
        if call.phase is Phase.PROPOSED and not call.gate_seq:
            writes = call.effect == "write" and any(c.effect != "write" and not c.ended for c in calls)
            earlier = call.effect == "write" and not writes
            behind = "reads" if writes else "earlier_write" if earlier else "concurrency"
            d.emit(K.GATE_PENDING, step=call.step, call_id=call.id, tool=call.name, facts=[], behind=behind)
            return True
    return False


# -- steps


def end_step(d: Draft) -> bool:
    """A step is over when every call of it has its final result; then the stop rules are tried in order."""
    s = d.state
    if s.step_phase is not StepPhase.ACTING or not all(call.ended for call in s.step_calls()):
        return False
    assert s.decision is not None
    done = bool(s.decision["done"])
    replies = not s.decision["tool_calls"]
    d.emit(K.STEP_ENDED, reason="done" if done else "reply" if replies else "calls_ended")
    s = d.state
    if s.ending:
        return True
    if "calls" in s.crossed and s.limits.crossing["calls"] == STOP:
        d.emit(K.SESSION_ENDING, state=Status.OUT_OF_BUDGET.value, reason="calls")
    elif not (done and s.unseen) and not _stopped(d, done) and replies and not s.unseen:
        _wait_for_message(d)
    return True


def _stopped(d: Draft, done: bool) -> bool:
    names = stop_names(d.state)
    for rule in d.agent.stop:
        if rule.on == "done" and not done:
            continue
        try:
            matched = rule.when is None or rule.when.value(names) is True
        except EvaluationError:
            matched = False
        if matched:
            finish(d, Status.DONE, rule.outcome, _render(d, rule.message))
            return True
    return False


def _render(d: Draft, template: Template) -> str:
    try:
        return template.render(stop_names(d.state))
    except EvaluationError as error:
        return f"(this message has no value: {error})"


def _wait_for_message(d: Draft) -> None:
    assert d.state.decision is not None
    d.emit(
        K.STATE_TRANSITION, state=Status.AWAITING_MESSAGE.value, outcome=Status.AWAITING_MESSAGE.value,
        message=d.state.decision["message"], waiting_for=["message"], reason="",
    )  # fmt: skip


def begin_step(d: Draft) -> bool:
    """Ask the planner for the next step, if the budget has one."""
    s = d.state
    if s.status is not Status.RUNNING or s.ending or s.step_phase is not StepPhase.IDLE:
        return False
    if s.limits.steps is not None and s.used.steps >= s.limits.steps:
        return _end_by_limit(d, "steps", Status.OUT_OF_BUDGET, s.used.steps, s.limits.steps)
    d.emit(K.STEP_STARTED, step=s.step + 1, number=s.step + 1)
    return True


def wait(d: Draft) -> bool:
    """Nothing of the step is left but what people have to answer."""
    s = d.state
    asked = waiting_for(d)
    if s.status is not Status.RUNNING or s.ending or not asked or s.running_calls() or pending(s, d.bundle):
        return False
    status = _waiting_status(d)
    d.emit(K.STATE_TRANSITION, state=status.value, outcome=status.value, message="", waiting_for=list(asked), reason="")
    return True


def waiting_for(d: Draft) -> tuple[str, ...]:
    """The open requests that keep a session from going on."""
    return tuple(r.id for r in d.state.open_requests() if r.kind != "follow_up")


def _waiting_status(d: Draft) -> Status:
    open_ = [r for r in d.state.open_requests() if r.kind != "follow_up"]
    if all(r.groups == ("customer",) for r in open_):
        return Status.AWAITING_CONFIRMATION
    return Status.AWAITING_HUMAN_REVIEW


def finish(d: Draft, status: Status, outcome: str, message: str) -> None:
    """The session is over: close what nobody needs any more, keep the promise made to the user, say so."""
    if d.state.step_phase is not StepPhase.IDLE:
        d.emit(K.STEP_ENDED, reason=outcome)
    for request in d.state.open_requests():
        if request.kind not in ("settle", "follow_up"):
            d.emit(K.REQUEST_CLOSED, request_id=request.id, how="session_ended")
    end = d.agent.ends.get(status.value)
    if end is not None:
        message = message or _render(d, end.message)
        if end.follow_up is not None:
            d.open_request(
                "follow_up", groups=(end.follow_up.reviewers,), reason=status.value, message=end.follow_up.note
            )
    d.emit(
        K.STATE_TRANSITION, state=status.value, outcome=outcome, message=message, waiting_for=[],
        reason=d.state.ending and outcome or "",
    )  # fmt: skip


Move = Callable[[Draft], bool]

MOVES: tuple[Move, ...] = (
    wake,
    expire,
    heed_answers,
    cross_wall_clock,
    cross_repairs,
    cross_fact_reads,
    heed_cancel,
    end_grace,
    conclude_cut_off,
    wind_up,
    cross_step_time,
    gate_calls,
    end_step,
    begin_step,
    wait,
)
