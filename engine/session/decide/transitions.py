"""What follows from the state by itself: a table of moves, tried from the top until none has anything to do.

Each move looks at the state, writes the events that its case calls for, and says whether it wrote any; then the table
is tried from its top again.  So a move can rely on all those above having nothing to do, and that is what their order
means: ends come before beginnings, what people and earlier drivers have done before what is done next, and waiting
last.  Every move writes an event that takes away its own case, or it would be tried for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.language.arithmetic import EvaluationError
from engine.session.decide.budgets import (
    apply_budget_answers,
    apply_crossed_limits,
    ask_for_calls,
    cross_steps,
    is_last_turn,
    reserve_question,
    still_over,
)
from engine.session.decide.client_planner import ask_client, take_proposal
from engine.session.decide.draft import Draft
from engine.session.decide.endings import (
    apply_cancel,
    cross_repairs,
    cross_wall_clock,
    end_grace,
    finish,
    finish_ending,
    seconds,
)
from engine.session.decide.gate_calls import enqueue, judge_call, record_start
from engine.session.decide.requests import MESSAGE, apply_answers, expire, waiting_for, waiting_status, wake, withdraw
from engine.session.decide.retries import begin_due_attempts
from engine.session.decide.uncertain import give_up_cut_off, mark_uncertain
from engine.session.expression_names import stop_names
from engine.session.state.event import EventKind as K
from engine.session.state.pending import pending
from engine.session.state.state import UNSTARTED, Call, Phase, ResultStatus, State, Status, StepPhase
from engine.spec.bundle import READ, WRITE, End


def advance(d: Draft) -> None:
    """Write all that follows; afterwards the state waits for effects, for people, or is over."""
    while not d.state.final:
        for move in candidates(d.state):
            if move(d):
                break
        else:
            return


def candidates(s: State) -> tuple[Move, ...]:
    """The moves of the table that may have something to do, in its order.

    Most of the time a session runs, nobody is asked about it, and its calls go straight through: then the moves about
    waiting, answers, endings and jobs have nothing to look at, and the others go by where the step is.
    """
    plain = s.status is Status.RUNNING and not (s.ending or s.cancel_by or s.releasing or s.requests.open)
    if plain and all(call.phase in _STRAIGHT and not call.job for call in s.calls.open.values()):
        return PLAIN[s.step_phase]
    return TRANSITIONS


def cross_step_time(d: Draft) -> bool:
    """The step took too long: what runs is cancelled, what waits never starts, and the planner goes on."""
    s, limit = d.state, d.state.limits.step_time
    if s.ending or limit is None or s.step_phase is StepPhase.IDLE or "step_time" in s.crossed:
        return False
    if s.used.step_active < limit:
        return False
    d.emit(
        K.LIMIT_CROSSED,
        limit="step_time",
        used=seconds(s.used.step_active),
        allowed=seconds(limit),
        crossing="end_step",
    )
    for call in s.step_calls():
        if call.phase is Phase.STARTED and call.cancelled is None:
            d.emit(K.CALL_CANCELLED, step=call.step, call_id=call.id, tool=call.name, reason="step_deadline")
        elif call.phase is Phase.RETRYING:
            d.result(
                call, ResultStatus.TERMINAL_ERROR, "step_deadline", "the step's time was over before its next attempt"
            )
        elif call.phase in (Phase.PROPOSED, Phase.GATING):
            d.result(call, ResultStatus.BLOCKED, "step_deadline", "the step's time was over before it could start")
    if s.step_phase is StepPhase.PLANNING:
        d.emit(K.STEP_ENDED, reason="step_deadline")
    return True


# -- calls


def conclude_cut_off(d: Draft) -> bool:
    """A call that an earlier driver had started: again under its key where that is safe, else unknown."""
    for call in d.state.running_calls():
        if call.epoch == d.state.epoch:
            continue
        tool = d.tool(call.name)
        safe = call.effect is READ or tool.honours_key
        if call.cancelled is not None:
            end_cancelled(d, call)
        elif safe and not d.state.ending:
            if not give_up_cut_off(d, call, "the engine"):
                record_start(d, call, tool)
        elif call.effect is READ:
            d.result(call, ResultStatus.TERMINAL_ERROR, "session_cancelled", "the session ended while it ran")
        else:
            mark_uncertain(d, call, "cut_off", "the engine stopped while it ran")
        return True
    return False


def end_cancelled(d: Draft, call: Call, *, acted: bool = True, said: str = "") -> None:
    """The end of a call whose run was cancelled; a write is never assumed undone, unless its adapter vouches."""
    reason = call.cancelled or "session_cancelled"
    if call.in_doubt or (acted and call.effect is WRITE):
        mark_uncertain(d, call, reason, said or "it was cancelled while it ran and may have acted")
    else:
        d.result(call, ResultStatus.TERMINAL_ERROR, reason, said or "it was cancelled while it ran")


def enqueue_approved(d: Draft) -> bool:
    """A job that a worker's gate had asked about goes back to the workers when everybody has said yes."""
    if d.state.ending or d.state.releasing:
        return False
    for call in d.state.calls.open.values():
        if call.job and call.phase is Phase.HELD and _answered(d, call):
            enqueue(d, call, d.tool(call.name), [])
            return True
    return False


def gate_calls(d: Draft) -> bool:
    """Judge the calls whose turn has come."""
    s = d.state
    if s.step_phase is not StepPhase.ACTING or s.ending or s.releasing:
        return False
    calls = s.step_calls()
    for call in calls:
        if call.job:
            continue
        if call.phase in UNSTARTED and _behind_failed_write(call, calls):
            withdraw(d, call)
            d.result(
                call, ResultStatus.BLOCKED, "earlier_write_not_done", "an earlier write of the step did not happen"
            )
            return True
        if _has_turn(d, call, calls) and (still_over(d, call) or judge_call(d, call)):
            return True
    return _note_waiting(d, calls)


def _behind_failed_write(call: Call, calls: list[Call]) -> bool:
    if call.effect is not WRITE:
        return False
    earlier = [other for other in calls[: calls.index(call)] if other.effect is WRITE]
    # what comes behind a job would overtake it: the step ends when the job is handed over
    return any(_failed(other) or other.handed_over for other in earlier)


def _failed(call: Call) -> bool:
    return (call.ended and not call.ok) or (call.phase is Phase.PARKED and call.result is not None)


def _answered(d: Draft, call: Call) -> bool:
    """Whether everybody who was asked about a held call has said yes."""
    asked = [r for r in d.state.requests.open.values() if r.call_id == call.id and r.closed is None]
    return bool(call.approvals) and not any(r.open for r in asked)


def _has_turn(d: Draft, call: Call, calls: list[Call]) -> bool:
    s = d.state
    if call.phase is Phase.HELD:
        if not _answered(d, call):
            return False
    elif call.phase is Phase.OVER_BUDGET:
        if call.short_of in s.crossed:
            return False
    elif call.phase not in (Phase.PROPOSED, Phase.GATING):
        return False
    # a call that its facts are read for has its place already: it must not wait on them
    taken = sum(c.phase is Phase.GATING and c.id != call.id for c in calls)
    taken += len(s.running_calls()) + len(s.retrying_calls())
    if s.limits.concurrency is not None and taken >= s.limits.concurrency:
        return False
    if call.effect is not WRITE:
        return True
    earlier = calls[: calls.index(call)]
    # a job is over for its step when it is handed over
    reads = all(c.ended or c.handed_over for c in calls if c.effect is not WRITE)
    return reads and all(c.ok for c in earlier if c.effect is WRITE)


def _note_waiting(d: Draft, calls: list[Call]) -> bool:
    """No proposal stands unexplained: a call that can't be judged yet says what it is behind."""
    for call in calls:
        if call.phase is Phase.PROPOSED and not call.gate_seq:
            writes = call.effect is WRITE and any(
                c.effect is not WRITE and not c.ended and not c.handed_over for c in calls
            )
            earlier = call.effect is WRITE and not writes
            behind = "reads" if writes else "earlier_write" if earlier else "concurrency"
            d.emit(K.GATE_PENDING, step=call.step, call_id=call.id, tool=call.name, facts=[], behind=behind)
            return True
    return False


# -- steps


def end_step(d: Draft) -> bool:
    """A step is over when every call of it has its final result; then the stop rules are tried in order."""
    s = d.state
    if s.step_phase is not StepPhase.ACTING or not all(call.ended or call.handed_over for call in s.step_calls()):
        return False
    assert s.decision is not None
    done = bool(s.decision["done"])
    replies = not s.decision["tool_calls"]
    d.emit(K.STEP_ENDED, reason="done" if done else "reply" if replies else "calls_ended")
    s = d.state
    if s.finishing:
        if not (done and _stopped(d, done)):
            d.emit(K.SESSION_ENDING, state=Status.OUT_OF_BUDGET.value, reason="finish")
    elif not apply_crossed_limits(d) and not s.unseen and not s.news and not _stopped(d, done) and replies:
        _wait_for_message(d)
    return True


def _stopped(d: Draft, done: bool) -> bool:
    names = stop_names(d.state, d.agent)
    for rule in d.agent.stop:
        if rule.on == "done" and not done:
            continue
        try:
            matched = rule.when is None or rule.when.value(names) is True
        except EvaluationError:
            matched = False
        if matched:
            finish(d, Status.DONE, rule.outcome, End(rule.message, rule.follow_up))
            return True
    return False


def _wait_for_message(d: Draft) -> None:
    assert d.state.decision is not None
    status = waiting_status(d) if waiting_for(d) else Status.AWAITING_MESSAGE
    d.emit(
        K.STATE_TRANSITION,
        state=status.value,
        outcome=status.value,
        message=d.state.decision["message"],
        waiting_for=[*waiting_for(d), MESSAGE],
        reason="",
    )


def begin_step(d: Draft) -> bool:
    """Ask the planner for the next step, if the budget has one."""
    s = d.state
    if s.status is not Status.RUNNING or s.ending or s.releasing or s.step_phase is not StepPhase.IDLE:
        return False
    if s.step and not s.news and not s.unseen and any(not call.ended for call in s.calls.open.values()):
        # a job is under way, or asked about
        return False
    before = d.state.seq
    if cross_steps(d):
        return d.state.seq > before
    last = {"finishing": True} if is_last_turn(s) else {}
    d.emit(K.STEP_STARTED, step=s.step + 1, number=s.step + 1, bundle=d.bundle.digest, **last)
    return True


def ask_for_calls_when_idle(d: Draft) -> bool:
    """Calls that a limit keeps from starting wait for more of it, when nothing else of the step goes on."""
    return d.state.status is Status.RUNNING and _idle(d) and ask_for_calls(d)


def wait(d: Draft) -> bool:
    """Nothing of the step is left but what people have to answer."""
    s = d.state
    asked = waiting_for(d)
    if s.status is not Status.RUNNING or s.ending or s.releasing or not asked or not _idle(d):
        # who lets go of a session judges nothing more: the next driver may have something to do yet
        return False
    status = waiting_status(d)
    d.emit(K.STATE_TRANSITION, state=status.value, outcome=status.value, message="", waiting_for=list(asked), reason="")
    return True


def _idle(d: Draft) -> bool:
    s = d.state
    return not (s.running_calls() or s.retrying_calls() or pending(s, d.bundle))


Move = Callable[[Draft], bool]


@dataclass(frozen=True, slots=True)
class Transition:
    """A move, and why it stands where it stands."""

    move: Move
    why_here: str


# Swapping two of them that can have something to do at one moment changes what happens: the tests say for which pairs,
# and what breaks.
TABLE: tuple[Transition, ...] = (
    Transition(wake, "whatever follows is told of a session that runs, and its time counts from here"),
    Transition(expire, "a question that is over is closed before anything looks at who is asked still"),
    Transition(
        apply_answers,
        "what people did has happened, whatever end the session comes to",
    ),
    Transition(apply_budget_answers, "a limit is extended before it is looked at again"),
    Transition(
        cross_wall_clock,
        "of several ends at one moment it is the one that nobody chose",
    ),
    Transition(cross_repairs, "a planner that broke its contract too often proposes nothing more"),
    Transition(apply_cancel, "whoever asked for the end gets it before another call starts"),
    Transition(end_grace, "what ran on in its grace is cut off before its session is over"),
    Transition(
        conclude_cut_off,
        "what an earlier driver had started is settled before other calls start",
    ),
    Transition(finish_ending, "a session that ends begins nothing of what stands below"),
    Transition(cross_step_time, "the step's time is over before an attempt or a call of it starts"),
    Transition(begin_due_attempts, "a call that has its place already goes on before others are given theirs"),
    Transition(enqueue_approved, "a job that people have allowed goes to the workers, however long its step goes on"),
    Transition(take_proposal, "a decision is taken in before its calls are judged"),
    Transition(gate_calls, "calls are judged until none has its turn"),
    Transition(end_step, "then the step is over, if none is left"),
    Transition(begin_step, "and the next one begins, if nothing has ended the session"),
    Transition(reserve_question, "its question is paid for before it is asked"),
    Transition(ask_client, "a client is asked as far as the budget goes"),
    Transition(ask_for_calls_when_idle, "people are asked for more of a limit once nothing else goes on"),
    Transition(wait, "last: nothing is left to do but to wait for what was asked"),
)

TRANSITIONS: tuple[Move, ...] = tuple(row.move for row in TABLE)

# where a call is that goes straight through
_STRAIGHT = frozenset({Phase.PROPOSED, Phase.GATING, Phase.STARTED, Phase.ENDED})

_AT_ANY_TIME = (cross_wall_clock, cross_repairs, conclude_cut_off, cross_step_time)

# what may have something to do in a session that runs, by where its step is (see `candidates`)
PLAIN: Mapping[StepPhase, tuple[Move, ...]] = {
    StepPhase.IDLE: (*_AT_ANY_TIME, begin_step),
    StepPhase.PLANNING: (*_AT_ANY_TIME, take_proposal, reserve_question, ask_client),
    StepPhase.ACTING: (*_AT_ANY_TIME, gate_calls, end_step),
}
