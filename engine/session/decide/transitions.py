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
from engine.session.decide.settle_delay import count_delayed_yes
from engine.session.decide.uncertain import give_up_cut_off, mark_uncertain
from engine.session.expression_names import stop_names
from engine.session.state.event import EventKind
from engine.session.state.pending import pending
from engine.session.state.state import UNSTARTED, Call, Phase, ResultStatus, State, Status, StepPhase
from engine.spec.bundle import READ, WRITE, End


def advance(draft: Draft) -> None:
    """Write all that follows; afterwards the state waits for effects, for people, or is over."""
    while not draft.state.final:
        for move in candidates(draft.state):
            if move(draft):
                break
        else:
            return


def candidates(state: State) -> tuple[Move, ...]:
    """The moves of the table that may have something to do, in its order.

    Most of the time a session runs, nobody is asked about it, and its calls go straight through: then the moves about
    waiting, answers, endings and jobs have nothing to look at, and the others go by where the step is.
    """
    plain = state.status is Status.RUNNING and not (
        state.ending or state.cancel_by or state.releasing or state.requests.open
    )
    if plain and all(call.phase in _STRAIGHT and not call.job for call in state.calls.open.values()):
        return PLAIN[state.step_phase]
    return TRANSITIONS


def cross_step_time(draft: Draft) -> bool:
    """The step took too long: what runs is cancelled, what waits never starts, and the planner goes on."""
    s, limit = draft.state, draft.state.limits.step_time
    if s.ending or limit is None or s.step_phase is StepPhase.IDLE or "step_time" in s.crossed:
        return False
    if s.used.step_active < limit:
        return False
    draft.emit(
        EventKind.LIMIT_CROSSED,
        limit="step_time",
        used=seconds(s.used.step_active),
        allowed=seconds(limit),
        crossing="end_step",
    )
    for call in s.step_calls():
        if call.phase is Phase.STARTED and call.cancelled is None:
            draft.emit(
                EventKind.CALL_CANCELLED, step=call.step, call_id=call.id, tool=call.name, reason="step_deadline"
            )
        elif call.phase is Phase.RETRYING:
            draft.result(
                call, ResultStatus.TERMINAL_ERROR, "step_deadline", "the step's time was over before its next attempt"
            )
        elif call.phase in (Phase.PROPOSED, Phase.GATING):
            draft.result(call, ResultStatus.BLOCKED, "step_deadline", "the step's time was over before it could start")
    if s.step_phase is StepPhase.PLANNING:
        draft.emit(EventKind.STEP_ENDED, reason="step_deadline")
    return True


# -- calls


def conclude_cut_off(draft: Draft) -> bool:
    """A call that an earlier driver had started: again under its key where that is safe, else unknown."""
    for call in draft.state.running_calls():
        if call.epoch == draft.state.epoch:
            continue
        tool = draft.tool(call.name)
        safe = call.effect is READ or tool.honours_key
        if call.cancelled is not None:
            end_cancelled(draft, call)
        elif safe and not draft.state.ending:
            if not give_up_cut_off(draft, call, "the engine"):
                record_start(draft, call, tool)
        elif call.effect is READ:
            draft.result(call, ResultStatus.TERMINAL_ERROR, "session_cancelled", "the session ended while it ran")
        else:
            mark_uncertain(draft, call, "cut_off", "the engine stopped while it ran")
        return True
    return False


def end_cancelled(draft: Draft, call: Call, *, acted: bool = True, said: str = "") -> None:
    """The end of a call whose run was cancelled; a write is never assumed undone, unless its adapter vouches."""
    reason = call.cancelled or "session_cancelled"
    if call.in_doubt or (acted and call.effect is WRITE):
        mark_uncertain(draft, call, reason, said or "it was cancelled while it ran and may have acted")
    else:
        draft.result(call, ResultStatus.TERMINAL_ERROR, reason, said or "it was cancelled while it ran")


def enqueue_approved(draft: Draft) -> bool:
    """A job that a worker's gate had asked about goes back to the workers when everybody has said yes."""
    if draft.state.ending or draft.state.releasing:
        return False
    for call in draft.state.calls.open.values():
        if call.job and call.phase is Phase.HELD and _answered(draft, call):
            enqueue(draft, call, draft.tool(call.name), [])
            return True
    return False


def gate_calls(draft: Draft) -> bool:
    """Judge the calls whose turn has come."""
    s = draft.state
    if s.step_phase is not StepPhase.ACTING or s.ending or s.releasing:
        return False
    calls = s.step_calls()
    for call in calls:
        if call.job:
            continue
        if call.phase in UNSTARTED and _behind_failed_write(call, calls):
            withdraw(draft, call)
            draft.result(
                call, ResultStatus.BLOCKED, "earlier_write_not_done", "an earlier write of the step did not happen"
            )
            return True
        if _has_turn(draft, call, calls) and (still_over(draft, call) or judge_call(draft, call)):
            return True
    return _note_waiting(draft, calls)


def _behind_failed_write(call: Call, calls: list[Call]) -> bool:
    if call.effect is not WRITE:
        return False
    earlier = [other for other in calls[: calls.index(call)] if other.effect is WRITE]
    # what comes behind a job would overtake it: the step ends when the job is handed over
    return any(_failed(other) or other.handed_over for other in earlier)


def _failed(call: Call) -> bool:
    return (call.ended and not call.ok) or (call.phase is Phase.PARKED and call.result is not None)


def _answered(draft: Draft, call: Call) -> bool:
    """Whether everybody who was asked about a held call, as it stands now, has said yes."""
    asked = [r for r in draft.state.requests.open.values() if r.call_id == call.id and r.closed is None]
    return bool(call.approvals) and not any(r.open and call.digest in (r.digest, r.said_digest) for r in asked)


def _has_turn(draft: Draft, call: Call, calls: list[Call]) -> bool:
    s = draft.state
    if call.phase is Phase.HELD:
        if not _answered(draft, call):
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


def _note_waiting(draft: Draft, calls: list[Call]) -> bool:
    """No proposal stands unexplained: a call that can't be judged yet says what it is behind."""
    for call in calls:
        if call.phase is Phase.PROPOSED and not call.gate_seq:
            writes = call.effect is WRITE and any(
                c.effect is not WRITE and not c.ended and not c.handed_over for c in calls
            )
            earlier = call.effect is WRITE and not writes
            behind = "reads" if writes else "earlier_write" if earlier else "concurrency"
            draft.emit(EventKind.GATE_PENDING, step=call.step, call_id=call.id, tool=call.name, facts=[], behind=behind)
            return True
    return False


# -- steps


def end_step(draft: Draft) -> bool:
    """A step is over when every call of it has its final result; then the stop rules are tried in order."""
    s = draft.state
    if s.step_phase is not StepPhase.ACTING or not all(call.ended or call.handed_over for call in s.step_calls()):
        return False
    assert s.decision is not None
    done = bool(s.decision["done"])
    replies = not s.decision["tool_calls"]
    draft.emit(EventKind.STEP_ENDED, reason="done" if done else "reply" if replies else "calls_ended")
    s = draft.state
    if s.finishing:
        if not (done and _stopped(draft, done)):
            draft.emit(EventKind.SESSION_ENDING, state=Status.OUT_OF_BUDGET.value, reason="finish")
    elif not apply_crossed_limits(draft) and not s.unseen and not s.news and not _stopped(draft, done) and replies:
        _wait_for_message(draft)
    return True


def _stopped(draft: Draft, done: bool) -> bool:
    names = stop_names(draft.state, draft.agent)
    for rule in draft.agent.stop:
        if rule.on == "done" and not done:
            continue
        try:
            matched = rule.when is None or rule.when.value(names) is True
        except EvaluationError:
            matched = False
        if matched:
            finish(draft, Status.DONE, rule.outcome, End(rule.message, rule.follow_up))
            return True
    return False


def _wait_for_message(draft: Draft) -> None:
    assert draft.state.decision is not None
    status = waiting_status(draft) if waiting_for(draft) else Status.AWAITING_MESSAGE
    draft.emit(
        EventKind.STATE_TRANSITION,
        state=status.value,
        outcome=status.value,
        message=draft.state.decision["message"],
        waiting_for=[*waiting_for(draft), MESSAGE],
        reason="",
    )


def begin_step(draft: Draft) -> bool:
    """Ask the planner for the next step, if the budget has one."""
    s = draft.state
    if s.status is not Status.RUNNING or s.ending or s.releasing or s.step_phase is not StepPhase.IDLE:
        return False
    if s.step and not s.news and not s.unseen and any(not call.ended for call in s.calls.open.values()):
        # a job is under way, or asked about
        return False
    before = draft.state.seq
    if cross_steps(draft):
        return draft.state.seq > before
    last = {"finishing": True} if is_last_turn(s) else {}
    draft.emit(EventKind.STEP_STARTED, step=s.step + 1, number=s.step + 1, bundle=draft.bundle.digest, **last)
    return True


def ask_for_calls_when_idle(draft: Draft) -> bool:
    """Calls that a limit keeps from starting wait for more of it, when nothing else of the step goes on."""
    return draft.state.status is Status.RUNNING and _idle(draft) and ask_for_calls(draft)


def wait(draft: Draft) -> bool:
    """Nothing of the step is left but what people have to answer."""
    s = draft.state
    asked = waiting_for(draft)
    if s.status is not Status.RUNNING or s.ending or s.releasing or not asked or not _idle(draft):
        # who lets go of a session judges nothing more: the next driver may have something to do yet
        return False
    status = waiting_status(draft)
    draft.emit(
        EventKind.STATE_TRANSITION,
        state=status.value,
        outcome=status.value,
        message="",
        waiting_for=list(asked),
        reason="",
    )
    return True


def _idle(draft: Draft) -> bool:
    s = draft.state
    return not (s.running_calls() or s.retrying_calls() or pending(s, draft.bundle))


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
    Transition(count_delayed_yes, "a yes counts from its time on, before anything looks at who is asked still"),
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
