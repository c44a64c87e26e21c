"""What is reserved for questions to the planner, and what crossing a limit of the session leads to at a step's end."""

from __future__ import annotations

from engine.language.arithmetic import add
from engine.session.decide.draft import Draft
from engine.session.decide.endings import end_by_limit
from engine.session.state.event import EventKind
from engine.session.state.pending import reserves
from engine.session.state.state import Call, Phase, ResultStatus, State, Status, StepPhase
from engine.spec.limits import FINISH, REVIEW, STOP
from engine.spec.planner_spec import NO_USAGE
from engine.spec.request_kind import RequestKind


def reserve_question(draft: Draft) -> bool:
    """Take from the budget what a question to the planner may use, or cross the limit that it would go beyond.

    Of a planner that can't say what a question takes, none is asked once a limit is used up.
    """
    s = draft.state
    if s.step_phase is not StepPhase.PLANNING or s.ending or s.releasing or s.proposal is not None:
        return False
    usage = reserves(s, draft.bundle)
    if usage is None and (s.reserved is not None or s.finishing):
        return False
    more = usage or NO_USAGE
    for name, asked in (("model_tokens", more.tokens), ("model_cost_usd", more.cost_usd)):
        used, limit = getattr(s.used, name), getattr(s.limits, name)
        spent = usage is None and used > 0 and limit is not None and used >= limit
        if limit is None or not (spent or add(used, asked) > limit):
            continue
        draft.emit(EventKind.LIMIT_CROSSED, limit=name, used=used, allowed=limit, crossing=s.limits.crossed_by(name))
        draft.emit(EventKind.STEP_ENDED, reason=name)
        apply_crossed_limits(draft)
        return True
    if usage is None:
        return False
    draft.emit(EventKind.QUESTION_RESERVED, ask=s.asks, **usage.payload())
    return True


def apply_crossed_limits(draft: Draft) -> bool:
    """At the end of a step: stop for a limit that was crossed, or ask whether there is more."""
    s = draft.state
    by = {name: s.limits.crossed_by(name) for name in sorted(s.crossed)}
    for name, crossing in by.items():
        if crossing == STOP:
            draft.emit(EventKind.SESSION_ENDING, state=Status.OUT_OF_BUDGET.value, reason=name)
            return True
    for name, crossing in by.items():
        if crossing == REVIEW and not is_asked(s, name):
            ask_for_more(draft, name)
            return True
    return False


def block_by_limit(draft: Draft, call: Call, limit: str, reason: str, message: str) -> None:
    """A limit that was crossed keeps a call from starting: for good, or until somebody grants more of it."""
    waits = draft.state.limits.crossed_by(limit) == REVIEW
    draft.result(call, ResultStatus.BLOCKED, reason, message, final=not waits)
    if waits:
        draft.emit(EventKind.CALL_OVER_BUDGET, step=call.step, call_id=call.id, tool=call.name, limit=limit)


def ask_for_calls(draft: Draft) -> bool:
    """Ask for more of a limit that calls wait for, when nothing else of the step goes on."""
    s = draft.state
    if s.ending or s.releasing:
        return False
    for call in s.calls.open.values():
        if call.phase is Phase.OVER_BUDGET and call.short_of in s.crossed and not is_asked(s, call.short_of):
            ask_for_more(draft, call.short_of)
            return True
    return False


def still_over(draft: Draft, call: Call) -> bool:
    """Whether what was granted is not enough for a call that waited for it: the limit is crossed once more."""
    s = draft.state
    if call.short_of != "calls" or s.limits.calls is None:
        return False
    waiting = sum(1 for c in s.calls.open.values() if c.short_of == "calls")
    used = s.used.calls - waiting
    if used < s.limits.calls:
        return False
    draft.emit(
        EventKind.LIMIT_CROSSED, limit="calls", used=used, allowed=s.limits.calls, crossing=REVIEW, tool=call.name
    )
    return True


def ask_for_more(draft: Draft, name: str) -> None:
    """Open the request whose yes extends a limit."""
    limits = draft.state.limits
    extension, allowed = limits.extensions[name], limits.limit(name)
    draft.open_request(
        RequestKind.BUDGET,
        groups=(extension.reviewers,),
        reason=name,
        limit=name,
        extend_by=extension.by,
        message=f"the limit {name} of {allowed} is used up: may it have {extension.by} more?",
        expires=limits.expires.get(RequestKind.BUDGET),
    )


def is_asked(state: State, name: str) -> bool:
    """Whether somebody is being asked for more of a limit."""
    return any(request.limit == name for request in state.open_requests())


def apply_budget_answers(draft: Draft) -> bool:
    """A no to more of a limit ends the session as the limit itself would have."""
    if draft.state.ending:
        return False
    for request in draft.state.requests.open.values():
        answer = request.answered
        if request.kind is RequestKind.BUDGET and answer is not None and answer["action"] == "deny" and request.limit:
            draft.emit(EventKind.SESSION_ENDING, state=Status.OUT_OF_BUDGET.value, reason=request.limit)
            return True
    return False


def cross_steps(draft: Draft) -> bool:
    """Whether no further step begins: it ends, asks for more, or waits for the answer."""
    s = draft.state
    limit = s.limits.steps
    if any(request.kind is RequestKind.BUDGET for request in s.open_requests()):
        return True
    if limit is None or s.used.steps < limit:
        return False
    crossing = s.limits.crossed_by("steps")
    if crossing == REVIEW:
        draft.emit(EventKind.LIMIT_CROSSED, limit="steps", used=s.used.steps, allowed=limit, crossing=crossing)
        ask_for_more(draft, "steps")
        return True
    return end_by_limit(draft, "steps", Status.OUT_OF_BUDGET, s.used.steps, limit)


def is_last_turn(state: State) -> bool:
    """Whether the next step is the one that was set aside for finishing."""
    if any(state.limits.crossed_by(name) == FINISH for name in state.crossed):
        return True
    limit = state.limits.steps
    return state.limits.sets_a_step_aside() and limit is not None and state.used.steps >= limit - 1
