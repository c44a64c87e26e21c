"""Decisions that come from outside: a client is waited for as people are, what it proposes taken in as any.

Nobody here can ask a client, so a step of its session opens a request of the kind `planner`, with its own time.  A
proposal answers that request: it is recorded by whoever brings it, and the session's driver draws the conclusions.  It
names the event up to which it has read the log; one that has not read what happened since is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.session.decide.draft import Draft
from engine.session.decide.proposals import read_proposal, take_in_decision, used
from engine.session.state.event import EventKind
from engine.session.state.inputs import DecisionProposed, InputRefused
from engine.session.state.pending import plans_outside
from engine.session.state.state import StepPhase
from engine.spec.planner_spec import usage_problem
from engine.spec.request_kind import RequestKind


def propose(draft: Draft, reply: DecisionProposed) -> InputRefused | None:
    """Record what a client proposes, or say why it is refused: over, not asked, stale, or no decision."""
    s = draft.state
    if s.final or s.ending:
        return InputRefused("session_over", f"session {s.session_id} is over ({s.ending or s.status})")
    if not plans_outside(s, draft.bundle):
        return InputRefused("not_a_client", f"planner {s.planner} of agent {s.agent} proposes by itself")
    request = next((one for one in s.open_requests() if one.kind is RequestKind.PLANNER), None)
    if request is None or s.step_phase is not StepPhase.PLANNING:
        return InputRefused("not_asked", f"session {s.session_id} is not waiting for a decision")
    if request.expires_at is not None and draft.at >= request.expires_at:
        return InputRefused("expired", f"session {s.session_id} has waited for a decision for as long as it may")
    if type(reply.after) is not int:
        return InputRefused("stale", "`after` must be the number of the last event that was read")
    if reply.after > s.seq:
        return InputRefused("stale", f"event {reply.after} has not happened: the last one is {s.seq}")
    if reply.after < s.told_seq:
        return InputRefused("stale", f"event {s.told_seq} has to be read first, and this was read up to {reply.after}")
    if wrong := usage_problem(reply.usage):
        return InputRefused("invalid_usage", wrong)
    if not isinstance(reply.raw, Mapping):
        return InputRefused("invalid_decision", "a decision is an object with `message`, `tool_calls` and `done`")
    decision, problems = read_proposal(draft, reply.raw)
    if decision is None:
        return InputRefused("invalid_decision", "; ".join(problems))
    draft.emit(
        EventKind.DECISION_PROPOSED,
        request_id=request.id,
        after=reply.after,
        by=reply.by,
        message=decision.message,
        tool_calls=[{"id": call.id, "name": call.name, "input": call.input} for call in decision.tool_calls],
        done=decision.done,
        **used(reply.usage),
    )
    return None


def ask_client(draft: Draft) -> bool:
    """The next step is a client's to decide, and nobody has been asked for it."""
    s = draft.state
    if s.step_phase is not StepPhase.PLANNING or s.ending or s.releasing or s.proposal is not None:
        return False
    if not plans_outside(s, draft.bundle) or any(one.kind is RequestKind.PLANNER for one in s.open_requests()):
        return False
    draft.open_request(RequestKind.PLANNER, groups=(), expires=s.limits.expires[RequestKind.PLANNER])
    return True


def take_proposal(draft: Draft) -> bool:
    """Take in what the client proposed, as what any planner did."""
    s = draft.state
    if s.proposal is None or s.step_phase is not StepPhase.PLANNING or s.ending or s.releasing:
        return False
    given = s.proposal
    raw = {name: given[name] for name in ("message", "tool_calls", "done")}
    decision, problems = read_proposal(draft, raw)
    assert decision is not None, f"it was read when it came: {problems}"
    more = {"usage": given["usage"]} if "usage" in given else {}
    take_in_decision(draft, decision, proposed=given["seq"], **more)
    return True
