"""What people are asked: waiting for it, its expiry, and what their answers lead to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from engine.session.decide.draft import Draft
from engine.session.state.event import EventKind
from engine.session.state.state import Call, Phase, Request, ResultStatus, Status
from engine.spec.request_kind import RequestKind


def wake(draft: Draft) -> bool:
    """A waiting session runs on when what it waits for has changed."""
    s = draft.state
    if s.status is Status.RUNNING:
        return False
    due = any(_is_due(draft, request) for request in s.open_requests())
    before = tuple(what for what in s.waiting_for if what != MESSAGE)
    changed = waiting_for(draft) != before or (MESSAGE in s.waiting_for and s.unseen > 0)
    if not (due or changed or s.cancel_by or s.probed_calls()):
        return False
    draft.emit(EventKind.STATE_TRANSITION, state="running", outcome="running", message="", waiting_for=[], reason="")
    return True


def expire(draft: Draft) -> bool:
    """A question that nobody answered in time is closed, and what waited for it ends."""
    for request in draft.state.open_requests():
        if request.delayed is None and _is_due(draft, request):
            draft.emit(EventKind.REQUEST_CLOSED, request_id=request.id, how="expired")
            _end_unanswered(draft, request)
            return True
    return False


def _is_due(draft: Draft, request: Request) -> bool:
    return request.due_at is not None and draft.state.now >= request.due_at


def _end_unanswered(draft: Draft, request: Request) -> None:
    match request.kind:
        case RequestKind.BUDGET:
            draft.emit(EventKind.SESSION_ENDING, state=Status.OUT_OF_BUDGET.value, reason=request.limit or "budget")
        case RequestKind.PLANNER:
            draft.emit(EventKind.SESSION_ENDING, state=Status.TIMED_OUT.value, reason="planner_expired")
        case RequestKind.APPROVAL:
            call = _asked_about(draft, request)
            withdraw(draft, call)
            draft.result(call, ResultStatus.BLOCKED, "approval_expired", "nobody approved it in time")
        case RequestKind.SETTLE:
            told = "nobody could say in time whether it happened"
            draft.result(_asked_about(draft, request), ResultStatus.UNKNOWN, "never_settled", told, settled=True)
        case RequestKind.INPUT | RequestKind.CHOICE | RequestKind.FOLLOW_UP:
            told = "nobody answered in time"
            draft.result(_asked_about(draft, request), ResultStatus.TERMINAL_ERROR, f"{request.kind}_expired", told)
        case _:
            assert_never(request.kind)


def _asked_about(draft: Draft, request: Request) -> Call:
    assert request.call_id is not None, "of what is about no call only a limit and the next step expire"
    return draft.state.calls[request.call_id]


def withdraw(draft: Draft, call: Call) -> None:
    """Close what is still asked about a call."""
    for request in draft.state.open_requests():
        if request.call_id == call.id:
            draft.emit(EventKind.REQUEST_CLOSED, request_id=request.id, how="withdrawn")


def apply_answers(draft: Draft) -> bool:
    """An answer that ends a call: a person's no, a handoff's result, a settled write."""
    for request in draft.state.requests.open.values():
        call = draft.state.calls.get(request.call_id or "")
        answer = request.answered
        if answer is None or call is None or call.ended:
            continue
        if request.kind is RequestKind.APPROVAL and answer["action"] == "deny":
            withdraw(draft, call)
            draft.result(
                call, ResultStatus.BLOCKED, "denied_by_reviewer", answer["note"] or f"denied by {answer['by']}"
            )
            return True
        if call.phase is Phase.PARKED and request.kind in (RequestKind.INPUT, RequestKind.CHOICE):
            draft.result(call, ResultStatus.OK, output=answer["value"])
            return True
        if call.phase is Phase.PARKED and request.kind is RequestKind.SETTLE:
            settle(draft, call, answer)
            return True
    return False


def settle(draft: Draft, call: Call, answer: Mapping[str, Any]) -> None:
    """Record what a person found out about a write that nobody could vouch for."""
    value = answer["value"]
    if value == "did_not_happen":
        draft.result(call, ResultStatus.TERMINAL_ERROR, "did_not_happen", f"settled by {answer['by']}", settled=True)
    elif value == "abandon":
        draft.result(call, ResultStatus.UNKNOWN, "abandoned", f"given up by {answer['by']}", settled=True)
    else:
        draft.result(call, ResultStatus.OK, "", f"settled by {answer['by']}", value["happened"], settled=True)


MESSAGE = "message"


def waiting_for(draft: Draft) -> tuple[str, ...]:
    """The open requests and the jobs that keep a session from going on."""
    requests = tuple(r.id for r in draft.state.open_requests() if r.kind is not RequestKind.FOLLOW_UP)
    return (*requests, *(f"job:{call.id}" for call in draft.state.jobs()))


def waiting_status(draft: Draft) -> Status:
    """Whether a client is to propose, somebody is asked, only the customer, or a job is waited for."""
    open_ = [r for r in draft.state.open_requests() if r.kind is not RequestKind.FOLLOW_UP]
    if not open_:
        return Status.AWAITING_JOB
    if any(r.kind is RequestKind.PLANNER for r in open_):
        return Status.AWAITING_PLANNER
    if all(r.groups == ("customer",) for r in open_):
        return Status.AWAITING_CONFIRMATION
    return Status.AWAITING_HUMAN_REVIEW
